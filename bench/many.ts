import type { MediaRequest } from "../lib/protocol/native/request.ts";
import { type Clip, type ClipName, Clips } from "./clips.ts";
import { type ManyOptions, placeOf, type PlayedResult } from "./many_viewers.ts";
import { type Bench, type Goal, measured, type Row, takeTurns } from "./measurement.ts";
import { quantile } from "./numbers.ts";
import { findChildren, readMemory, readProcessorTime } from "./proc.ts";
import type { ServerProcess } from "./programs.ts";
import { watch } from "./viewer.ts";

/** Rounds of the other benchmarks for one of these, in each of which many viewers are measured. */
const ROUNDS_DIVISOR = 5;

/** Connection limit of the server. */
const MAX_CLIENTS = "600";

/** Milliseconds between counts of the FFmpeg processes. */
const CHECK_INTERVAL = 250;

/** Speed from which on a viewer plays in real time, and does not fall behind. */
const REAL_TIME = 0.95;

/** Frames per second of all videos. */
const RATE = 30;

/** Many viewers of files, and what is expected of the server. */
interface Audience {
  what: string;
  clip: ClipName;
  /** Copies of the file that the viewers are spread over. @default 1 */
  files?: number;
  viewers: number;
  /** Absent for scripts on the classic wire. */
  request?: Partial<MediaRequest>;
  /** Each begins at another place of the file. */
  scattered?: boolean;
  /** Seconds from the first viewer to the last, usually and with `--quick`. */
  within: readonly [usual: number, quick: number];
  /** Seconds that the last viewer plays. */
  seconds: number;
  /** Seconds from one seek of a viewer to the next. */
  seekEvery?: number;
  goals?: Goals;
}

/** Limits of figures, in the units of the rows. */
interface Goals {
  first?: number;
  late?: number;
  memory?: number;
  processes?: number;
  encoders?: number;
  seek?: number;
  /** All play in real time. */
  all?: boolean;
}

const COPY: Goals = { first: 1000, late: 50, memory: 0.5, processes: 1, all: true };

const AUDIENCES: readonly Audience[] = [
  {
    what: "500 viewers, copy",
    ...{ clip: "lesson", viewers: 500, scattered: true, within: [10, 5], seconds: 10 },
    ...{ request: { encoding: "copy" }, goals: COPY },
  },
  {
    what: "500 viewers, copy, within 1 s",
    ...{ clip: "lesson", viewers: 500, scattered: true, within: [1, 1], seconds: 10 },
    request: { encoding: "copy" },
  },
  {
    what: "500 viewers, copy, 50 files",
    ...{ clip: "lesson", files: 50, viewers: 500, scattered: true, within: [10, 5], seconds: 10 },
    ...{ request: { encoding: "copy" }, goals: COPY },
  },
  {
    what: "100 viewers, h264, seeking",
    ...{ clip: "lesson", viewers: 100, within: [60, 10], seconds: 10, seekEvery: 15 },
    ...{ request: { encoding: "h264" }, goals: { first: 1500, encoders: 4, all: true } },
  },
  {
    what: "30 viewers, raw 360p",
    ...{ clip: "small", viewers: 30, within: [10, 5], seconds: 6 },
    ...{ request: { encoding: "raw" }, goals: { processes: 2, all: true } },
  },
  {
    what: "30 viewers, raw 720p",
    ...{ clip: "lesson", viewers: 30, within: [10, 5], seconds: 6 },
    ...{ request: { encoding: "raw" }, goals: { processes: 2 } },
  },
  {
    what: "30 scripts, classic 360p",
    ...{ clip: "small", viewers: 30, within: [10, 5], seconds: 6 },
    goals: { processes: 1, all: true },
  },
  {
    what: "1 viewer, copy, seeking",
    ...{ clip: "lesson", viewers: 1, within: [0, 0], seconds: 5, seekEvery: 0.05 },
    ...{ request: { encoding: "copy" }, goals: { seek: 15 } },
  },
];

/** Measurement of one audience. */
interface Outcome {
  results: readonly PlayedResult[];
  /** FFmpeg processes of the server at the same time, at most. */
  processes: number;
  /** Those that encode video; sound comes from another one for each. */
  encoders: number;
  /** Processor time once all have begun, seconds per second. */
  processor: { server: number; ffmpeg: number; viewers: number };
  /** Growth of the server's memory for each viewer, MB. */
  memory: number;
}

/** Measures hundreds of viewers of files, who play in real time. */
export async function measureMany(bench: Bench): Promise<Row[]> {
  const { signal, seconds, log } = bench;
  // Apart from those of other benchmarks, whose servers look into all files of their folder.
  const folder = await Deno.makeTempDir({ prefix: "stream_bench_many_" });
  try {
    const clips = new Clips(folder, { seconds, log });
    const rounds = Math.ceil(bench.rounds / ROUNDS_DIVISOR);
    for (const { clip } of AUDIENCES) await clips.get(clip, signal);
    const sides = AUDIENCES.map((audience) => [audience.what, () => play(audience, clips, bench)]);
    const outcomes = await takeTurns<string, Outcome>(
      { ...bench, rounds },
      Object.fromEntries(sides),
    );
    return AUDIENCES.flatMap((audience) => rowsOf(audience, outcomes[audience.what]));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function play(
  audience: Audience,
  clips: Clips,
  { programs, quick, signal }: Bench,
): Promise<Outcome> {
  const clip = await clips.get(audience.clip, signal);
  const names = await copiesOf(clip, audience.files ?? 1, clips);
  const flags = ["--video", clip.name, "--max-clients", MAX_CLIENTS];
  await using server = await programs.startServer(clips.folder, { flags, signal });
  // The response to its list comes when all files are known.
  await watch({
    port: server.port,
    request: { name: clip.name, encoding: "copy" },
    onFrame: ({ stop }) => stop(),
  }, signal);
  const before = await readMemory(server.pid);
  const options: ManyOptions = {
    ...{ port: server.port, rate: RATE, within: audience.within[quick ? 1 : 0] },
    ...{ seconds: audience.seconds, seekEvery: audience.seekEvery },
    length: lastPlace(clip.seconds, { ...audience, within: audience.within[quick ? 1 : 0] }),
    requests: Array.from({ length: audience.viewers }, (_, at) => requestOf(audience, at, names)),
  };
  if (audience.scattered) {
    for (const [at, request] of options.requests.entries()) {
      if (request !== null) request.start = placeOf(at) * options.length;
    }
  }
  await using viewers = programs.startMany(JSON.stringify(options), signal);
  using processes = new ProcessCount(server);
  await viewers.expect("began");
  const began = await readUsage(server, viewers.pid);
  const line = await viewers.nextLine();
  const ended = await readUsage(server, viewers.pid);
  const elapsed = (ended.at - began.at) / 1000;
  const perSecond = (key: "server" | "ffmpeg" | "viewers") => (ended[key] - began[key]) / elapsed;
  const growth = (await readMemory(server.pid)).now - before.now;
  return {
    results: JSON.parse(line),
    ...await processes.most(),
    processor: {
      server: perSecond("server"),
      ffmpeg: perSecond("ffmpeg"),
      viewers: perSecond("viewers"),
    },
    memory: growth / 1e6 / audience.viewers,
  };
}

/**
 * The last place, in seconds, from which even the first viewer plays on until it seeks again, or all
 * have played: a response that ends before would count as cut.
 *
 * @param length seconds of the media
 */
export function lastPlace(
  length: number,
  { within, seconds, seekEvery = Infinity }: {
    within: number;
    seconds: number;
    seekEvery?: number;
  },
): number {
  return length - Math.max(seconds, Math.min(within + seconds, seekEvery)) - 1;
}

/** Names of so many copies of a file, the file among them. */
async function copiesOf(clip: Clip, count: number, { folder }: Clips): Promise<string[]> {
  const names = Array.from({ length: count }, (_, at) => at === 0 ? clip.name : `copy ${at}.mp4`);
  for (const name of names.slice(1)) await Deno.copyFile(clip.path, `${folder}/${name}`);
  return names;
}

function requestOf(
  { request }: Audience,
  at: number,
  names: readonly string[],
): MediaRequest | null {
  if (request === undefined) return null;
  return { command: "get_video", name: names[at % names.length], ...request };
}

/** Argument of the FFmpegs that encode video. */
const ENCODER = "libx264";

/** Counts the FFmpeg processes of a server until disposed. */
class ProcessCount implements Disposable {
  #server: ServerProcess;
  #timer: ReturnType<typeof setInterval>;
  #most = { processes: 0, encoders: 0 };
  #counting: Promise<void> = Promise.resolve();

  constructor(server: ServerProcess) {
    this.#server = server;
    this.#timer = setInterval(() => this.#counting = this.#count(), CHECK_INTERVAL);
  }

  /** Gives their number at the same time, at most. */
  async most(): Promise<{ processes: number; encoders: number }> {
    await this.#counting;
    return this.#most;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #count(): Promise<void> {
    const { pid } = this.#server;
    const all = await findChildren(pid, "ffmpeg");
    const encoders = await findChildren(pid, "ffmpeg", { argument: ENCODER });
    this.#most = {
      processes: Math.max(this.#most.processes, all.length),
      encoders: Math.max(this.#most.encoders, encoders.length),
    };
  }
}

/** Processor time so far, seconds, and when that was, milliseconds. */
async function readUsage({ pid }: ServerProcess, viewers: number) {
  const running = await findChildren(pid, "ffmpeg");
  const times = await Promise.all(
    running.map(async (child) => (await readProcessorTime(child)).own),
  );
  const { own, children } = await readProcessorTime(pid);
  return {
    at: performance.now(),
    server: own,
    ffmpeg: times.reduce((sum, time) => sum + time, children),
    viewers: (await readProcessorTime(viewers)).own,
  };
}

function rowsOf({ what, viewers, seconds, goals = {} }: Audience, outcomes: Outcome[]): Row[] {
  const row = (name: string, unit: string, pick: (outcome: Outcome) => number, goal?: Goal): Row =>
    measured({ ours: outcomes.map(pick) }, { what: `${what}: ${name}`, unit, goal });
  const atMost = (value: number | undefined): Goal | undefined =>
    value === undefined ? undefined : { of: "ours", relation: "at most", value };
  const over = (values: (result: PlayedResult) => number[], share: number) => (outcome: Outcome) =>
    quantile(outcome.results.flatMap(values), share);
  // One that never came counts as if it had come at the end.
  const first = ({ first = seconds * 1000 }: PlayedResult) => [first];
  const late = ({ lateness }: PlayedResult) => lateness;
  const count = (is: (result: PlayedResult) => boolean) => ({ results }: Outcome) =>
    results.filter(is).length;
  const everybody: Goal = { of: "ours", relation: "at least", value: viewers };
  const seeks = ({ seeks }: PlayedResult) => seeks;
  const seekRows = [
    row("a seek, p50", "ms", over(seeks, 0.5)),
    row("a seek, p99", "ms", over(seeks, 0.99), atMost(goals.seek)),
  ];
  if (viewers === 1) return seekRows;
  return [
    row("first frame, p50", "ms", over(first, 0.5)),
    row("first frame, p99", "ms", over(first, 0.99), atMost(goals.first)),
    row("lateness, p50", "ms", over(late, 0.5)),
    row("lateness, p99", "ms", over(late, 0.99), atMost(goals.late)),
    row("cut", "count", count(({ cut }) => cut !== undefined), goals.all ? atMost(0) : undefined),
    row(
      "in real time",
      "count",
      count(({ speed }) => speed >= REAL_TIME),
      goals.all ? everybody : undefined,
    ),
    row("frames of all", "fps", ({ results }) => results.reduce((sum, { rate }) => sum + rate, 0)),
    ...(outcomes[0].results.some((result) => result.seeks.length > 0) ? seekRows : []),
    row("FFmpegs", "count", ({ processes }) => processes, atMost(goals.processes)),
    ...(goals.encoders === undefined ? [] : [
      row("encoders", "count", ({ encoders }) => encoders, atMost(goals.encoders)),
    ]),
    row("memory for each", "MB", ({ memory }) => memory, atMost(goals.memory)),
    row("CPU, server", "s/s", ({ processor }) => processor.server),
    row("CPU, FFmpeg", "s/s", ({ processor }) => processor.ffmpeg),
    row("CPU, viewers", "s/s", ({ processor }) => processor.viewers),
  ];
}
