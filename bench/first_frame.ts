import { fromStream } from "../lib/base/byte_reader.ts";
import { NutReader } from "../lib/nut/reader.ts";
import { startProcess } from "../lib/ffmpeg/process.ts";
import { type Bench, compared, type Goal, type Row, takeTurns } from "./measurement.ts";
import type { MediaRequest } from "../lib/protocol/native/request.ts";
import type { ServerProcess } from "./programs.ts";
import { watch } from "./viewer.ts";

/** A round takes a second; the median of 15 differed by 7 % from run to run. */
const ROUNDS_FACTOR = 12;

/** Seconds: longer than the video. */
const LONG = 100;

/** Requested seconds of the video if a program has to exit by itself. */
const SHORT = 0.1;

/** Seconds of a video after which its start is in memory. */
const KNOWN = 0.5;

/** Milliseconds. */
interface Run {
  frame: number;
  /** Until the process exited, if there was one. */
  end?: number;
}

/** Milliseconds from the request for a video to its first complete raw frame. */
export async function measureFirstFrame(bench: Bench): Promise<Row[]> {
  const { clips, programs, signal, rounds } = bench;
  const { folder } = clips;
  const thirty = await clips.get("thirty", signal);
  await using server = await programs.startServer(folder, { signal });
  await watch({
    port: server.port,
    request: { name: thirty.name },
    onFrame: ({ seconds, stop }) => seconds < KNOWN ? undefined : stop(),
  }, signal);
  type Side = "ffmpeg" | "image" | "warm" | "client" | "known" | "cold" | "coldCopy";
  const askForNew = async (request: Partial<MediaRequest>) => {
    const path = `${folder}/${request.name}`;
    // Not a link, which would change the state of the known file.
    await Deno.copyFile(thirty.path, path);
    const run = await askHere(server, request, signal);
    await Deno.remove(path);
    return run;
  };
  const runs = await takeTurns<Side, Run>(
    { ...bench, rounds: rounds * ROUNDS_FACTOR },
    {
      ffmpeg: () => askFfmpeg(thirty.path, thirty.frameSize, signal),
      image: () => askHere(server, { name: thirty.name, command: "get_image" }, signal),
      warm: () => askHere(server, thirty, signal),
      client: async () => {
        const flags = ["--port", String(server.port), "--view", "none", "--duration", `${SHORT}`];
        const began = performance.now();
        const report = await programs.runClient(["--video", thirty.name, ...flags], signal);
        return { frame: report.firstFrameMs, end: performance.now() - began };
      },
      // Not cached: another duration is another response.
      known: (round) => askHere(server, { name: thirty.name, duration: LONG + round }, signal),
      cold: (round) => askForNew({ name: `cold ${round}.mp4` }),
      coldCopy: (round) => askForNew({ name: `cold copy ${round}.mp4`, encoding: "copy" }),
    },
  );
  const figures = (name: keyof typeof runs, key: keyof Run = "frame") =>
    runs[name].map((run) => run[key] ?? NaN);
  const row = (what: string, name: keyof typeof runs) =>
    compared({ ours: figures(name), other: figures("ffmpeg") }, {
      what,
      unit: "ms",
      against: "ffmpeg alone",
    });
  const toExit = (what: string, ours: number[]) =>
    compared({ ours, other: figures("ffmpeg", "end") }, {
      ...{ what, unit: "ms", against: "ffmpeg alone, from start to exit" },
    });
  const atMost = (value: number): Goal => ({ of: "ratio", relation: "at most", value });
  const goal = atMost(1);
  return [
    { ...row("one frame, as an image", "image"), goal },
    { ...row("first frame of the video", "warm"), goal },
    { ...row("first frame of the video at stream-client", "client"), goal },
    { ...row("first frame of what nobody asked for yet", "known"), goal },
    { ...row("first frame of a file new to the server", "cold"), goal: atMost(1.15) },
    { ...row("first frame of a file new to the server, copy", "coldCopy"), goal: atMost(0.3) },
    toExit("first frame of the video", figures("warm")),
    // The executable, which starts faster, is measured by "startup".
    toExit("stream-client from source, from start to exit", figures("client", "end")),
  ];
}

async function askHere(
  server: ServerProcess,
  { name, duration, encoding, command = "get_video" }: Partial<MediaRequest>,
  signal: AbortSignal,
): Promise<Run> {
  const began = performance.now();
  let frame: number | undefined;
  const onFrame = async ({ stop }: { stop: () => Promise<void> }) => {
    if (frame !== undefined) return;
    frame = performance.now() - began;
    await stop();
  };
  await watch(
    { port: server.port, request: { name, duration, encoding, command }, onFrame },
    signal,
  );
  return { frame: frame ?? NaN };
}

async function askFfmpeg(path: string, frameSize: number, signal: AbortSignal): Promise<Run> {
  const began = performance.now();
  const args = ["-nostdin", "-v", "error", "-i", path, "-map", "0:v:0", "-frames:v", "1"];
  await using ffmpeg = startProcess(
    "ffmpeg",
    [...args, "-c:v", "rawvideo", "-f", "nut", "pipe:1"],
    // With the same options as in the server.
    { signal, leavesGroup: true },
  );
  const reader = new NutReader(fromStream(ffmpeg.stdout), {
    pooledBuffers: 1,
    maxFrameSize: frameSize,
  });
  await reader.readStreams();
  await reader.readFrame();
  const frame = performance.now() - began;
  await reader.readFrame();
  await ffmpeg.finished();
  return { frame, end: performance.now() - began };
}
