import { type Encoding, ENCODINGS } from "../lib/media/frame.ts";
import type { Clip } from "./clips.ts";
import { type Bench, compared, measured, type Row, takeTurns } from "./measurement.ts";
import { MessageScanner } from "./message_scanner.ts";
import { readProcessorTime } from "./proc.ts";
import type { ServerProcess } from "./programs.ts";

/** Cost of one encoding. */
interface Run {
  /** Frames per second, from request to end. */
  rate: number;
  /** Bytes from the server per second of video. */
  bytes: number;
  /** Processor time of the server's process and its FFmpegs, seconds per second of video. */
  server: number;
  ffmpeg: number;
}

/** Measures the cost of each encoding of a 1080p file, sent as fast as possible. */
export async function measureEncodings(bench: Bench): Promise<Row[]> {
  await using server = await bench.programs.startServer(bench.clips.folder, bench);
  const clip = await bench.clips.get("thirty", bench.signal);
  await receive("copy", server, clip);
  const sides = ENCODINGS.map((name) => [name, () => receive(name, server, clip)] as const);
  const runs = await takeTurns<Encoding, Run>(
    bench,
    Object.fromEntries(sides) as Record<Encoding, () => Promise<Run>>,
  );
  const row = (name: Encoding, what: string, unit: string, pick: (run: Run) => number): Row => {
    const [ours, other] = [runs[name].map(pick), runs.raw.map(pick)];
    const titled = { what: `1080p ${name}, ${what}`, unit };
    if (name === "raw") return measured({ ours }, titled);
    return compared({ ours, other }, { ...titled, against: "raw" });
  };
  return ENCODINGS.flatMap((name) => [
    row(name, "sent", "fps", ({ rate }) => rate),
    row(name, "a second of video", "MB", ({ bytes }) => bytes / 1e6),
    row(name, "CPU for it, server", "s", (run) => run.server),
    row(name, "CPU for it, FFmpeg", "s", (run) => run.ffmpeg),
  ]);
}

async function receive(
  encoding: Encoding,
  server: ServerProcess,
  clip: Clip,
): Promise<Run> {
  const before = await readProcessorTime(server.pid);
  const began = performance.now();
  using scanner = await MessageScanner.connect(server.port);
  await scanner.request({ command: "get_video", name: clip.name, encoding, speed: 0 });
  const frames = await countFrames(scanner);
  const seconds = (performance.now() - began) / 1000;
  if (frames !== clip.frames) {
    throw new Error(
      `Cannot measure ${encoding}: received ${frames} frames, expected ${clip.frames}`,
    );
  }
  const { bytes } = scanner;
  // The response comes after the FFmpeg of the video has exited and its time has been counted.
  await scanner.request({ command: "list_media" });
  await scanner.next();
  const after = await readProcessorTime(server.pid);
  return {
    rate: frames / seconds,
    bytes: bytes / clip.seconds,
    server: (after.own - before.own) / clip.seconds,
    ffmpeg: (after.children - before.children) / clip.seconds,
  };
}

async function countFrames(scanner: MessageScanner): Promise<number> {
  let frames = 0;
  while (true) {
    const message = await scanner.next();
    if (message === undefined) throw new Error("Cannot continue: the server closed the connection");
    if (message.kind === "end") return frames;
    if (message.kind === "frame") frames++;
  }
}
