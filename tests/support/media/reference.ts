/** What ffmpeg itself decodes, the reference for what the server sends. */
import type { Rational } from "../../../lib/media/frame.ts";
import { run } from "./media_folder.ts";

/** A frame by its time and the checksum of its bytes. */
export interface FrameSum {
  /** Exact seconds, a fraction in lowest terms such as `1001/30000`. */
  time: string;
  /** Bytes. */
  size: number;
  md5: string;
}

/** Options of {@linkcode decodedBy}. */
export interface ReferenceOptions {
  /** A stream specifier of ffmpeg's `-map`: `V:0`, `a:0`. */
  stream: string;
  /** A stream to decode at the same time; timestamps of some formats depend on it. */
  beside?: string;
  /** Further arguments for the output. */
  output?: readonly string[];
  /** Arguments before the input. */
  input?: readonly string[];
}

/** Decodes a stream with ffmpeg to frames with the source's own timestamps (`framemd5`). */
export async function decodedBy(
  path: string,
  { stream, beside, output = [], input = [] }: ReferenceOptions,
): Promise<FrameSum[]> {
  const timing = stream.startsWith("V")
    ? ["-fps_mode", "passthrough", "-enc_time_base", (await sourceTimeBase(path)).join("/")]
    : [];
  const stdout = await run("ffmpeg", [
    ...input,
    ...["-i", `file:${path}`, "-map", `0:${stream}`],
    ...(beside === undefined ? [] : ["-map", `0:${beside}`]),
    ...timing,
    ...output,
    ...["-f", "framemd5", "pipe:1"],
  ]);
  return parseFrameMd5(new TextDecoder().decode(stdout));
}

/** All the bytes that ffmpeg decodes a stream to. */
export function decodedBytes(path: string, args: readonly string[]) {
  return run("ffmpeg", ["-i", `file:${path}`, ...args, "pipe:1"]);
}

/** The time base of a file's first video stream that is no cover art. */
async function sourceTimeBase(path: string): Promise<Rational> {
  const args = ["-select_streams", "V:0", "-show_entries", "stream=time_base", "-of", "csv=p=0"];
  const text = new TextDecoder().decode(await run("ffprobe", [...args, `file:${path}`]));
  const [numerator, denominator] = text.trim().split("/").map((part) => parseInt(part));
  return [numerator, denominator];
}

/** Exact presentation times of a stream's frames, by ffprobe. */
export async function presentedBy(path: string, stream: string): Promise<string[]> {
  const entries = "frame=best_effort_timestamp:stream=time_base,start_pts:format=start_time";
  const args = ["-select_streams", stream, "-show_entries", entries, "-of", "json"];
  const { frames, streams, format } = JSON.parse(
    new TextDecoder().decode(await run("ffprobe", [...args, `file:${path}`])),
  ) as {
    frames: { best_effort_timestamp: number }[];
    streams: { time_base: string }[];
    format: { start_time: string };
  };
  const [numerator, denominator] = streams[0].time_base.split("/").map(Number);
  // ffprobe rounds the file's start to microseconds; it is a timestamp of one of the streams.
  const start = Math.round(Number(format.start_time) * denominator / numerator);
  return frames.map((frame) =>
    exactSeconds(frame.best_effort_timestamp - start, [numerator, denominator])
  );
}

/** Number of video frames that ffmpeg decodes from a file. */
export async function countFrames(path: string): Promise<number> {
  const args = [
    "-select_streams",
    "V:0",
    "-count_frames",
    "-show_entries",
    "stream=nb_read_frames",
  ];
  const found = await run("ffprobe", [...args, "-of", "csv=p=0", `file:${path}`]);
  return parseInt(new TextDecoder().decode(found));
}

/** Seconds as a fraction in lowest terms, to compare timestamps of different time bases. */
export function exactSeconds(timestamp: number, [numerator, denominator]: Rational): string {
  const ticks = BigInt(timestamp) * BigInt(numerator);
  const divisor = greatestCommonDivisor(ticks < 0n ? -ticks : ticks, BigInt(denominator));
  return `${ticks / divisor}/${BigInt(denominator) / divisor}`;
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : greatestCommonDivisor(b, a % b);
}

/** Reads, of the first stream, lines of `stream, decoding time, presentation time, duration, size, checksum`. */
function parseFrameMd5(text: string): FrameSum[] {
  const lines = text.trim().split("\n");
  const [, numerator, denominator] = text.match(/^#tb 0: (\d+)\/(\d+)$/m)?.map(Number) ?? [];
  return lines.filter((line) => line.startsWith("0,")).map((line) => {
    const fields = line.split(",").map((field) => field.trim());
    const time = exactSeconds(Number(fields[2]), [numerator, denominator]);
    return { time, size: Number(fields[4]), md5: fields[5] };
  });
}
