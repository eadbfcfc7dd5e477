/** Plays media: finds the file or the live source of a request, and sends the response. */
import { RequestError } from "../../base/errors.ts";
import { bitsPerPixel, rawPixelFormat } from "../../ffmpeg/pixel_formats.ts";
import { type Description, MAX_FRAME_SIZE } from "../../media/frame.ts";
import type { FrameSource } from "../../media/source.ts";
import type { EndReport } from "../../protocol/native/response.ts";
import { openDecoder } from "../../sources/file/decoder.ts";
import { changeOf, mediaEtag } from "../../sources/file/file_state.ts";
import type { MediaFile } from "../../sources/file/library.ts";
import type { MediaOptions } from "../../sources/file/plan.ts";
import type { TrackLimits } from "../../sources/file/track.ts";
import type { MemoryBudget } from "../../sources/limits.ts";
import type { LiveSource } from "../../sources/live/source_spec.ts";
import type { PlayContext, PlayRequest } from "../session/context.ts";
import { waitForDecoder } from "./decoder_queue.ts";
import { playLive } from "./play_live.ts";
import { Player } from "./player.ts";
import { Resume } from "./resume.ts";
import { ResumeSearch } from "./resume_search.ts";
import { TimedSender } from "./sender.ts";

/**
 * Responds to a request for an image or a video: description, frames when they are due, end.
 *
 * @throws {RequestError} if the media cannot be sent as requested
 */
export async function playMedia(request: PlayRequest, context: PlayContext): Promise<EndReport> {
  const live = await findLive(request, context);
  if (live !== undefined) return await playLive(live, request, context);
  const kind = request.command === "get_image" ? "image" : "video";
  const { library, defaults } = context;
  const name = request.name ?? defaults[kind];
  const file = name === undefined ? await library.first(kind) : await library.find(name);
  context.record.named(file.name);
  if (request.data === "only") {
    throw new RequestError("unsupported", `Cannot send "${file.name}": it has no data`);
  }
  return await playFile(file, request, context);
}

/**
 * Finds the live source that a request is about, if it is about one. Without a name, that is the
 * default video, or the first live source if the folder has no video.
 */
async function findLive(
  { command, name }: PlayRequest,
  { live, defaults, library }: PlayContext,
): Promise<LiveSource | undefined> {
  if (live.names.length === 0) return undefined;
  const wanted = name ?? (command === "get_image" ? defaults.image : defaults.video);
  if (wanted !== undefined) return live.find(wanted);
  if (command === "get_image") return undefined;
  try {
    await library.first("video");
    return undefined;
  } catch (error) {
    if (error instanceof RequestError && error.code === "not_found") return live.find();
    throw error;
  }
}

async function playFile(
  file: MediaFile,
  request: PlayRequest,
  context: PlayContext,
): Promise<EndReport> {
  const { startCache, slots, controls, response, record, clock } = context;
  const { resume } = request;
  const still = request.command === "get_image" || file.info.kind === "image";
  const options = toOptions(request, file, { ...context, still });
  const seekable = !still && response.seek !== undefined;
  // Seeks, resumes and loops need a decoder even if the cache has the whole response.
  await using cached = seekable || resume !== undefined
    ? undefined
    : startCache.whole({ file, options });
  using _slot = options.encoding === "copy" || cached !== undefined
    ? undefined
    : await waitForDecoder(context, (queue) => slots.take(queue));
  using _memory = reserveFrames(file, options, context.budget);
  controls.attach(context.signal);
  const { pacer } = controls;
  const open = (part: MediaOptions, unwanted?: AbortSignal) =>
    startPlayback(file, part, {
      signal: unwanted ? AbortSignal.any([controls.current, unwanted]) : controls.current,
      readTimeout: context.timeouts.silence,
      threads: decodingThreads(pacer.speed, slots.taken),
    });
  const opening = { open: (unwanted?: AbortSignal) => open(options, unwanted), pacer };
  await using first = cached ??
    await (resume === undefined ? startCache.open({ file, options }, opening) : open(options));
  const { streams } = first;
  const resumed = resume && new Resume(resume, streams);
  await response.describe(await describe(file, first, { ...context, still }));
  controls.begin({ seekable });
  const loop = request.loop === true && !still;
  const search = resumed && new ResumeSearch(resumed, { file, options, loop, streams });
  const player = new Player(first, { file, options, loop, controls, open, search });
  const drop = request.late === "drop";
  const sender = new TimedSender({ response, controls, streams, drop, record, clock });
  record.follow(() => sender.report());
  await sender.takeAll(player.steps());
  const reason = controls.stopReason ?? "end";
  const change = reason === "end" ? await refuseShortened(file) : undefined;
  // Complaints of FFmpeg are for protocols that can pass them on.
  const warning = (response.notify && player.warning) ?? change;
  if (warning !== undefined) record.logger.log("warn", `"${file.name}": ${warning}`);
  return await sender.end(reason, warning);
}

function toOptions(
  request: PlayRequest,
  file: MediaFile,
  { still, adapt }: { still: boolean } & Pick<PlayContext, "adapt">,
): MediaOptions {
  const { encoding, audio, pixelFormat, width, height, fps, bitrate, quality } = request;
  const { start, duration, every } = request;
  const options = {
    ...{ encoding, audio, pixelFormat, width, height, fps, bitrate, quality },
    ...{ still, start, duration, every: still ? every : undefined },
  };
  return adapt?.(options, file) ?? options;
}

async function describe(
  { name, path, state, info }: MediaFile,
  { streams, notes }: FrameSource,
  { still, response }: { still: boolean } & Pick<PlayContext, "response">,
): Promise<Description> {
  return {
    name,
    live: false,
    duration: still ? undefined : info.duration,
    streams: [...streams],
    notes: notes.length === 0 ? undefined : [...notes],
    // Only responses with controls can be resumed.
    etag: response.seek && await mediaEtag(path, state?.identity),
  };
}

/**
 * Decoding threads per core at speed 0. More than one keeps the cores busy while frames wait to be
 * written.
 */
const THREADS_PER_CORE = 3;

/** FFmpeg warns about more threads. */
const MAX_THREADS = 16;

/** Raw frames in memory per viewer: those of the decoder and one more. */
const FRAMES_HELD = 3;

/**
 * Starts decoding for one viewer.
 *
 * @throws {RequestError} if the file cannot be sent with these options
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
  // Copied packets are not decoded here; their size is not known beforehand.
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
 * Threads to decode a viewer's video with.
 *
 * @param speed playing speed; 0 for as fast as possible
 * @param decoders that run at once, this one included
 * @returns `undefined` for FFmpeg's default
 */
export function decodingThreads(speed: number, decoders: number): number | undefined {
  if (speed > 0 || decoders > 1) return undefined;
  return Math.min(MAX_THREADS, THREADS_PER_CORE * navigator.hardwareConcurrency);
}

/**
 * Checks after the last frame whether the file has changed, since the frames may be a mixture of
 * both versions.
 *
 * @returns a warning, if it has
 * @throws {RequestError} `media_error` if the file is shorter, so that frames are missing
 */
async function refuseShortened(
  { name, path, state }: MediaFile,
): Promise<string | undefined> {
  const change = state && await changeOf(path, state);
  if (change === undefined) return undefined;
  const what = `the file ${change.what} while it was sent`;
  if (!change.isShorter) return what;
  throw new RequestError("media_error", `Cannot send all of "${name}": ${what}, ask again`);
}

/**
 * Reserves memory for a viewer's frames until disposed.
 *
 * @throws {RequestError} `busy` if there is too little left
 */
function reserveFrames(
  file: MediaFile,
  options: MediaOptions,
  budget: MemoryBudget,
): Disposable {
  const size = Math.min(frameSize(file, options), MAX_FRAME_SIZE);
  // A packet is never larger than the raw frame.
  const held = (options.encoding ?? "raw") === "raw" ? FRAMES_HELD : 1;
  return budget.take(Math.ceil(size) * held);
}

/** Bytes of a raw video frame; 0 without video. */
function frameSize({ info: { video } }: MediaFile, options: MediaOptions): number {
  if (video === undefined) return 0;
  // If only one of the two is requested, the aspect ratio is kept.
  const { width, height } = options;
  const scaledWidth = width ?? Math.round(video.width * (height ?? video.height) / video.height);
  const scaledHeight = height ?? Math.round(video.height * (width ?? video.width) / video.width);
  const bits = bitsPerPixel(options.pixelFormat ?? rawPixelFormat(video.pixelFormat)) ?? 24;
  return scaledWidth * scaledHeight * bits / 8;
}
