import { MONOTONIC_CLOCK } from "../lib/base/clock.ts";
import type { MediaRequest } from "../lib/protocol/native/request.ts";
import { Camera, CAMERA_FRAME_SIZE, CAMERA_RATE } from "./camera.ts";
import type { ViewerResult, ViewersOptions } from "./live_viewers.ts";
import { lostOf } from "./lost.ts";
import { type Bench, type Goal, measured, type Row, takeTurns } from "./measurement.ts";
import { quantile } from "./numbers.ts";
import { findChildren, readMemory, readProcessorTime } from "./proc.ts";
import type { PeersProcess, ServerProcess } from "./programs.ts";

/** The name of the source. */
const NAME = "live";

/** Number of viewer processes if there are many viewers. */
const PROCESSES = 2;

/** Milliseconds between the joins and the measurement. */
const SETTLING = 2000;

/** Milliseconds between checks of the children. */
const CHECK_INTERVAL = 500;

/** Frames at either edge of the measurement that do not count as lost: half a second. */
const EDGE = CAMERA_RATE / 2;

/** A group of viewers. */
interface Audience {
  viewers: number;
  /** Number of them that send a request and never read. */
  stuck: number;
  late: NonNullable<MediaRequest["late"]>;
}

/** Measurement of one audience. */
interface Outcome {
  /** Frames per second of the slowest and the median viewer. */
  slowest: number;
  middle: number;
  /** Frames with the flag for dropped frames before them, over all viewers that read. */
  gaps: number;
  /** Milliseconds from the capture time to the arrival, over all frames of all viewers. */
  latency: { p50: number; p99: number };
  /** The same from the camera, including FFmpeg. */
  age: { p50: number; p99: number };
  /** Percentage of due frames that did not arrive, over all viewers. */
  lost: number;
  /** Number of different FFmpeg children of the server. */
  decoders: number;
  /** Processor time, seconds per second. */
  processor: { server: number; decoders: number; viewers: number };
  /** Resident memory of the server, bytes. */
  memory: { before: number; after: number };
}

const MANY = 200;

const ONE_NAME = "1 viewer";
const SIXTY_NAME = "60 viewers";
const STUCK_NAME = "60 viewers, 2 stuck";
const MANY_NAME = `${MANY} viewers`;

const AUDIENCES: Record<string, Audience> = {
  [ONE_NAME]: { viewers: 1, stuck: 0, late: "drop" },
  "10 viewers": { viewers: 10, stuck: 0, late: "drop" },
  [SIXTY_NAME]: { viewers: 60, stuck: 0, late: "drop" },
  [STUCK_NAME]: { viewers: 60, stuck: 2, late: "drop" },
  [`${STUCK_NAME}, wait`]: { viewers: 60, stuck: 2, late: "wait" },
  [MANY_NAME]: { viewers: MANY, stuck: 0, late: "drop" },
};

const QUICK_AUDIENCES: readonly string[] = [ONE_NAME, STUCK_NAME];

/** Connection limit of the server. */
const MAX_CLIENTS = "300";

/** Milliseconds: the duration of a frame, which FFmpeg holds until the next one arrives, plus 5. */
const MAX_LATENCY = 1000 / 30 + 5;

/** Measures one live source with many viewers of raw frames, some of which do not read. */
export async function measureLive(bench: Bench): Promise<Row[]> {
  const rounds = bench.quick ? 1 : bench.rounds;
  const watched = await takeTurns<string, Outcome>(
    { ...bench, rounds },
    Object.fromEntries(
      Object.entries(AUDIENCES)
        .filter(([name]) => !bench.quick || QUICK_AUDIENCES.includes(name))
        .map(([name, audience]) => [name, () => watchLive(audience, bench)]),
    ),
  );
  const rows = Object.entries(watched).flatMap(([name, ours]) =>
    rowsOf(name, ours, name === STUCK_NAME ? watched[SIXTY_NAME] : undefined)
  );
  if (bench.quick) return rows;
  const [one, many] = [watched[ONE_NAME], watched[MANY_NAME]];
  const further = many.map(({ memory }, round) =>
    (memory.after - one[round].memory.after) / (MANY - 1) / CAMERA_FRAME_SIZE
  );
  return [
    ...rows,
    measured({ ours: further }, {
      ...{ what: `${MANY_NAME}: memory, a further viewer`, unit: "frames" },
      goal: { of: "ours", relation: "at most", value: 3 },
    }),
  ];
}

async function watchLive(audience: Audience, bench: Bench): Promise<Outcome> {
  const { programs, clips, signal, liveSeconds: seconds } = bench;
  await using camera = new Camera();
  const flags = ["--live", `${NAME}=${camera.input}`, "--max-clients", MAX_CLIENTS];
  await using server = await programs.startServer(clips.folder, { flags, signal });
  await using stack = new AsyncDisposableStack();
  const processes = toOptions(audience, { port: server.port, seconds }).map((options) =>
    stack.use(programs.startViewers(JSON.stringify(options), signal))
  );
  for (const viewers of processes) await viewers.expect("joined");
  await MONOTONIC_CLOCK.sleep(SETTLING, signal);
  const before = await readUsage(server, processes);
  const decoders = new Set(await findChildren(server.pid, "ffmpeg"));
  const began = performance.now();
  for (const viewers of processes) await viewers.writeLine("go");
  const from = camera.next + EDGE;
  const to = from + Math.max(1, Math.floor(seconds * CAMERA_RATE) - 2 * EDGE);
  const results = Promise.all(processes.map((viewers) => viewers.nextLine()));
  // Awaited below, where errors are handled.
  results.catch(() => {});
  while ((performance.now() - began) / 1000 < seconds) {
    await MONOTONIC_CLOCK.sleep(CHECK_INTERVAL, signal);
    for (const pid of await findChildren(server.pid, "ffmpeg")) decoders.add(pid);
  }
  const after = await readUsage(server, processes);
  const elapsed = (performance.now() - began) / 1000;
  const viewed = (await results).flatMap((line): ViewerResult[] => JSON.parse(line));
  const rates = viewed.map(({ frames }) => frames / seconds);
  const tail = (values: readonly number[]) => ({
    p50: quantile(values, 0.5),
    p99: quantile(values, 0.99),
  });
  const perSecond = (key: "server" | "decoders" | "viewers") =>
    (after[key] - before[key]) / elapsed;
  return {
    slowest: Math.min(...rates),
    middle: quantile(rates, 0.5),
    gaps: viewed.reduce((sum, { gaps }) => sum + gaps, 0),
    latency: tail(viewed.flatMap(({ latencies }) => latencies)),
    age: tail(viewed.flatMap(({ ages }) => ages)),
    lost: lostOf(viewed.map(({ numbers }) => numbers), { from, to }),
    decoders: decoders.size,
    processor: {
      server: perSecond("server"),
      decoders: perSecond("decoders"),
      viewers: perSecond("viewers"),
    },
    memory: { before: before.memory, after: after.memory },
  };
}

/** Distributes the viewers to processes, so that reading is not the bottleneck. */
function toOptions(
  { viewers, stuck, late }: Audience,
  { port, seconds }: Pick<ViewersOptions, "port" | "seconds">,
): ViewersOptions[] {
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
async function readUsage(server: ServerProcess, processes: readonly PeersProcess[]) {
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

function rowsOf(name: string, ours: readonly Outcome[], other?: readonly Outcome[]): Row[] {
  const row = (what: string, unit: string, pick: (outcome: Outcome) => number, goal?: Goal): Row =>
    measured({ ours: ours.map(pick), other: other?.map(pick) }, {
      ...{ what: `${name}: ${what}`, unit, goal },
      ...(other && { against: "the same, none stuck" }),
    });
  const fast: Goal = { of: "ours", relation: "above", value: 29 };
  const single: Goal = { of: "ours", relation: "at most", value: 1 };
  const soon: Goal = { of: "ours", relation: "below", value: MAX_LATENCY };
  const few: Goal | undefined = name === MANY_NAME
    ? { of: "ours", relation: "below", value: 1 }
    : undefined;
  return [
    row("slowest reader", "fps", ({ slowest }) => slowest, fast),
    row("median reader", "fps", ({ middle }) => middle),
    row("gaps of all", "count", ({ gaps }) => gaps),
    row("frames lost", "%", ({ lost }) => lost, few),
    row("from server, p50", "ms", ({ latency }) => latency.p50),
    row("from server, p99", "ms", ({ latency }) => latency.p99),
    row("from camera, p50", "ms", ({ age }) => age.p50),
    row("from camera, p99", "ms", ({ age }) => age.p99, soon),
    row("FFmpegs", "count", ({ decoders }) => decoders, single),
    row("CPU, server", "s/s", ({ processor }) => processor.server),
    row("CPU, FFmpeg", "s/s", ({ processor }) => processor.decoders),
    row("CPU, viewers", "s/s", ({ processor }) => processor.viewers),
    row("memory at first", "MB", ({ memory }) => memory.before / 1e6),
    row("memory at the end", "MB", ({ memory }) => memory.after / 1e6),
  ];
}
