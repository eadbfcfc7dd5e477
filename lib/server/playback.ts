import { RequestError } from "../core/errors.ts";
import { openDecoder } from "../media/decoder.ts";
import { changeOf } from "../media/file_change.ts";
import type { LaneLimits } from "../media/frame_lane.ts";
import type { Library, MediaFile } from "../media/library.ts";
import type { MediaOptions } from "../media/media_options.ts";
import { bitsPerPixel, rawPixelFormat } from "../media/pixel_format.ts";
import type { FrameSource, TimedFrame } from "../media/source.ts";
import { MAX_LENGTH } from "../wire/native.ts";
import type { MemoryBudget } from "./memory_budget.ts";
import type { Pacer } from "./pacer.ts";

/** Bytes of the largest frame that is sent, so that it fits either wire with all around it. */
export const MAX_FRAME_SIZE = MAX_LENGTH - 1024;

/**
 * Threads for each core where frames are wanted as fast as they can be had: with more of them
 * decoding, the cores have work also while frames wait to be written.
 */
const THREADS_A_CORE = 3;

/** Threads beyond which FFmpeg warns. */
const MAX_THREADS = 16;

/** Frames of its size that one viewer makes the server hold, one more than the decoder's own. */
const FRAMES_HELD = 3;

/** What this server shows to those who name nothing. */
export interface Defaults {
  /** Name of an image; absent for the first one. */
  image?: string;
  /** Name of a video; absent for the first one. */
  video?: string;
}

/**
 * Finds what a request is about.
 *
 * @throws {RequestError} `not_found` or `media_error`
 */
export async function findMedia(
  library: Library,
  kind: "image" | "video",
  { name, defaults }: { name: string | undefined; defaults: Defaults },
): Promise<MediaFile> {
  const wanted = name ?? defaults[kind];
  return wanted === undefined ? await library.first(kind) : await library.find(wanted);
}

/**
 * Starts decoding for one viewer, after checking what can be checked beforehand.
 *
 * @throws {RequestError} for what cannot be sent as wanted
 */
export function startPlayback(
  file: MediaFile,
  options: MediaOptions,
  limits: Pick<LaneLimits, "signal" | "silenceTimeout" | "threads">,
): Promise<FrameSource> {
  const { pixelFormat, start = 0 } = options;
  const { duration } = file.info;
  if (pixelFormat !== undefined && bitsPerPixel(pixelFormat) === undefined) {
    throw new RequestError(
      "bad_request",
      `Cannot send pixel format "${pixelFormat}": expected one that can be sent raw, such as bgr24`,
    );
  }
  if (duration !== undefined && start >= duration) {
    throw new RequestError(
      "bad_request",
      `Cannot start "${file.name}" at ${start} s: it lasts ${duration} s`,
    );
  }
  const size = frameSize(file, options);
  // Untouched packets are as large as they are, and were never decoded here.
  if (size > MAX_FRAME_SIZE && options.encoding !== "copy") {
    throw new RequestError(
      "unsupported",
      `Cannot send "${file.name}" as ${options.encoding ?? "raw"}: frames of ${Math.ceil(size)} ` +
        `bytes, expected at most ${MAX_FRAME_SIZE}, ask for a smaller size`,
    );
  }
  return openDecoder(file, { ...options, ...limits, maxFrameSize: MAX_FRAME_SIZE });
}

/**
 * Threads by which a viewer's pictures are decoded.
 *
 * @param speed playing speed; 0 for as fast as possible
 * @param decoders that run at once, this one among them
 * @returns `undefined` for as many as FFmpeg takes by itself
 */
export function decodingThreads(speed: number, decoders: number): number | undefined {
  if (speed > 0 || decoders > 1) return undefined;
  return Math.min(MAX_THREADS, THREADS_A_CORE * navigator.hardwareConcurrency);
}

/**
 * Looks, when all has been sent, whether the file is still what it was. One that was replaced or
 * written to may have been sent as a mixture, which nobody could tell from the frames.
 *
 * @returns what is to be told of it, if anything
 * @throws {RequestError} `media_error` where part of it went away, and cannot have been sent
 */
export async function refuseShortened(
  { name, path, state }: MediaFile,
): Promise<string | undefined> {
  const change = state && await changeOf(path, state);
  if (change === undefined) return undefined;
  const what = `the file ${change.what} while it was sent`;
  if (!change.isShorter) return what;
  throw new RequestError("media_error", `Cannot send all of "${name}": ${what}, ask again`);
}

/**
 * Sets aside the memory that a viewer's frames take, until disposed.
 *
 * @throws {RequestError} `busy` where so much is not left
 */
export function reserveFrames(
  file: MediaFile,
  options: MediaOptions,
  budget: MemoryBudget,
): Disposable {
  const size = Math.min(frameSize(file, options), MAX_FRAME_SIZE);
  // Packets are small; one of them is never larger than the frame it was made of.
  const held = (options.encoding ?? "raw") === "raw" ? FRAMES_HELD : 1;
  return budget.take(Math.ceil(size) * held);
}

/** Bytes of a raw frame; 0 for sound. */
function frameSize({ info: { video } }: MediaFile, options: MediaOptions): number {
  if (video === undefined) return 0;
  const { width, height } = scaledSize(video, options);
  const bits = bitsPerPixel(options.pixelFormat ?? rawPixelFormat(video.pixelFormat)) ?? 24;
  return width * height * bits / 8;
}

/** Pixels that a picture will have. Where one of the two is asked for, the other follows. */
function scaledSize(
  source: { width: number; height: number },
  { width, height }: MediaOptions,
): { width: number; height: number } {
  return {
    width: width ?? Math.round(source.width * (height ?? source.height) / source.height),
    height: height ?? Math.round(source.height * (width ?? source.width) / source.width),
  };
}

/** Gives a source's frames, each when it is due. A frame is good until the next is asked for. */
export async function* paced(
  source: FrameSource,
  pacer: Pacer,
  signal: AbortSignal,
): AsyncGenerator<TimedFrame> {
  for await (const frame of source.frames()) {
    await pacer.waitFor(frame.due, signal);
    yield frame;
  }
}
