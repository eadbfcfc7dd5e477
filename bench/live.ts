import { MONOTONIC_CLOCK } from "../lib/core/clock.ts";
import type { MediaRequest } from "../lib/wire/request.ts";
import { Camera, CAMERA_FRAME_SIZE, CAMERA_RATE } from "./camera.ts";
import type { Order, Seen } from "./live_viewers.ts";
import type { Bench, Goal, Row } from "./measurement.ts";
import { quantile } from "./numbers.ts";
import { findChildren, readMemory, readProcessorTime } from "./proc.ts";
import type { ServerProcess, ViewersProcess } from "./programs.ts";

/** The name of the source. */
const NAME = "live";

/** Processes that viewers are spread over, where there are many. */
const PROCESSES = 2;

/** Milliseconds between looks at what runs. */
const LOOKS = 500;

/** What a row with the share of lost frames is called. */
const DROPPED = "frames that did not come";

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
  /** The same from the camera on, through FFmpeg. */
  age: { p50: number; p99: number };
  /** Percent of the frames due between the first and the last that did not come, of all viewers. */
  dropped: number;
  /** FFmpeg processes of the server, all that there ever were. */
  decoders: number;
  /** Seconds of processor time a second. */
  processor: { server: number; decoders: number; viewers: number };
  /** Resident memory of the server, bytes. */
  memory: { before: number; after: number };
}

const SIXTY: Audience = { viewers: 60, stuck: 0, late: "drop" };
const STUCK: Audience = { ...SIXTY, stuck: 2 };
const MANY: Audience = { ...SIXTY, viewers: 200 };

/** Viewers whom the server lets in. */
const PLACES = "300";

/** Milliseconds: the time of one frame, which FFmpeg holds until the next one comes, and 5. */
const SOON = 1000 / 30 + 5;

/** How one live source reaches many viewers, raw, some of whom do not read what they asked for. */
export async function measureLive(bench: Bench): Promise<Row[]> {
  const run = async (audience: Audience, name: string) => {
    bench.tell(`${name}, ${audience.late}, ${bench.liveSeconds} s`);
    return await watchLive(audience, bench);
  };
  const alone = await run({ ...SIXTY, viewers: 1 }, "1 viewer");
  const one = rowsOf("1 viewer", alone);
  const stuck = "60 viewers, 2 stuck";
  if (bench.quick) return [...one, ...rowsOf(stuck, await run(STUCK, stuck))];
  const ten = rowsOf("10 viewers", await run({ ...SIXTY, viewers: 10 }, "10 viewers"));
  const none = await run(SIXTY, "60 viewers");
  const dropped = rowsOf(stuck, await run(STUCK, stuck), none);
  const waiting = rowsOf(`${stuck}, wait`, await run({ ...STUCK, late: "wait" }, stuck));
  const crowd = await run(MANY, "200 viewers");
  const many = rowsOf("200 viewers", crowd).map((row): Row =>
    row.what.endsWith(DROPPED) ? { ...row, goal: { of: "ours", relation: "below", value: 1 } } : row
  );
  const further = (crowd.memory.after - alone.memory.after) / (MANY.viewers - 1);
  const memory: Row = {
    ...{ what: "200 viewers: server's memory, a further viewer", unit: "frames" },
    ours: further / CAMERA_FRAME_SIZE,
    goal: { of: "ours", relation: "at most", value: 3 },
  };
  return [...one, ...ten, ...dropped, ...waiting, ...many, memory];
}

async function watchLive(audience: Audience, bench: Bench): Promise<Outcome> {
  const { programs, clips, signal, liveSeconds: seconds } = bench;
  await using camera = new Camera();
  const flags = ["--live", `${NAME}=${camera.input}`, "--max-clients", PLACES];
  await using server = await programs.startServer(clips.folder, flags);
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
  const tail = (values: readonly number[]) => ({
    p50: quantile(values, 0.5),
    p99: quantile(values, 0.99),
  });
  const perSecond = (key: "server" | "decoders" | "viewers") =>
    (after[key] - before[key]) / elapsed;
  return {
    slowest: Math.min(...rates),
    middle: quantile(rates, 0.5),
    gaps: seen.reduce((sum, { gaps }) => sum + gaps, 0),
    latency: tail(seen.flatMap(({ latencies }) => latencies)),
    age: tail(seen.flatMap(({ ages }) => ages)),
    dropped: droppedOf(seen),
    decoders: decoders.size,
    processor: {
      server: perSecond("server"),
      decoders: perSecond("decoders"),
      viewers: perSecond("viewers"),
    },
    memory: { before: before.memory, after: after.memory },
  };
}

/** Percent of what the camera's clock says was to be seen that did not come. */
function droppedOf(seen: readonly Seen[]): number {
  const given = seen.map(({ first, last }) => Math.round((last - first) * CAMERA_RATE / 1000) + 1);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return (1 - sum(seen.map(({ frames }) => frames)) / sum(given)) * 100;
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
  const soon: Goal = { of: "ours", relation: "below", value: SOON };
  return [
    row("the slowest that reads", "frames/s", ({ slowest }) => slowest, fast),
    row("the median", "frames/s", ({ middle }) => middle),
    row("gaps, of all that read", "count", ({ gaps }) => gaps),
    row(DROPPED, "%", ({ dropped }) => dropped),
    row("server to viewer, p50", "ms", ({ latency }) => latency.p50),
    row("server to viewer, p99", "ms", ({ latency }) => latency.p99),
    row("camera to viewer, p50", "ms", ({ age }) => age.p50),
    row("camera to viewer, p99", "ms", ({ age }) => age.p99, soon),
    row("FFmpeg processes", "count", ({ decoders }) => decoders, single),
    row("processor, server", "s/s", ({ processor }) => processor.server),
    row("processor, FFmpeg", "s/s", ({ processor }) => processor.decoders),
    row("processor, viewers", "s/s", ({ processor }) => processor.viewers),
    row("server's memory, at first", "MB", ({ memory }) => memory.before / 1e6),
    row("server's memory, at the end", "MB", ({ memory }) => memory.after / 1e6),
  ];
}
