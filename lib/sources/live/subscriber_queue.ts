/** The bounded queue between a live source and one of its subscribers. */
import { onAbort } from "../../base/async.ts";
import type { AnyStream } from "../../media/frame.ts";
import type { SharedFrame } from "./shared_frame.ts";
import type { SourceEvent, SourceStreams } from "./source_streams.ts";

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

/** Largest number of bytes of audio in one queue. */
const MAX_AUDIO_BYTES = 16 * 2 ** 20;

/** Largest number of messages of data streams in one queue, and of their bytes. */
const MAX_MESSAGES = { frames: 10_000, bytes: 16 * 2 ** 20 };

/** Descriptions and events that may wait one behind the other. */
const MAX_NEWS = 8;

const DROP: QueueLimits = {
  videoFrames: MIN_VIDEO_FRAMES,
  videoTime: 500,
  videoBytes: MAX_QUEUED_BYTES,
  audioTime: 1000,
};

/** Limits for each policy on late frames; `newest` is `drop` for subscribers with credit. */
export const QUEUE_LIMITS: Record<"wait" | "drop" | "newest", QueueLimits> = {
  wait: {
    videoFrames: Infinity,
    videoTime: 4000,
    videoBytes: MAX_QUEUED_BYTES,
    audioTime: 4000,
  },
  drop: DROP,
  newest: { ...DROP, videoFrames: 2 },
};

/** Says whether a subscriber may be given video. */
export interface VideoCredit {
  readonly isOpen: boolean;
}

/** Options of {@linkcode LiveQueue}. */
export interface LiveQueueOptions {
  limits: QueueLimits;
  /** While it is not open, video waits: one frame, if each is a keyframe. @default always open */
  credit?: VideoCredit;
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
  /** Called when frames come that cannot be decoded without a keyframe. */
  onStarved: (() => void) | undefined;
  #items: LiveItem[] = [];
  #streams = new Map<number, StreamState>();
  /** Frames that wait. */
  #held = {
    video: { frames: 0, bytes: 0 },
    audio: { frames: 0, bytes: 0 },
    data: { frames: 0, bytes: 0 },
  };
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
      this.onStarved?.();
      if (state.isBehind) this.#countDropped(state, 1);
      return state.isBehind ? 1 : 0;
    }
    state.needsKeyframe = state.isBehind = false;
    // Its flags are set when it is taken.
    this.#push({ kind: "frame", frame: frame.hold(), dropped: false, discontinuity: false });
    const held = this.#held[frame.type];
    held.frames++;
    held.bytes += frame.cost;
    if (frame.type === "audio") return this.#trimAudio(frame, state);
    return frame.type === "data" ? this.#trimMessages(state) : this.#trimVideo(frame, state);
  }

  /** Adds a change of the streams. Frames that follow cannot be decoded before a keyframe. */
  describe(streams: SourceStreams): void {
    if (this.#last !== undefined) return;
    this.#streams.clear();
    this.#push({ kind: "describe", ...streams });
    this.#trimNews();
  }

  /** Adds an event. */
  notify(event: SourceEvent): void {
    if (this.#last !== undefined) return;
    this.#push({ kind: "event", event });
    this.#trimNews();
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
      const item = this.#shift();
      if (item !== undefined) return this.#taken(item);
      if (this.#last?.kind === "failure") throw this.#last.error;
      if (this.#last !== undefined) return this.#last;
      await this.#changed(signal);
    }
  }

  /** Called when the credit is open again: what waits may be taken. */
  wake(): void {
    this.#waiting?.resolve();
  }

  /** Releases everything that waits; the queue takes nothing more. */
  close(): void {
    this.fail(new Error("Cannot take frames: the client has left"));
    this.#removeFrames();
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

  /** Removes the first item that may be taken: without credit, the others overtake the video. */
  #shift(): LiveItem | undefined {
    const at = this.#isHeld ? this.#items.findIndex((item) => !isVideo(item)) : 0;
    return at < 0 ? undefined : this.#items.splice(at, 1).at(0);
  }

  /** Whether video waits for credit. In front of other streams, or of the end, none waits. */
  get #isHeld(): boolean {
    return this.#options.credit?.isOpen === false && this.#last === undefined &&
      !this.#items.some(({ kind }) => kind === "describe");
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
    this.#removeFrames();
    for (const state of this.#streams.values()) {
      state.needsKeyframe = true;
      state.isBehind = false;
      state.discontinuity = true;
    }
  }

  /** If many descriptions and events follow each other, only the newest of each matter. */
  #trimNews(): void {
    const behind = this.#items.findLastIndex(({ kind }) => kind === "frame") + 1;
    if (this.#items.length - behind > MAX_NEWS) this.#trimNewsFrom(behind);
    const news = this.#items.length - this.#frames;
    if (news > MAX_NEWS * MAX_NEWS) this.#trimNewsFrom(0);
  }

  /** Number of frames that wait. */
  get #frames(): number {
    const { video, audio, data } = this.#held;
    return video.frames + audio.frames + data.frames;
  }

  #trimNewsFrom(start: number): void {
    const rest = this.#items.slice(start);
    const describe = rest.findLastIndex(({ kind }) => kind === "describe");
    const event = rest.findLastIndex(({ kind }) => kind === "event");
    const kept = rest.filter(({ kind }, at) => {
      return kind === "frame" ? at > describe : at === describe || at === event;
    });
    for (const item of rest.slice(0, Math.max(0, describe))) {
      if (item.kind !== "frame") continue;
      this.#drop(item.frame);
      this.dropped++;
    }
    this.#items.splice(start, Infinity, ...kept);
  }

  #trimAudio(newest: SharedFrame, state: StreamState): number {
    const oldest = newest.time - this.#options.limits.audioTime;
    let removed = 0;
    while (
      this.#held.audio.bytes > MAX_AUDIO_BYTES || (this.#first("audio")?.time ?? oldest) < oldest
    ) {
      this.#removeFirst("audio");
      removed++;
    }
    this.#countDropped(state, removed);
    return removed;
  }

  #trimMessages(state: StreamState): number {
    const { data } = this.#held;
    let removed = 0;
    while (data.frames > MAX_MESSAGES.frames || data.bytes > MAX_MESSAGES.bytes) {
      this.#removeFirst("data");
      removed++;
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
    const { frames, bytes } = this.#held.video;
    if (!isMixed && frames > (this.#isHeld ? 1 : videoFrames)) return true;
    if (frames <= MIN_VIDEO_FRAMES) return false;
    const oldest = this.#first("video");
    return bytes > videoBytes || (oldest !== undefined && newest.time - oldest.time > videoTime);
  }

  /** Removes the oldest video frame and those that depend on it. */
  #removeOldest(state: StreamState): number {
    let removed = 0;
    do {
      this.#removeFirst("video");
      removed++;
    } while (this.#first("video")?.frame.keyframe === false);
    state.needsKeyframe = this.#held.video.frames === 0;
    state.isBehind = state.needsKeyframe;
    return removed;
  }

  /** The oldest frame of a type that waits. */
  #first(type: AnyStream["type"]): SharedFrame | undefined {
    if (this.#held[type].frames === 0) return undefined;
    const item = this.#items.find((item) => item.kind === "frame" && item.frame.type === type);
    return item?.kind === "frame" ? item.frame : undefined;
  }

  #removeFirst(type: AnyStream["type"]): void {
    const at = this.#items.findIndex((item) => item.kind === "frame" && item.frame.type === type);
    const [item] = this.#items.splice(at, 1);
    if (item.kind === "frame") this.#drop(item.frame);
  }

  #drop(frame: SharedFrame): void {
    this.#uncount(frame);
    frame.release();
  }

  #countDropped(state: StreamState, frames: number): void {
    this.dropped += frames;
    if (frames > 0) state.dropped = true;
  }

  #removeFrames(): void {
    const rest: LiveItem[] = [];
    for (const item of this.#items) {
      if (item.kind === "frame") this.#drop(item.frame);
      else rest.push(item);
    }
    this.#items = rest;
  }

  #uncount(frame: SharedFrame): void {
    const held = this.#held[frame.type];
    held.frames--;
    held.bytes -= frame.cost;
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
