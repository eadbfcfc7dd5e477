import { startProcess } from "../lib/media/process.ts";
import { type Bench, compared, type Goal, type Row, takeTurns } from "./measurement.ts";
import { linesOf, type ServerProcess } from "./programs.ts";

/** What FFmpeg says, on the level `verbose`, at the moment when it begins to connect. */
const CONNECTING = "Starting connection attempt";

/** What it says when nobody listens yet. */
const REFUSED = "Connection refused";

/** Takes every packet as it is. */
const NOWHERE = ["-c", "copy", "-f", "null", "-"];

/** Attempts to connect to a sender that is still opening its input. */
const MAX_ATTEMPTS = 100;

/** Seconds between FFmpeg's reports: the first one comes with the first frame. */
const REPORT_PERIOD = 0.02;

/** Frames a second of one receiver. */
interface Rates {
  /** From the beginning of its connection to its end. */
  connected: number;
  /** From its first frame to its end. */
  flowing: number;
  /** From its start as a process to its end as one. */
  process: number;
}

/**
 * Frames a second of raw 1080p from a file at one process to another over loopback, unpaced.
 * Both receivers take every frame and throw it away.
 */
export async function measureThroughput(bench: Bench): Promise<Row[]> {
  await using server = await bench.programs.startServer(bench.clips.folder);
  await receive(bench, server);
  const runs = await takeTurns(bench, {
    ffmpeg: () => receiveByFfmpeg(bench),
    ours: () => receive(bench, server),
  });
  const row = (what: string, key: keyof Rates) =>
    compared(
      { ours: runs.ours.map((run) => run[key]), other: runs.ffmpeg.map((run) => run[key]) },
      {
        what: `1080p raw, ${what}`,
        unit: "frames/s",
        against: "ffmpeg to ffmpeg",
      },
    );
  const goal: Goal = { of: "ratio", relation: "at least", value: 0.85 };
  return [
    { ...row("from connecting on", "connected"), goal },
    row("from the first frame on", "flowing"),
    row("from process start on", "process"),
  ];
}

async function receive({ clips, programs, signal }: Bench, server: ServerProcess): Promise<Rates> {
  const { name, frames } = clips.thirty;
  const began = performance.now();
  const where = ["--port", String(server.port), "--view", "none", "--speed", "max"];
  const report = await programs.runClient(["--video", name, ...where], signal);
  expectFrames("stream-client", report.frames, frames);
  return {
    connected: frames / report.seconds,
    flowing: (frames - 1) / (report.seconds - report.firstFrameMs / 1000),
    process: frames / secondsSince(began),
  };
}

async function receiveByFfmpeg({ clips, signal }: Bench): Promise<Rates> {
  const { path, frames } = clips.thirty;
  const address = `tcp://127.0.0.1:${freePort()}`;
  const input = ["-nostdin", "-v", "error", "-i", path, "-map", "0:v:0"];
  const output = ["-c:v", "rawvideo", "-f", "nut", `${address}?listen`];
  await using sender = startProcess("ffmpeg", [...input, ...output], { stdout: "null", signal });
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const run = await tryReceive(address, frames, signal);
    if (run === undefined) continue;
    await sender.finished();
    return run;
  }
  throw new Error("Cannot measure FFmpeg: its sender does not listen");
}

/** @returns `undefined` where nobody listens yet */
async function tryReceive(
  address: string,
  frames: number,
  signal: AbortSignal,
): Promise<Rates | undefined> {
  const began = performance.now();
  const reports = ["-nostats", "-progress", "pipe:1", "-stats_period", String(REPORT_PERIOD)];
  const child = new Deno.Command("ffmpeg", {
    args: [...["-nostdin", "-v", "verbose"], ...reports, "-i", address, ...NOWHERE],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal,
  }).spawn();
  const [progress, log] = await Promise.all([readProgress(child), readLog(child)]);
  const { success } = await child.status;
  const ended = performance.now();
  if (log.refused) return undefined;
  const { first } = progress;
  if (!success || log.connecting === undefined || first === undefined) {
    throw new Error("Cannot measure FFmpeg: its receiver failed");
  }
  expectFrames("ffmpeg", progress.frames, frames);
  return {
    connected: frames * 1000 / (ended - log.connecting),
    flowing: (frames - first.frames) * 1000 / (ended - first.at),
    process: frames * 1000 / (ended - began),
  };
}

/** What FFmpeg reports of its frames: how many there were, and when it had the first. */
interface Progress {
  frames: number;
  first?: { at: number; frames: number };
}

/** Reads `key=value` lines; each `frame` counts the frames so far. */
async function readProgress(child: Deno.ChildProcess): Promise<Progress> {
  const progress: Progress = { frames: 0 };
  for await (const line of linesOf(child.stdout)) {
    const [key, value] = line.split("=");
    if (key !== "frame") continue;
    progress.frames = Number(value);
    if (progress.frames === 0) continue;
    progress.first ??= { at: performance.now(), frames: progress.frames };
  }
  return progress;
}

async function readLog(
  child: Deno.ChildProcess,
): Promise<{ connecting: number | undefined; refused: boolean }> {
  let connecting: number | undefined;
  let refused = false;
  for await (const line of linesOf(child.stderr)) {
    if (line.includes(CONNECTING)) connecting ??= performance.now();
    refused ||= line.includes(REFUSED);
  }
  return { connecting, refused };
}

/** A port that was free a moment ago. FFmpeg cannot choose one itself. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

function expectFrames(program: string, frames: number, expected: number): void {
  if (frames === expected) return;
  throw new Error(`Cannot measure ${program}: it took ${frames} frames, expected ${expected}`);
}

function secondsSince(began: number): number {
  return (performance.now() - began) / 1000;
}
