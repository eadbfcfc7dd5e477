/** The bounded queue between a live source and one of its subscribers. */
import { onAbort } from "../../base/async.ts";
import type { AnyStream, DataStream, StreamDescription } from "../../media/frame.ts";
import type { SharedFrame } from "./shared_frame.ts";

/** A change of a live source that its subscribers are notified of. */
export interface SourceEvent {
  code: "source_lost" | "source_back";
  message: string;
}

/** The next item for a subscriber. */
export type LiveItem =
  | {
    kind: "frame";
    /** Held for the subscriber, which has to release it. */
    frame: SharedFrame;
    /** Frames of its stream were dropped before it. */
    dropped: boolean;
    /** Its stream was not followed for a while before it. */
    discontinuity: boolean;
  }
  | { kind: "event"; event: SourceEvent }
  /** Frames of other streams follow. */
  | ({ kind: "describe" } & SourceStreams)
  /** The source was removed; nothing follows. */
  | { kind: "end" };

/** The streams of a source. */
export interface SourceStreams {
  /** Video before audio. */
  streams: readonly StreamDescription[];
  data: readonly DataStream[];
}

/** The streams of some types. */
export function streamsOf(
  { streams, data }: SourceStreams,
  types: readonly AnyStream["type"][],
): SourceStreams {
  return {
    streams: streams.filter(({ type }) => types.includes(type)),
    data: types.includes("data") ? data : [],
  };
}

/** Bounds of a {@linkcode LiveQueue}. */
export interface QueueLimits {
  /** Video frames, if each is a keyframe. */
  videoFrames: number;
  /** Milliseconds of video. */
  videoTime: number;
  /** Bytes of video. */
  videoBytes: number;
  /** Milliseconds of audio. */
  audioTime: number;
}

/** Video frames that may wait whatever their size and age. */
const MIN_VIDEO_FRAMES = 3;

/** Largest number of bytes of video in one queue. */
export const MAX_QUEUED_BYTES = 64 * 2 ** 20;

/** Largest number of messages of data streams in one queue, and of their bytes. */
const MAX_MESSAGES = { count: 10_000, bytes: 16 * 2 ** 20 };

/** Bytes that a message counts as in addition to its own. */
const MESSAGE_OVERHEAD = 256;

/** Limits for each policy on late frames. */
export const QUEUE_LIMITS: Record<"wait" | "drop", QueueLimits> = {
  wait: {
    videoFrames: Infinity,
    videoTime: 4000,
    videoBytes: MAX_QUEUED_BYTES,
    audioTime: 4000,
  },
  drop: {
    videoFrames: MIN_VIDEO_FRAMES,
    videoTime: 500,
    videoBytes: MAX_QUEUED_BYTES,
    audioTime: 1000,
  },
};

/** Options of {@linkcode LiveQueue}. */
export interface LiveQueueOptions {
  limits: QueueLimits;
  /** Types of the streams that are queued. @default all but data */
  types?: readonly AnyStream["type"][];
  /** Whether the subscriber is paused; a paused one is sent events only. */
  isPaused?: () => boolean;
}

/** State of one stream in a queue. */
interface StreamState {
  /** Frames cannot be decoded before the next keyframe. */
  needsKeyframe: boolean;
  /** Frames are dropped up to that keyframe because the subscriber is slow. */
  isBehind: boolean;
  /** Flags of the next frame that is taken. */
  dropped: boolean;
  discontinuity: boolean;
  /** Some frames are no keyframes. */
  isMixed: boolean;
}

/** Types of the streams that are played. */
export const PLAYED_TYPES: readonly AnyStream["type"][] = ["video", "audio"];

type LastItem = { kind: "end" } | { kind: "failure"; error: Error };

/** Bounded queue of one subscriber. If it is full, the oldest frames are dropped. */
export class LiveQueue {
  /** Frames that were dropped because the subscriber is slow. */
  dropped = 0;
  /** Bytes of all frames that a subscriber without delay would have been sent. */
  offered = 0;
  #items: LiveItem[] = [];
  #streams = new Map<number, StreamState>();
  #video = { frames: 0, bytes: 0 };
  #messages = { count: 0, bytes: 0 };
  #options: LiveQueueOptions;
  /** Follows the items that still wait; nothing is added once it is set. */
  #last: LastItem | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(options: LiveQueueOptions) {
    this.#options = options;
  }

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  /**
   * Adds a frame. If the queue is full, the oldest frames are dropped.
   *
   * @returns the number of frames dropped
   */
  offer(frame: SharedFrame): number {
    const { types = PLAYED_TYPES, isPaused } = this.#options;
    if (this.#last !== undefined || !types.includes(frame.type)) return 0;
    const state = this.#stateOf(frame);
    state.isMixed ||= !frame.frame.keyframe;
    if (isPaused?.()) {
      this.#skip();
      return 0;
    }
    if (state.isBehind || !state.needsKeyframe || frame.frame.keyframe) this.offered += frame.size;
    if (state.needsKeyframe && !frame.frame.keyframe) {
      if (state.isBehind) this.#countDropped(state, 1);
      return state.isBehind ? 1 : 0;
    }
    state.needsKeyframe = state.isBehind = false;
    // Its flags are set when it is taken.
    this.#push({ kind: "frame", frame: frame.hold(), dropped: false, discontinuity: false });
    if (frame.type === "audio") return this.#trimAudio(frame, state);
    if (frame.type === "data") return this.#trimMessages(frame, state);
    this.#video.frames++;
    this.#video.bytes += frame.size;
    return this.#trimVideo(frame, state);
  }

  /** Adds a change of the streams. Frames that follow cannot be decoded before a keyframe. */
  describe(streams: SourceStreams): void {
    if (this.#last !== undefined) return;
    this.#streams.clear();
    this.#push({ kind: "describe", ...streams });
  }

  /** Adds an event. Events are never dropped. */
  notify(event: SourceEvent): void {
    if (this.#last === undefined) this.#push({ kind: "event", event });
  }

  /** Ends the queue after the items that wait. Does nothing if it has ended or failed. */
  end(): void {
    this.#close({ kind: "end" });
  }

  /** Fails the queue after the items that wait. Does nothing if it has ended or failed. */
  fail(error: Error): void {
    this.#close({ kind: "failure", error });
  }

  /**
   * Waits for the next item.
   *
   * @throws the signal's reason, or the error that the queue failed with
   */
  async take(signal: AbortSignal): Promise<LiveItem> {
    while (true) {
      signal.throwIfAborted();
      if (this.#options.isPaused?.()) this.#skip();
      const item = this.#items.shift();
      if (item !== undefined) return this.#taken(item);
      if (this.#last?.kind === "failure") throw this.#last.error;
      if (this.#last !== undefined) return this.#last;
      await this.#changed(signal);
    }
  }

  /** Releases everything that waits; the queue takes nothing more. */
  close(): void {
    this.fail(new Error("Cannot take frames: the client has left"));
    this.#removeIf(() => true);
    this.#items = [];
  }

  #close(last: LastItem): void {
    this.#last ??= last;
    this.#waiting?.resolve();
  }

  #push(item: LiveItem): void {
    this.#items.push(item);
    this.#waiting?.resolve();
  }

  #taken(item: LiveItem): LiveItem {
    if (item.kind !== "frame") return item;
    const state = this.#stateOf(item.frame);
    this.#uncount(item.frame);
    const { dropped, discontinuity } = state;
    state.dropped = state.discontinuity = false;
    return { ...item, dropped, discontinuity };
  }

  async #changed(signal: AbortSignal): Promise<void> {
    const waiting = Promise.withResolvers<void>();
    this.#waiting = waiting;
    using _listener = onAbort(signal, waiting.resolve);
    await waiting.promise;
    this.#waiting = undefined;
  }

  /** Removes the frames that wait without counting them as dropped. */
  #skip(): void {
    this.#removeIf(() => true);
    for (const state of this.#streams.values()) {
      state.needsKeyframe = true;
      state.isBehind = false;
      state.discontinuity = true;
    }
  }

  #trimAudio(newest: SharedFrame, state: StreamState): number {
    const oldest = newest.time - this.#options.limits.audioTime;
    const removed = this.#removeIf((frame) => frame.type === "audio" && frame.time < oldest);
    this.#countDropped(state, removed);
    return removed;
  }

  #trimMessages({ size }: SharedFrame, state: StreamState): number {
    this.#messages.count++;
    this.#messages.bytes += size + MESSAGE_OVERHEAD;
    let removed = 0;
    while (
      this.#messages.count > MAX_MESSAGES.count || this.#messages.bytes > MAX_MESSAGES.bytes
    ) {
      let isOldest = true;
      removed += this.#removeIf((frame) => {
        const isRemoved = isOldest && frame.type === "data";
        if (isRemoved) isOldest = false;
        return isRemoved;
      });
    }
    this.#countDropped(state, removed);
    return removed;
  }

  #trimVideo(newest: SharedFrame, state: StreamState): number {
    let removed = 0;
    while (this.#isFull(newest, state)) removed += this.#removeOldest(state);
    this.#countDropped(state, removed);
    return removed;
  }

  #isFull(newest: SharedFrame, { isMixed }: StreamState): boolean {
    const { videoFrames, videoTime, videoBytes } = this.#options.limits;
    const { frames, bytes } = this.#video;
    if (frames <= MIN_VIDEO_FRAMES) return false;
    if (!isMixed && frames > videoFrames) return true;
    const oldest = this.#items.find(isVideo);
    return bytes > videoBytes ||
      (oldest?.kind === "frame" && newest.time - oldest.frame.time > videoTime);
  }

  /** Removes the oldest video frame and those that depend on it. */
  #removeOldest(state: StreamState): number {
    let isDependent = true;
    let isFirst = true;
    const removed = this.#removeIf((frame) => {
      if (frame.type !== "video" || !isDependent) return false;
      isDependent = isFirst || !frame.frame.keyframe;
      isFirst = false;
      return isDependent;
    });
    state.needsKeyframe = this.#video.frames === 0;
    state.isBehind = state.needsKeyframe;
    return removed;
  }

  #countDropped(state: StreamState, frames: number): void {
    this.dropped += frames;
    if (frames > 0) state.dropped = true;
  }

  #removeIf(isUnwanted: (frame: SharedFrame) => boolean): number {
    const before = this.#items.length;
    this.#items = this.#items.filter((item) => {
      if (item.kind !== "frame" || !isUnwanted(item.frame)) return true;
      this.#uncount(item.frame);
      item.frame.release();
      return false;
    });
    return before - this.#items.length;
  }

  #uncount({ type, size }: SharedFrame): void {
    if (type === "data") {
      this.#messages.count--;
      this.#messages.bytes -= size + MESSAGE_OVERHEAD;
    }
    if (type !== "video") return;
    this.#video.frames--;
    this.#video.bytes -= size;
  }

  #stateOf({ frame }: SharedFrame): StreamState {
    const known = this.#streams.get(frame.streamId);
    if (known !== undefined) return known;
    const state = {
      ...{ needsKeyframe: true, isBehind: false },
      ...{ dropped: false, discontinuity: false, isMixed: false },
    };
    this.#streams.set(frame.streamId, state);
    return state;
  }
}

function isVideo(item: LiveItem): boolean {
  return item.kind === "frame" && item.frame.type === "video";
}
