/** Plays media: a file, or the live source that a request is about, and sends the response. */
import { settlesWithin } from "../../base/async.ts";
import { RequestError } from "../../base/errors.ts";
import { isRepeatable, SOFTWARE } from "../../ffmpeg/encoders.ts";
import { HardwareFallback } from "../../ffmpeg/hardware.ts";
import { bitsPerPixel } from "../../ffmpeg/pixel_formats.ts";
import { networkOf } from "../../net/address.ts";
import { type Description, MAX_FRAME_SIZE } from "../../media/frame.ts";
import type { FrameSource } from "../../media/source.ts";
import type { EndReport } from "../../protocol/native/response.ts";
import { openDecoder, openIndexed } from "../../sources/file/decoder.ts";
import { withTags } from "../../sources/file/tags/tag_reader.ts";
import { changeOf, etagAsOf, mediaEtag, stillBegins } from "../../sources/file/file_state.ts";
import type { MediaFile } from "../../sources/file/library.ts";
import {
  type MediaOptions,
  planTracks,
  rawFrameSize,
  type TrackPlan,
} from "../../sources/file/plan.ts";
import { rawFramesAhead, type TrackLimits } from "../../sources/file/track.ts";
import { withSentSubtitles } from "../../sources/file/tracks/subtitles.ts";
import { withAudioTrack } from "../../sources/file/tracks/choice.ts";
import type { Opening } from "../../sources/cache/reader.ts";
import { openUnrepeatable } from "../../sources/cache/shared_renditions.ts";
import { partFrom } from "../../sources/cache/sought.ts";
import type { MemoryBudget, Slot, SlotOptions } from "../../sources/limits.ts";
import type { LiveSource } from "../../sources/live/source_spec.ts";
import type { PlayContext, PlayRequest } from "../session/context.ts";
import { openContinuation } from "./continuation.ts";
import { CUE_STREAM, openCues, sendCues } from "./cues.ts";
import { findMedia } from "./find_media.ts";
import { SeekingSlot, waitForDecoder } from "./decoder_queue.ts";
import { playLive } from "./play_live.ts";
import { Player } from "./player.ts";
import { openResumePlan, type Part, Resume } from "./resume.ts";
import { ResumeSearch } from "./resume_search.ts";
import { TimedSender } from "./sender.ts";

/** Decoders that one viewer needs: two while the next video, or the next round of a loop, is opened. */
const VIEWER_DECODERS = 2;

/** Milliseconds that the end of a response waits for what still reads its file. */
const LAST_READ = 1000;

/**
 * Responds to a request for an image or a video: description, frames when they are due, end.
 *
 * @throws {RequestError} if the media cannot be sent as requested
 */
export async function playMedia(whole: PlayRequest, context: PlayContext): Promise<EndReport> {
  const request = onlyOwnFields(whole);
  const found = await findMedia(request, context);
  if (found.file === undefined) {
    refuseTracks(found.live, request);
    return await playLive(found.live, request, context);
  }
  const { file } = found;
  context.record.named(file.name);
  if (request.data === "only" && request.subtitles === undefined) {
    throw new RequestError("unsupported", `Cannot send "${file.name}": it has no data`);
  }
  const chosen = withAudioTrack(file, request.audioTrack);
  const isSubtitled = request.subtitles !== undefined;
  return await playFile(isSubtitled ? withSentSubtitles(chosen) : chosen, request, context);
}

/** @throws {RequestError} if a track of a live source is asked for */
function refuseTracks({ name }: LiveSource, { audioTrack, subtitles }: PlayRequest): void {
  if (audioTrack === undefined && subtitles === undefined) return;
  const what = audioTrack === undefined ? "subtitles" : "an audio track";
  throw new RequestError("unsupported", `Cannot choose ${what} of "${name}": it is live`);
}

/** Leaves out the fields that another command has. */
function onlyOwnFields(request: PlayRequest): PlayRequest {
  return request.command === "get_image"
    ? { ...request, fps: undefined, loop: undefined, audioTrack: undefined, subtitles: undefined }
    : { ...request, every: undefined };
}

async function playFile(
  file: MediaFile,
  request: PlayRequest,
  context: PlayContext,
): Promise<EndReport> {
  const { renditions, slots, controls, response, record, clock } = context;
  const { resume, start = 0, duration = Infinity } = request;
  const still = request.command === "get_image" || file.info.kind === "image";
  const options = toOptions(request, file, { ...context, still });
  const seekable = !still && response.seek !== undefined;
  const { hardware = PROCESSOR } = context;
  const plan = planTracks(file, options);
  const repeatable = isRepeatable(hardware.hardware, {
    encoding: plan.video ?? "copy",
    codec: file.info.video?.codec ?? "",
  });
  if (resume !== undefined && !repeatable) throw unrepeatable(file);
  using _session = controls.attach(context.signal);
  using reserved = new DisposableStack();
  const cues = request.subtitles === undefined
    ? undefined
    : reserved.use(openCues(file, request.subtitles, {
      ...{ start, end: Math.min(start + duration, file.info.duration ?? Infinity) },
      ...{ signal: context.signal, isStopped: () => controls.stopReason !== undefined },
    }));
  if (request.data === "only" && cues !== undefined) {
    refusePart(file, options);
    return await sendCues(cues, { ...context, file });
  }
  let hasMemory = false;
  const reserve = () => {
    if (!hasMemory) reserved.use(reserveFrames(file, options, context.budget));
    hasMemory = true;
  };
  const { pacer } = controls;
  const openBy = hardware.opener(file.name);
  const { silence: readTimeout } = context.timeouts;
  const decode = (part: MediaOptions, signal: AbortSignal) => {
    reserve();
    const threads = decodingThreads(pacer.speed, slots.taken);
    const network = context.address && networkOf(context.address);
    // Nobody watches a series of images in real time.
    const needed = request.every === undefined ? VIEWER_DECODERS : 0;
    const background = slots.isGreedy(network, needed);
    const limits = { signal, readTimeout, threads, background };
    return openBy((hardware) => startPlayback(file, part, { ...limits, hardware }));
  };
  using slot = new SeekingSlot(
    controls,
    ({ isNeedless, signal }) => takeSlot(context, { isNeedless, signal, plan }),
  );
  const toOpening = (part: MediaOptions, isStart = false): Opening => ({
    open: (signal) => decode(part, signal),
    openAfter: (keys, streams, signal) =>
      openContinuation({
        ...{ file, options: part, keys, streams },
        open: (options) => decode(options, signal),
      }),
    takeSlot: (wanted) => slot.take(wanted),
    ...{ pacer, signal: controls.current, isStart },
  });
  // Packets that an index finds are at hand: there is nothing to share or to keep.
  const openByIndex = async (part: MediaOptions) => {
    if (part.encoding !== "copy") return undefined;
    refusePart(file, part);
    const limits = { signal: controls.current, readTimeout, maxFrameSize: MAX_FRAME_SIZE };
    return await openIndexed(file, { ...part, ...limits });
  };
  const open = async (part: MediaOptions, isStart = false) =>
    await openByIndex(part) ??
      (repeatable
        ? await renditions.open({ file, options: part }, toOpening(part, isStart))
        : await openUnrepeatable(toOpening(part)));
  const openSought = async (to: number) => {
    // Kept no longer than until the last seek has a decoder, or needs none.
    using after = new DisposableStack();
    after.defer(() => {
      if (!controls.isSeeking) slot.release();
    });
    const part = partFrom(options, to);
    const own = await openByIndex(part) ??
      (repeatable ? undefined : await openUnrepeatable(toOpening(part)));
    return own === undefined
      ? await renditions.seek({ file, options }, to, toOpening)
      : { source: own, from: to };
  };
  // Read while the file is opened.
  const over = new AbortController();
  const tags = request.metadata && !still
    ? file.tags?.read(file, AbortSignal.any([context.signal, over.signal]))
    : undefined;
  await using _tags = lastRead(tags, over);
  await using first = await open(options, true);
  reserve();
  const { streams } = first;
  const resumed = resume && new Resume(cues?.resume(resume) ?? resume, streams);
  await cues?.ready();
  const description = await describe(file, first, { ...context, still, repeatable });
  await response.describe({
    ...description,
    ...withTags(streams, await tags, { ...request, info: file.info }),
    data: cues && [cues.stream],
  });
  // Read now, to distinguish a file that grows from one that is overwritten.
  const found = response.seek && file.state && etagAsOf(file.path, file.state);
  await using _found = lastRead(found);
  controls.begin({ seekable, isIndexed: first.isIndexed });
  const loop = request.loop === true && !still;
  const search = resumed && new ResumeSearch(resumed, { file, options, loop, streams });
  const openParts = (parts: readonly Part[]) =>
    renditions.openAlone({ file, options }, {
      ...toOpening(options),
      open: (signal) => openResumePlan(parts, { options, open: (part) => decode(part, signal) }),
    });
  const player = new Player(first, {
    ...{ file, options, loop, controls, open, openSought, openParts, search },
    onSoughtEnd: () => slot.release(),
  });
  const drop = request.late === "drop";
  const described = cues === undefined ? streams : [...streams, CUE_STREAM];
  const sender = new TimedSender({ response, controls, streams: described, drop, record, clock });
  record.follow(() => sender.report());
  const steps = player.steps();
  await sender.takeAll(cues?.between(steps) ?? steps);
  const reason = controls.stopReason ?? "end";
  const change = reason === "end" ? await refuseShortened(file, await found) : {};
  // Complaints of FFmpeg are for protocols that can pass them on.
  const complaint = response.notify && player.warning;
  // The last packet of a file that is still being written is seldom whole.
  const isExpected = change.hasGrown && complaint !== undefined && AT_ITS_END.test(complaint);
  const warning = (isExpected ? undefined : complaint) ?? change.warning;
  if (warning !== undefined) record.logger.log("warn", `"${file.name}": ${warning}`);
  return await sender.end(reason, warning);
}

/**
 * Waits for a read of the file when the response ends before it is needed. A disk that hangs is not
 * waited for.
 *
 * @param stop ends the read
 */
function lastRead(read: Promise<unknown> | undefined, stop?: AbortController): AsyncDisposable {
  read?.catch(() => {});
  return {
    async [Symbol.asyncDispose]() {
      stop?.abort();
      if (read !== undefined) await settlesWithin(Promise.allSettled([read]), LAST_READ);
    },
  };
}

/** Waits for a decoder slot; copied packets need none. */
async function takeSlot(
  context: PlayContext,
  { plan, isNeedless, signal }: Partial<SlotOptions> & { plan: TrackPlan },
): Promise<Slot> {
  if ((plan.video ?? plan.audio) === "copy") return { [Symbol.dispose]() {} };
  const { current, hasBegun: isUnderWay } = context.controls;
  const either = signal === undefined ? current : AbortSignal.any([current, signal]);
  return await waitForDecoder(
    { ...context, signal: either },
    (queue) => context.slots.take({ ...queue, isNeedless, isUnderWay }),
  );
}

function toOptions(
  request: PlayRequest,
  file: MediaFile,
  { still, adapt }: { still: boolean } & Pick<PlayContext, "adapt">,
): MediaOptions {
  const { encoding, audio, pixelFormat, width, height, fps, bitrate, quality } = request;
  const { start, duration, every } = request;
  const { colorTransfer, fieldOrder } = file.info.video ?? {};
  const options = {
    ...{ encoding, audio, pixelFormat, width, height, fps, bitrate, quality },
    // All requests for other files share their frames.
    toneMap: colorTransfer === undefined ? undefined : request.toneMap,
    // A still has no neighbours by which it could be deinterlaced later.
    deinterlace: fieldOrder === undefined ? undefined : request.deinterlace ?? (still || undefined),
    ...{ still, start, duration, every },
  };
  return adapt?.(options, file) ?? options;
}

async function describe(
  { name, path, state, info }: MediaFile,
  { streams, notes }: FrameSource,
  { still, repeatable, response }:
    & { still: boolean; repeatable: boolean }
    & Pick<PlayContext, "response">,
): Promise<Description> {
  return {
    name,
    live: false,
    duration: still ? undefined : info.duration,
    streams: [...streams],
    notes: notes.length === 0 ? undefined : [...notes],
    // Only responses with controls can be resumed, if their bytes can be made again.
    etag: response.seek && repeatable ? await mediaEtag(path, state?.identity) : undefined,
  };
}

function unrepeatable({ name }: MediaFile): RequestError {
  return new RequestError(
    "unsupported",
    `Cannot resume "${name}": the server makes it with hardware, which may not give the same bytes ` +
      "twice, get it anew",
  );
}

/** Decodes and encodes if no hardware is to. */
const PROCESSOR = new HardwareFallback(SOFTWARE, () => {});

/**
 * Decoding threads per core at speed 0. More than one keeps the cores busy while frames wait to be
 * written.
 */
const THREADS_PER_CORE = 3;

/** FFmpeg warns about more threads. */
const MAX_THREADS = 16;

/** Raw frames in memory per viewer besides those that are read ahead. */
const FRAMES_HELD = 2;

/**
 * Starts decoding for one viewer.
 *
 * @throws {RequestError} if the file cannot be sent with these options
 */
export function startPlayback(
  file: MediaFile,
  options: MediaOptions,
  limits: Omit<TrackLimits, "maxFrameSize">,
): Promise<FrameSource> {
  refusePart(file, options);
  return openDecoder(file, { ...options, ...limits, maxFrameSize: MAX_FRAME_SIZE });
}

/** @throws {RequestError} if the file has no such part, or its frames are too large to be sent */
function refusePart(file: MediaFile, options: MediaOptions): void {
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
  const size = rawFrameSize(file, options);
  // Copied packets are not decoded here; their size is not known beforehand.
  if (size > MAX_FRAME_SIZE && options.encoding !== "copy") {
    throw new RequestError(
      "unsupported",
      `Cannot send "${file.name}" as ${options.encoding ?? "raw"}: frames of ${Math.ceil(size)} ` +
        `bytes, expected at most ${MAX_FRAME_SIZE}, ask for a smaller size`,
    );
  }
}

/**
 * Threads to decode a viewer's video with: one for each core, since each further one delays the first
 * frame by the time to decode another. FFmpeg's default is one more.
 *
 * @param speed playing speed; 0 for as fast as possible
 * @param decoders that run at once, this one included
 */
export function decodingThreads(speed: number, decoders: number): number {
  const each = speed > 0 || decoders > 1 ? 1 : THREADS_PER_CORE;
  return Math.min(MAX_THREADS, each * navigator.hardwareConcurrency);
}

/** Complaints about a file that ends inside a packet. */
const AT_ITS_END = /prematurely|ends inside|truncated|partial file/i;

/**
 * Checks after the last frame whether the file has changed, since the frames may be a mixture of
 * both versions. A file that only grows, as a recording does, is none.
 *
 * @param found its etag when it was found, if it is known
 * @returns a warning, if it has; whether it has only grown
 * @throws {RequestError} `media_error` if the file is shorter, so that frames are missing
 */
async function refuseShortened(
  { name, path, state }: MediaFile,
  found: string | undefined,
): Promise<{ warning?: string; hasGrown?: boolean }> {
  const change = state && await changeOf(path, state);
  if (state === undefined || change === undefined) return {};
  // Everything is still there that was there when it was found, and was sent.
  const hasGrown = change.isLonger && found !== undefined && await stillBegins(path, state, found);
  if (hasGrown) return { hasGrown };
  const what = `the file ${change.what} while it was sent`;
  if (!change.isShorter) return { warning: what };
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
  const size = Math.min(rawFrameSize(file, options), MAX_FRAME_SIZE);
  // A packet is never larger than the raw frame.
  const isRaw = (options.encoding ?? "raw") === "raw";
  const held = isRaw ? FRAMES_HELD + rawFramesAhead(file, options) : 1;
  return budget.take(Math.ceil(size) * held);
}
