import { RequestError } from "../../base/errors.ts";
import { bitsPerPixel, rawPixelFormat } from "../../ffmpeg/pixel_formats.ts";
import { MAX_FRAME_SIZE } from "../../media/frame.ts";
import type { Pacer } from "../../media/pacer.ts";
import type { FrameSource, TimedFrame } from "../../media/source.ts";
import type { Connection } from "../../protocol/native/connection.ts";
import type { MediaRequest } from "../../protocol/native/request.ts";
import { encodeDescription, encodeEnd, type EndReport } from "../../protocol/native/response.ts";
import { openDecoder } from "../../sources/file/decoder.ts";
import { changeOf, mediaEtag } from "../../sources/file/file_state.ts";
import type { Library, MediaFile } from "../../sources/file/library.ts";
import type { MediaOptions } from "../../sources/file/plan.ts";
import type { TrackLimits } from "../../sources/file/track.ts";
import type { MemoryBudget } from "../../sources/limits.ts";
import type { RequestRecord } from "../metrics/request_log.ts";
import type { SessionContext } from "../session/context.ts";
import type { Controls } from "./controls.ts";
import { inLine } from "./decoder_queue.ts";
import { findLive, playLive } from "./play_live.ts";
import { Player } from "./player.ts";
import { Resume } from "./resume.ts";
import { ResumeSearch } from "./resume_search.ts";
import { Delivery } from "./sender.ts";

/** A session's context, and the peer's side of the request. */
export interface PlayContext extends SessionContext {
  connection: Connection;
  controls: Controls;
  record: RequestRecord;
}

/**
 * Answers a request for an image or a video: description, frames when they are due, end.
 *
 * @returns what was sent
 * @throws {RequestError} for what cannot be sent
 */
export async function playMedia(request: MediaRequest, context: PlayContext): Promise<EndReport> {
  const live = await findLive(request, context);
  if (live !== undefined) return await playLive(live, request, context);
  const { library, startCache, defaults, logger, connection, controls, clock, record } = context;
  const kind = request.command === "get_image" ? "image" : "video";
  const file = await findMedia(library, kind, { name: request.name, defaults });
  record.named(file.name);
  const still = kind === "image" || file.info.kind === "image";
  const options = toOptions(request, still);
  const { resume } = request;
  // Where somebody may seek, or all begins again, a decoder is needed all the same.
  await using known = still && resume === undefined
    ? startCache.whole({ file, options })
    : undefined;
  // Untouched packets need none.
  using _slot = options.encoding === "copy" || known !== undefined
    ? undefined
    : await inLine(context, (line) => context.slots.take(line));
  using _memory = reserveFrames(file, options, context.budget);
  controls.attach(context.signal);
  const open = (part: MediaOptions, unwanted?: AbortSignal) =>
    startPlayback(file, part, {
      signal: unwanted ? AbortSignal.any([controls.current, unwanted]) : controls.current,
      readTimeout: context.timeouts.silence,
      threads: decodingThreads(controls.pacer.speed, context.slots.taken),
    });
  const opening = {
    open: (unwanted?: AbortSignal) => open(options, unwanted),
    pacer: controls.pacer,
  };
  await using first = known ??
    await (resume === undefined ? startCache.open({ file, options }, opening) : open(options));
  const resumption = resume && new Resume(resume, first.streams);
  const etag = await mediaEtag(file.path, file.state?.identity);
  const description = { ...describe(file, first, still), etag };
  await connection.send("describe", encodeDescription(description));
  controls.begin({ seekable: !still });
  const loop = request.loop === true && !still;
  const search = resumption &&
    new ResumeSearch(resumption, { file, options, loop, streams: first.streams });
  const player = new Player(first, { file, options, loop, controls, open, search });
  const delivery = new Delivery({
    connection,
    controls,
    streams: first.streams,
    drop: request.late === "drop",
    speed: controls.pacer.speed,
    record,
    clock,
  });
  record.follow(() => delivery.report);
  for await (const step of player.steps()) await delivery.take(step);
  const { report } = delivery;
  report.reason = controls.stopReason ?? "end";
  const change = report.reason === "end" ? await refuseShortened(file) : undefined;
  report.warning = player.warning ?? change;
  if (report.warning !== undefined) logger.log("warn", `"${file.name}": ${report.warning}`);
  await connection.send("end", encodeEnd(report));
  return report;
}

/** What is wanted of the file; how it is played is another matter. */
function toOptions(request: MediaRequest, still: boolean): MediaOptions {
  const { encoding, audio, pixelFormat, width, height, fps, bitrate, quality } = request;
  const { start, duration, every } = request;
  return {
    ...{ encoding, audio, pixelFormat, width, height, fps, bitrate, quality },
    ...{ still, start, duration, every: still ? every : undefined },
  };
}

function describe(file: MediaFile, source: FrameSource, still: boolean) {
  return {
    name: file.name,
    live: false,
    duration: still ? undefined : file.info.duration,
    streams: [...source.streams],
    notes: source.notes.length === 0 ? undefined : [...source.notes],
  };
}

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
  limits: Pick<TrackLimits, "signal" | "readTimeout" | "threads">,
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
