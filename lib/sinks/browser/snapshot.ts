/** Single images for the browser. */
import { ProcessError } from "../../base/errors.ts";
import type { Frame, StreamDescription } from "../../media/frame.ts";
import { FfmpegProcess, reasonOf } from "../ffmpeg_process.ts";
import { snapshotArguments } from "./fragment_args.ts";

/** Options of {@linkcode toBrowserPicture}. */
export interface BrowserPictureOptions {
  /** `png` is lossless, `jpeg` small. */
  format: "png" | "jpeg";
  signal: AbortSignal;
}

/** An image file. */
export interface PictureFile {
  type: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** Codecs whose packets are such files, by FFmpeg's names. */
const FILES = { png: "png", jpeg: "mjpeg" } as const;

/**
 * Converts a frame to an image for browsers, upright and with square pixels.
 *
 * @throws {Error} if FFmpeg fails
 */
export async function toBrowserPicture(
  frame: Frame,
  streams: readonly StreamDescription[],
  { format, signal }: BrowserPictureOptions,
): Promise<PictureFile> {
  const type = `image/${format}`;
  const stream = streams.find(({ id }) => id === frame.streamId);
  if (stream !== undefined && isFile(stream, format)) return { type, bytes: frame.data.slice() };
  const args = snapshotArguments(streams, format);
  await using process = new FfmpegProcess("ffmpeg", args, { streams, stdout: "piped", signal });
  const written = new Response(process.stdout).bytes();
  try {
    await process.write(frame);
    await process.finish();
  } catch (error) {
    await written;
    signal.throwIfAborted();
    if (!(error instanceof ProcessError)) throw error;
    throw new Error(`Cannot make a picture for the browser: ${reasonOf(error)}`, { cause: error });
  }
  return { type, bytes: await written };
}

/** Whether a stream's packets are such files, upright and with square pixels. */
function isFile(stream: StreamDescription, format: "png" | "jpeg"): boolean {
  if (stream.type !== "video" || stream.codec !== FILES[format]) return false;
  const { rotation, sampleAspectRatio: ratio } = stream;
  return rotation === undefined && (ratio === undefined || ratio[0] === ratio[1]);
}
