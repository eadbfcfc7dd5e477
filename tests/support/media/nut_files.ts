import { FormatError } from "../../../lib/base/errors.ts";
import type { Frame, Rational } from "../../../lib/media/frame.ts";
import { NutDemuxer, type NutStream, stripSideData } from "../../../lib/nut/demuxer.ts";
import { NutMuxer, type NutMuxStream } from "../../../lib/nut/muxer.ts";
import { concat } from "./bytes.ts";

/** A frame that was read from NUT. */
export interface ReadFrame extends Frame {
  endOfRelevance: boolean;
}

/** The result of {@linkcode demuxAll}. */
export interface ReadFile {
  demuxer: NutDemuxer;
  frames: ReadFrame[];
  /** Bytes at the end that are no whole element. */
  rest: number;
  /** Largest number of bytes that the demuxer needed at once. */
  mostNeeded: number;
}

/**
 * Runs a demuxer over `bytes`, giving it `step()` further bytes each time it wants more.
 *
 * @throws {FormatError} if the demuxer does
 */
export function demuxAll(
  bytes: Uint8Array<ArrayBuffer>,
  step: () => number = () => bytes.length,
  demuxer: NutDemuxer = new NutDemuxer(),
): ReadFile {
  const file: ReadFile = { demuxer, frames: [], rest: 0, mostNeeded: 0 };
  let [at, end] = [0, 0];
  while (true) {
    const element = demuxer.parse(bytes.subarray(at, end));
    if (element.kind === "more") {
      if (element.needed <= end - at) throw new Error(`Asked for ${element.needed}, has them`);
      file.mostNeeded = Math.max(file.mostNeeded, element.needed);
      if (end === bytes.length) break;
      end = Math.min(bytes.length, end + step());
      continue;
    }
    at += element.length;
    if (element.kind === "frame") {
      const payload = bytes.subarray(at, at + element.size);
      if (payload.length < element.size) break;
      const own = element.sideData ? stripSideData(payload) : payload;
      const data = concat(element.prefix, own);
      const { streamId, timestamp, keyframe, endOfRelevance } = element;
      file.frames.push({ streamId, timestamp, keyframe, endOfRelevance, data });
      at += element.size;
    }
    end = Math.max(end, Math.min(at, bytes.length));
    if (at > bytes.length) break;
  }
  file.rest = Math.max(0, bytes.length - at);
  return file;
}

/** Runs a demuxer over any bytes; it may throw only a {@linkcode FormatError}. */
export function demuxAnything(bytes: Uint8Array<ArrayBuffer>): string {
  try {
    return `${demuxAll(bytes).frames.length} frames`;
  } catch (error) {
    if (error instanceof FormatError) return error.message;
    throw error;
  }
}

/** Describes a stream of a demuxer for a muxer. */
export function describe(stream: NutStream): NutMuxStream {
  const { id, fourcc, timeBase, extradata, sampleAspectRatio, decodeDelay } = stream;
  const base = { id, codec: "unknown", fourcc, timeBase, extradata, decodeDelay };
  if (stream.type === "audio") {
    const { sampleRate = 0, channels = 0 } = stream;
    return { ...base, type: "audio", sampleRate, channels };
  }
  const { width = 0, height = 0 } = stream;
  return { ...base, type: "video", width, height, sampleAspectRatio };
}

/** Writes what was read. The frame rate is in an info packet, which a demuxer skips. */
export function muxAll({ demuxer, frames }: ReadFile, frameRate?: Rational) {
  const streams = [...demuxer.streams.values()].sort((a, b) => a.id - b.id).map(describe);
  const muxer = new NutMuxer(
    streams.map((stream) => stream.type === "video" ? { ...stream, frameRate } : stream),
  );
  return concat(
    muxer.header(),
    ...frames.flatMap((frame) => [muxer.frameHeader(frame), frame.data]),
  );
}

/** The outputs of a program. */
export interface Ran {
  stdout: Uint8Array<ArrayBuffer>;
  /** Without the final line feed. */
  stderr: string;
}

/**
 * Runs ffmpeg or ffprobe to its end.
 *
 * @param input its standard input
 * @throws {Error} if it fails
 */
export async function run(
  program: "ffmpeg" | "ffprobe",
  args: readonly string[],
  input: Uint8Array<ArrayBuffer> = new Uint8Array(),
): Promise<Ran> {
  const child = new Deno.Command(program, {
    args: ["-hide_banner", "-v", "warning", ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  try {
    await writer.write(input);
    await writer.close();
  } catch (error) {
    // It may end before it has read everything; its status shows whether that is a failure.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
  const { code, stdout, stderr } = await output;
  const said = new TextDecoder().decode(stderr).trim();
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} failed (${code}): ${said}`);
  return { stdout, stderr: said };
}

/** Makes NUT with ffmpeg, on a pipe as the product does. */
export async function makeNut(args: readonly string[]): Promise<Uint8Array<ArrayBuffer>> {
  return (await run("ffmpeg", [...args, "-f", "nut", "pipe:1"])).stdout;
}

/** The packets that ffprobe sees: stream, timestamp, size, flags, SHA-256. */
export async function probePackets(nut: Uint8Array<ArrayBuffer>): Promise<string[]> {
  const entries = "packet=stream_index,pts,size,flags,data_hash";
  const { stdout } = await run(
    "ffprobe",
    ["-f", "nut", "-show_data_hash", "sha256", "-show_entries", entries, "-of", "json", "pipe:0"],
    nut,
  );
  const { packets } = JSON.parse(new TextDecoder().decode(stdout)) as {
    packets: {
      stream_index: number;
      pts: number;
      size: string;
      flags: string;
      data_hash: string;
    }[];
  };
  return packets.map(({ stream_index, pts, size, flags, data_hash }) =>
    `${stream_index} ${pts} ${size} ${flags.startsWith("K")} ${data_hash.replace("SHA256:", "")}`
  );
}

/** Frames that were read, described as {@linkcode probePackets} does. */
export async function describeFrames(frames: readonly ReadFrame[]): Promise<string[]> {
  return await Promise.all(frames.map(async ({ streamId, timestamp, keyframe, data }) => {
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex();
    return `${streamId} ${timestamp} ${data.length} ${keyframe} ${hash}`;
  }));
}

/** ffmpeg's own list of packets with their checksums, and its warnings. */
export async function frameMd5(
  nut: Uint8Array<ArrayBuffer>,
): Promise<{ list: string; said: string }> {
  const { stdout, stderr } = await run(
    "ffmpeg",
    ["-copyts", "-f", "nut", "-i", "pipe:0", "-map", "0", "-c", "copy", "-f", "framemd5", "-"],
    nut,
  );
  const lines = new TextDecoder().decode(stdout).split("\n");
  return { list: lines.filter((line) => !line.startsWith("#software")).join("\n"), said: stderr };
}
