/** Plays a live source: sends its frames as they come. */
import { deadline } from "../../base/async.ts";
import { RequestError } from "../../base/errors.ts";
import { bitsPerPixel } from "../../ffmpeg/pixel_formats.ts";
import { Credit } from "../../media/credit.ts";
import { type AnyStream, type Frame, toSeconds } from "../../media/frame.ts";
import { LONGEST_SLEEP } from "../../media/pacer.ts";
import type { MediaRequest } from "../../protocol/native/request.ts";
import type { EndReport } from "../../protocol/native/response.ts";
import { refuseContradictions, refuseCopiedStill } from "../../sources/file/plan.ts";
import { sizeNotes } from "../../sources/file/stream_info.ts";
import type { LiveWatch } from "../../sources/live/watch.ts";
import type { LiveSource } from "../../sources/live/source_spec.ts";
import { type LiveItem, QUEUE_LIMITS } from "../../sources/live/subscriber_queue.ts";
import type { PlayContext, PlayRequest } from "../session/context.ts";
import type { StopReason } from "./controls.ts";
import { waitForDecoder } from "./decoder_queue.ts";
import { type LiveProgress, LiveThroughputMonitor } from "./lateness.ts";
import { type ResponseWriter, Sender } from "./sender.ts";

/** Milliseconds that a response waits for the frame behind its duration, once none comes. */
const PATIENCE = 1000;

/** Milliseconds behind the duration after which it does not wait for frames that still come. */
const LONGEST_WAIT = 10_000;

/**
 * Responds to a request for a live source: description, frames as they come, end. The response to
 * `get_image` is the next video frame.
 *
 * @throws {RequestError} if the source cannot be sent as requested, and if its streams change
 */
export async function playLive(
  source: LiveSource,
  request: PlayRequest,
  context: PlayContext,
): Promise<EndReport> {
  const { controls, live, record } = context;
  record.named(source.name);
  refuseTimes(source, request);
  refuseFormat(request);
  const still = request.command === "get_image";
  refuseContradictions(request);
  refuseCopiedStill({ ...request, still }, { name: source.name, info: { kind: "video" } });
  const late = request.late ?? request.lateLive ?? "wait";
  const credit = late === "drop" && request.credit
    ? new Credit({ clock: context.clock })
    : undefined;
  const queueOptions = {
    limits: QUEUE_LIMITS[credit === undefined ? late : "newest"],
    credit,
    types: typesOf(request, { still }),
    isPaused: () => controls.pacer.isPaused && !still,
  };
  const watch = () =>
    waitForDecoder(context, (queue) => {
      const { signal, via } = context;
      return live.watch(source, request, { ...queueOptions, slot: queue, signal, via });
    });
  const sender = new LiveSender(context, request, { still, duration: request.duration, credit });
  using timeout = new DurationTimeout(request.duration);
  let reason: StopReason | undefined;
  // Once for each rendition: raw frames as they come, and frames that FFmpeg makes.
  while (!sender.isComplete && reason === undefined) {
    using watching = await watch();
    controls.onKeyframe = () => watching.requestKeyframe();
    controls.onTaken = ({ frames, roundTrip }) =>
      credit?.take(frames, roundTrip) && watching.queue.wake();
    await sender.describe(watching, source);
    // Not earlier: a response that is stopped at once still begins with its description.
    controls.begin({ seekable: false });
    record.follow(() => sender.report());
    const signal = AbortSignal.any([context.signal, controls.stopped, timeout.signal]);
    try {
      while (!sender.isComplete) {
        const item = await watching.queue.take(signal);
        if (item.kind === "frame") timeout.onFrame(sender.isTimed(item.frame.frame));
        if (item.kind !== "describe") {
          timeout.isSending = true;
          await sender.take(item);
          timeout.isSending = false;
        } else if (watching.change(item)) await sender.describe(watching, source);
        else break;
      }
    } catch (error) {
      if (!signal.aborted || context.signal.aborted) throw error;
      reason = controls.stopReason;
      break;
    }
  }
  return await sender.end(reason);
}

/** Types of the streams that a request asks for. */
function typesOf(
  { audio, data }: PlayRequest,
  { still }: { still: boolean },
): AnyStream["type"][] {
  if (data === "only") return ["data"];
  return [
    "video",
    ...(still || audio === false ? [] : ["audio" as const]),
    ...(still || data === undefined ? [] : ["data" as const]),
  ];
}

/**
 * Aborts after a duration whose last frame has no successor. Frames that still come are waited for: a
 * busy machine may make them too slowly.
 */
class DurationTimeout implements Disposable {
  /** A frame is being sent; others may wait behind it. */
  isSending = false;
  #expired = new AbortController();
  /** Milliseconds. */
  #duration: number;
  /** Times of the first frame, and of the last one that is timed. */
  #first: number | undefined;
  #last = 0;
  #limit: Disposable | undefined;

  /** @param duration seconds */
  constructor(duration = Infinity) {
    this.#duration = 1000 * duration;
  }

  get signal(): AbortSignal {
    return this.#expired.signal;
  }

  /**
   * Starts at the first frame.
   *
   * @param isTimed whether the frame tells how much of the duration is over
   */
  onFrame(isTimed: boolean): void {
    if (isTimed) this.#last = performance.now();
    if (this.#first !== undefined || this.#duration > LONGEST_SLEEP - PATIENCE) return;
    this.#first = performance.now();
    this.#wait(this.#duration + PATIENCE);
  }

  #wait(milliseconds: number): void {
    const due = performance.now() + milliseconds;
    this.#limit = deadline(milliseconds, () => {
      const now = performance.now();
      const longest = (this.#first ?? 0) + this.#duration + LONGEST_WAIT - now;
      // If the process stood still, frames may have come that it has not read.
      const hasMore = this.isSending || now - due > PATIENCE / 2;
      const rest = Math.min(hasMore ? PATIENCE : this.#last + PATIENCE - now, longest);
      if (rest > 0) this.#wait(rest);
      else this.#expired.abort();
    });
  }

  [Symbol.dispose](): void {
    this.#limit?.[Symbol.dispose]();
  }
}

/** Notes on a size other than the requested one. The size of the source itself is unknown. */
function notesOf(
  [stream]: readonly AnyStream[],
  { encoding = "raw", width, height }: MediaRequest,
): string[] | undefined {
  if (stream?.type !== "video") return undefined;
  const notes = sizeNotes(stream, { width, height }, encoding);
  return notes.length === 0 ? undefined : notes;
}

/** @throws {RequestError} for options that need a beginning or an end */
function refuseTimes({ name }: LiveSource, { start = 0, loop, every, resume }: MediaRequest): void {
  const [field, reason] = start > 0
    ? ["start", "it has no beginning, and comes as it is now"]
    : loop
    ? ["loop", "it has no end"]
    : every !== undefined
    ? ["every", "a live source gives one picture at a time, ask again for the next"]
    : resume !== undefined
    ? ["resume", "what came while nobody took it is gone, ask anew"]
    : [];
  if (field === undefined) return;
  throw new RequestError(
    "bad_request",
    `Cannot use ${field} with "${name}", which is live: ${reason}`,
  );
}

/** @throws {RequestError} for a pixel format that cannot be sent raw */
function refuseFormat({ pixelFormat }: MediaRequest): void {
  if (pixelFormat === undefined || bitsPerPixel(pixelFormat) !== undefined) return;
  throw new RequestError(
    "bad_request",
    `Cannot send pixel format "${pixelFormat}": expected one that can be sent raw, such as bgr24`,
  );
}

/** The part of a live source that a response sends. */
interface LivePart {
  /** Seconds. @default Infinity */
  duration?: number;
  /** Only the first video frame. */
  still: boolean;
  /** Counts the video that is sent. */
  credit?: Credit;
}

/** Sends the items of a viewer's queue until its part of the source is complete. */
class LiveSender extends Sender {
  isComplete = false;
  #watch: LiveWatch | undefined;
  #request: PlayRequest;
  #response: ResponseWriter;
  #part: LivePart;
  /** Frames that queues before the current one have dropped. */
  #droppedBefore = 0;
  #monitor = new LiveThroughputMonitor();
  /** Seconds; timestamp of the first frame of the first stream. */
  #first: number | undefined;

  constructor({ response, record }: PlayContext, request: PlayRequest, part: LivePart) {
    super({ response, record, streams: [] });
    this.#response = response;
    this.#request = request;
    this.#part = part;
  }

  override get dropped(): number {
    return this.#droppedBefore + (this.#watch?.queue.dropped ?? 0);
  }

  /**
   * Describes the streams that follow.
   *
   * @throws {RequestError} `unsupported` if there are none, `media_error` if the client cannot take
   * others than before
   */
  async describe(watch: LiveWatch, { name }: LiveSource): Promise<void> {
    const { streams, data } = watch.described;
    if (streams.length + data.length === 0) {
      const what = this.#request.data === "only" ? "data" : "picture";
      throw new RequestError("unsupported", `Cannot send "${name}": it has no ${what}`);
    }
    if (this.#watch !== undefined && !this.#request.redescribe) {
      const reason = "it came back as something else, ask for it again";
      throw new RequestError("media_error", `Cannot read "${name}": ${reason}`);
    }
    if (this.#watch !== undefined && this.#watch !== watch) {
      this.#droppedBefore += this.#watch.queue.dropped;
    }
    this.#watch = watch;
    this.follow([...streams, ...data]);
    await this.#response.describe({
      ...{ name, live: true, streams: [...streams] },
      data: data.length === 0 ? undefined : [...data],
      notes: notesOf(streams, this.#request),
    });
  }

  /** Sends one item, and notices of frames that were dropped. */
  async take(item: Exclude<LiveItem, { kind: "describe" }>): Promise<void> {
    if (item.kind === "event") {
      const { code, message } = item.event;
      return await this.notify({ code, message });
    }
    if (item.kind === "end") {
      this.isComplete = true;
      return;
    }
    const { frame, dropped, discontinuity } = item;
    try {
      this.isComplete = this.#isBehind(frame.frame);
      if (this.isComplete) return;
      const { now, offered, sent } = this.#progress();
      const before = { now, offered: offered - frame.size, sent };
      // Behind dropped frames, it was late although it is the newest.
      this.#monitor.offer(before, !dropped && (this.#watch?.queue.isEmpty ?? true));
      if (frame.type === "video") this.#part.credit?.sent();
      await this.sendShared(frame, { dropped, discontinuity });
    } finally {
      frame.release();
    }
    this.isComplete = this.#part.still;
    const { now } = this.#progress();
    if (!await this.notifyDropped()) return;
    const notice = this.#monitor.explain({ ...this.#progress(), now });
    if (notice !== undefined) await this.notify(notice);
  }

  /** Whether a frame is of the first stream, by which the duration is measured. */
  isTimed({ streamId }: Frame): boolean {
    return this.#timing?.id === streamId;
  }

  /** The first stream. */
  get #timing() {
    const { streams, data } = this.#watch?.described ?? { streams: [], data: [] };
    return streams[0] ?? data[0];
  }

  /** Whether a frame is behind the duration. */
  #isBehind(frame: Frame): boolean {
    const { duration = Infinity } = this.#part;
    const stream = this.#timing;
    if (stream === undefined || !this.isTimed(frame)) return false;
    const seconds = toSeconds(frame.timestamp, stream.timeBase);
    this.#first ??= seconds;
    return seconds - this.#first >= duration;
  }

  #progress(): LiveProgress {
    return {
      now: performance.now() / 1000,
      offered: this.#watch?.queue.offered ?? 0,
      sent: this.bytes,
    };
  }
}
