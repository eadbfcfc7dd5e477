/** Plays a live source: sends its frames as they come. */
import { deadline } from "../../base/async.ts";
import { RequestError } from "../../base/errors.ts";
import { bitsPerPixel } from "../../ffmpeg/pixel_formats.ts";
import { type Frame, type StreamDescription, toSeconds } from "../../media/frame.ts";
import { LONGEST_SLEEP } from "../../media/pacer.ts";
import type { MediaRequest } from "../../protocol/native/request.ts";
import type { EndReport } from "../../protocol/native/response.ts";
import { refuseContradictions, refuseCopiedStill } from "../../sources/file/plan.ts";
import { sizeNotes } from "../../sources/file/stream_info.ts";
import type { LiveWatch } from "../../sources/live/registry.ts";
import type { LiveSource } from "../../sources/live/source_spec.ts";
import { type LiveItem, QUEUE_LIMITS } from "../../sources/live/subscriber_queue.ts";
import type { PlayContext, PlayRequest } from "../session/context.ts";
import type { StopReason } from "./controls.ts";
import { waitForDecoder } from "./decoder_queue.ts";
import { type LiveProgress, LiveThroughputMonitor } from "./lateness.ts";
import { Sender } from "./sender.ts";

/** Seconds that a response waits for the frame behind its duration. */
const PATIENCE = 1;

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
  const { response, controls, live, record } = context;
  record.named(source.name);
  refuseTimes(source, request);
  refuseFormat(request);
  const still = request.command === "get_image";
  refuseContradictions(request);
  refuseCopiedStill({ ...request, still }, { name: source.name, info: { kind: "video" } });
  const queueOptions = {
    limits: QUEUE_LIMITS[request.late ?? "wait"],
    audio: !still && request.audio !== false,
    isPaused: () => controls.pacer.isPaused && !still,
  };
  using watch = await waitForDecoder(context, (queue) => {
    return live.watch(source, request, { ...queueOptions, slot: queue, signal: context.signal });
  });
  if (watch.streams.length === 0) {
    throw new RequestError("unsupported", `Cannot send "${source.name}": it has no picture`);
  }
  await response.describe({
    name: source.name,
    live: true,
    streams: [...watch.streams],
    notes: notesOf(watch.streams, request),
  });
  // Not earlier: a response that is stopped at once still begins with its description.
  controls.begin({ seekable: false });
  using timeout = new DurationTimeout(request.duration);
  const signal = AbortSignal.any([context.signal, controls.stopped, timeout.signal]);
  const sender = new LiveSender(watch, context, { still, duration: request.duration });
  record.follow(() => sender.report());
  let reason: StopReason | undefined;
  try {
    while (!sender.isComplete) {
      const item = await watch.queue.take(signal);
      if (item.kind === "frame") timeout.start();
      await sender.take(item);
    }
  } catch (error) {
    if (!signal.aborted || context.signal.aborted) throw error;
    reason = controls.stopReason;
  }
  return await sender.end(reason);
}

/** Aborts after a duration whose last frame has no successor. */
class DurationTimeout implements Disposable {
  #expired = new AbortController();
  #milliseconds: number;
  #limit: Disposable | undefined;

  /** @param duration seconds */
  constructor(duration = Infinity) {
    this.#milliseconds = (duration + PATIENCE) * 1000;
  }

  get signal(): AbortSignal {
    return this.#expired.signal;
  }

  /** Starts at the first frame; later calls do nothing. */
  start(): void {
    if (this.#milliseconds > LONGEST_SLEEP) return;
    this.#limit ??= deadline(this.#milliseconds, () => this.#expired.abort());
  }

  [Symbol.dispose](): void {
    this.#limit?.[Symbol.dispose]();
  }
}

/** Notes on a size other than the requested one. The size of the source itself is unknown. */
function notesOf(
  [stream]: readonly StreamDescription[],
  { encoding = "raw", width, height }: MediaRequest,
): string[] | undefined {
  if (stream.type !== "video") return undefined;
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
}

/** Sends the items of a viewer's queue until its part of the source is complete. */
class LiveSender extends Sender {
  isComplete = false;
  #watch: LiveWatch;
  #part: LivePart;
  #monitor = new LiveThroughputMonitor();
  /** Seconds; timestamp of the first frame of the first stream. */
  #first: number | undefined;

  constructor(watch: LiveWatch, { response, record }: PlayContext, part: LivePart) {
    super({ response, record, streams: watch.streams });
    this.#watch = watch;
    this.#part = part;
  }

  override get dropped(): number {
    return this.#watch.queue.dropped;
  }

  /** Sends one item, and notices of frames that were dropped. */
  async take(item: LiveItem): Promise<void> {
    if (item.kind === "event") return await this.notify(item.event);
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
      this.#monitor.offer(before, this.#watch.queue.isEmpty);
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

  /** Whether a frame is behind the duration. */
  #isBehind({ streamId, timestamp }: Frame): boolean {
    const { duration = Infinity } = this.#part;
    const [stream] = this.#watch.streams;
    if (stream.id !== streamId) return false;
    const seconds = toSeconds(timestamp, stream.timeBase);
    this.#first ??= seconds;
    return seconds - this.#first >= duration;
  }

  #progress(): LiveProgress {
    return {
      now: performance.now() / 1000,
      offered: this.#watch.queue.offered,
      sent: this.bytes,
    };
  }
}
