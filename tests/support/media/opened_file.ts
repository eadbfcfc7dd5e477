/** Opens library files as the server does. */
import { createHash } from "node:crypto";
import { type Frame, type StreamDescription, toSeconds } from "../../../lib/media/frame.ts";
import type { FrameSource, TimedFrame } from "../../../lib/media/source.ts";
import { NutWriter } from "../../../lib/nut/writer.ts";
import { openDecoder } from "../../../lib/sources/file/decoder.ts";
import { Library } from "../../../lib/sources/file/library.ts";
import type { MediaOptions } from "../../../lib/sources/file/plan.ts";
import type { MediaFolder } from "./media_folder.ts";

/** Bytes of the largest frame. */
const MAX_FRAME_SIZE = 1 << 26;

/** Seconds that are added to all timestamps of the NUT that is decoded again. */
export const LEAD = 20;

/** The content of a file. */
export interface Opened {
  streams: readonly StreamDescription[];
  notes: readonly string[];
  frames: TimedFrame[];
}

/** Opens a file of a folder. */
export async function open(
  media: MediaFolder,
  name: string,
  options: MediaOptions = {},
): Promise<FrameSource> {
  const file = await new Library(media.path).find(name);
  const { signal } = new AbortController();
  return await openDecoder(file, { ...options, maxFrameSize: MAX_FRAME_SIZE, signal });
}

/** Opens a file and reads all of its frames. */
export async function readAll(
  media: MediaFolder,
  name: string,
  options: MediaOptions = {},
): Promise<Opened> {
  await using decoder = await open(media, name, options);
  const frames: TimedFrame[] = [];
  for await (const frame of decoder.frames()) frames.push({ ...frame, data: frame.data.slice() });
  return { streams: decoder.streams, notes: decoder.notes, frames };
}

/** Times in seconds and checksums of the frames of a type. */
export function sumsOf(
  { streams, frames }: Opened,
  type: "video" | "audio",
): { seconds: number; md5: string }[] {
  const stream = streams.find((stream) => stream.type === type);
  if (stream === undefined) return [];
  return frames.filter(({ streamId }) => streamId === stream.id).map(({ timestamp, data }) => ({
    seconds: toSeconds(timestamp, stream.timeBase),
    md5: md5Of(data),
  }));
}

function md5Of(data: Frame["data"]): string {
  return createHash("md5").update(data).digest("hex");
}

/** The streams as NUT, moved by {@linkcode LEAD}, as a sink writes them. */
export async function toNut({ streams, frames }: Opened): Promise<Uint8Array<ArrayBuffer>> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array<ArrayBuffer>>();
  const bytes = new Response(readable).bytes();
  const writer = new NutWriter(writable, streams, { lead: LEAD });
  for (const frame of frames) await writer.write(frame);
  await writer.close();
  return await bytes;
}

/** Converts NUT with ffmpeg. */
export async function convertNut(
  nut: Uint8Array<ArrayBuffer>,
  args: readonly string[],
): Promise<Uint8Array<ArrayBuffer>> {
  const command = new Deno.Command("ffmpeg", {
    args: ["-v", "error", "-copyts", "-f", "nut", "-i", "pipe:0", ...args, "pipe:1"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
  await using child = command.spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  await writer.write(nut);
  await writer.close();
  const { code, stdout, stderr } = await output;
  if (code === 0) return stdout;
  throw new Error(`ffmpeg ${args.join(" ")} failed: ${new TextDecoder().decode(stderr)}`);
}
