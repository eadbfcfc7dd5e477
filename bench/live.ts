import { MONOTONIC_CLOCK } from "../lib/core/clock.ts";
import type { MediaRequest } from "../lib/wire/request.ts";
import type { Order, Seen } from "./live_viewers.ts";
import type { Bench, Goal, Row } from "./measurement.ts";
import { quantile } from "./numbers.ts";
import { findChildren, hasProc, readMemory, readProcessorTime } from "./proc.ts";
import type { ServerProcess, ViewersProcess } from "./programs.ts";

/** The name of the source, and the source. */
const [NAME, INPUT] = ["live", "lavfi:testsrc2=size=640x360:rate=30"];

/** Processes that viewers are spread over, where there are many. */
const PROCESSES = 2;

/** Milliseconds between looks at what runs. */
const LOOKS = 500;

/** Who watches. */
interface Audience {
  viewers: number;
  /** How many of them ask, and then never read. */
  stuck: number;
  late: NonNullable<MediaRequest["late"]>;
}

/** What was seen of one audience. */
interface Outcome {
  /** Frames a second: of the viewer that got the fewest, and of the one in the middle. */
  slowest: number;
  middle: number;
  /** How often frames were left out, over all viewers that read. */
  gaps: number;
  /** Milliseconds from the capture of a frame until a viewer had it, over all of theirs. */
  latency: { p50: number; p99: number };
  /** FFmpeg processes of the server, all that there ever were. */
  decoders: number;
  /** Seconds of processor time a second. */
  processor: { server: number; decoders: number; viewers: number };
  /** Resident memory of the server, bytes. */
  memory: { before: number; after: number };
}

const SIXTY: Audience = { viewers: 60, stuck: 0, late: "drop" };
const STUCK: Audience = { ...SIXTY, stuck: 2 };

/** How one live source reaches many viewers, raw, some of whom do not read what they asked for. */
export async function measureLive(bench: Bench): Promise<Row[]> {
  if (!hasProc()) {
    bench.tell("skipped, processes are looked at in Linux's /proc");
    return [];
  }
  const run = async (audience: Audience, name: string) => {
    bench.tell(`${name}, ${audience.late}, ${bench.liveSeconds} s`);
    return await watchLive(audience, bench);
  };
  const one = rowsOf("1 viewer", await run({ ...SIXTY, viewers: 1 }, "1 viewer"));
  const stuck = "60 viewers, 2 stuck";
  if (bench.quick) return [...one, ...rowsOf(stuck, await run(STUCK, stuck))];
  const ten = rowsOf("10 viewers", await run({ ...SIXTY, viewers: 10 }, "10 viewers"));
  const none = await run(SIXTY, "60 viewers");
  const dropped = rowsOf(stuck, await run(STUCK, stuck), none);
  const waiting = rowsOf(`${stuck}, wait`, await run({ ...STUCK, late: "wait" }, stuck));
  return [...one, ...ten, ...dropped, ...waiting];
}

async function watchLive(audience: Audience, bench: Bench): Promise<Outcome> {
  const { programs, clips, signal, liveSeconds: seconds } = bench;
  await using server = await programs.startServer(clips.folder, ["--live", `${NAME}=${INPUT}`]);
  await using stack = new AsyncDisposableStack();
  const processes = ordersOf(audience, { port: server.port, seconds }).map((order) =>
    stack.use(programs.startViewers(JSON.stringify(order), signal))
  );
  for (const viewers of processes) await viewers.expect("joined");
  const before = await look(server, processes);
  const decoders = new Set(await findChildren(server.pid, "ffmpeg"));
  const began = performance.now();
  for (const viewers of processes) await viewers.say("go");
  const results = Promise.all(processes.map((viewers) => viewers.nextLine()));
  // It is awaited below, where a failure is told.
  results.catch(() => {});
  while ((performance.now() - began) / 1000 < seconds) {
    await MONOTONIC_CLOCK.sleep(LOOKS, signal);
    for (const pid of await findChildren(server.pid, "ffmpeg")) decoders.add(pid);
  }
  const after = await look(server, processes);
  const elapsed = (performance.now() - began) / 1000;
  const seen = (await results).flatMap((line): Seen[] => JSON.parse(line));
  const rates = seen.map(({ frames }) => frames / seconds);
  const latencies = seen.flatMap((viewer) => viewer.latencies);
  const perSecond = (key: "server" | "decoders" | "viewers") =>
    (after[key] - before[key]) / elapsed;
  return {
    slowest: Math.min(...rates),
    middle: quantile(rates, 0.5),
    gaps: seen.reduce((sum, { gaps }) => sum + gaps, 0),
    latency: { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) },
    decoders: decoders.size,
    processor: {
      server: perSecond("server"),
      decoders: perSecond("decoders"),
      viewers: perSecond("viewers"),
    },
    memory: { before: before.memory, after: after.memory },
  };
}

/** Spreads the viewers over processes, so that reading is not what bounds them. */
function ordersOf(
  { viewers, stuck, late }: Audience,
  { port, seconds }: Pick<Order, "port" | "seconds">,
): Order[] {
  const request: MediaRequest = { command: "get_video", name: NAME, encoding: "raw", late };
  const processes = viewers < PROCESSES ? 1 : PROCESSES;
  const share = (count: number, index: number) => Math.floor((count + index) / processes);
  return Array.from({ length: processes }, (_, index) => ({
    ...{ port, seconds, request },
    reading: share(viewers - stuck, index),
    stuck: share(stuck, index),
  }));
}

/** Processor time so far, seconds, and the server's memory, bytes. */
async function look(server: ServerProcess, processes: readonly ViewersProcess[]) {
  const own = async (pid: number) => (await readProcessorTime(pid)).own;
  const sum = async (pids: readonly number[]) =>
    (await Promise.all(pids.map(own))).reduce((total, time) => total + time, 0);
  return {
    server: await own(server.pid),
    decoders: await sum(await findChildren(server.pid, "ffmpeg")),
    viewers: await sum(processes.map(({ pid }) => pid)),
    memory: (await readMemory(server.pid)).now,
  };
}

function rowsOf(name: string, ours: Outcome, other?: Outcome): Row[] {
  const row = (
    what: string,
    unit: string,
    pick: (outcome: Outcome) => number,
    goal?: Goal,
  ): Row => ({
    ...{ what: `${name}: ${what}`, unit, ours: pick(ours), goal },
    ...(other === undefined ? {} : { other: pick(other), against: "none stuck" }),
  });
  const fast: Goal = { of: "ours", relation: "above", value: 29 };
  const single: Goal = { of: "ours", relation: "at most", value: 1 };
  return [
    row("the slowest that reads", "frames/s", ({ slowest }) => slowest, fast),
    row("the median", "frames/s", ({ middle }) => middle),
    row("gaps, of all that read", "count", ({ gaps }) => gaps),
    row("capture to viewer, p50", "ms", ({ latency }) => latency.p50),
    row("capture to viewer, p99", "ms", ({ latency }) => latency.p99),
    row("FFmpeg processes", "count", ({ decoders }) => decoders, single),
    row("processor, server", "s/s", ({ processor }) => processor.server),
    row("processor, FFmpeg", "s/s", ({ processor }) => processor.decoders),
    row("processor, viewers", "s/s", ({ processor }) => processor.viewers),
    row("server's memory, at first", "MB", ({ memory }) => memory.before / 1e6),
    row("server's memory, at the end", "MB", ({ memory }) => memory.after / 1e6),
  ];
}
