import { wallClock } from "../../base/clock.ts";
import type { Frame } from "../../media/frame.ts";
import { encodeFrame } from "../../protocol/native/framing.ts";
import type { Notice } from "../../protocol/native/response.ts";

/** What a viewer gets next. */
export type LiveItem =
  | {
    kind: "frame";
    /** Held for the taker, who has to release it. */
    frame: SharedFrame;
    /** Frames of its stream were left out before it. */
    dropped: boolean;
    /** Its stream was not followed for a while before it. */
    discontinuity: boolean;
  }
  | { kind: "notice"; notice: Notice };

/** How much of a live source waits for one viewer. */
export interface QueueLimits {
  /** Pictures, where each stands for itself. */
  pictures: number;
  /** Milliseconds of pictures that build upon each other, or of all. */
  pictureTime: number;
  /** Bytes of pictures. */
  pictureBytes: number;
  /** Milliseconds of sound. */
  soundTime: number;
}

/** Pictures that may wait whatever their size and time. */
const FEWEST_PICTURES = 3;

/** Bytes of pictures that wait for one viewer at the most. */
export const MAX_QUEUED_BYTES = 64 * 2 ** 20;

/** How much waits for viewers of either policy. */
export const QUEUE_LIMITS: Record<"wait" | "drop", QueueLimits> = {
  wait: {
    pictures: Infinity,
    pictureTime: 4000,
    pictureBytes: MAX_QUEUED_BYTES,
    soundTime: 4000,
  },
  drop: {
    pictures: FEWEST_PICTURES,
    pictureTime: 500,
    pictureBytes: MAX_QUEUED_BYTES,
    soundTime: 1000,
  },
};

/** Options of {@linkcode LiveQueue}. */
export interface LiveQueueOptions {
  limits: QueueLimits;
  /** False for a viewer who wants no sound. */
  sound?: boolean;
  /** Whether the viewer has paused. */
  isPaused?: () => boolean;
}

/** What is remembered of a stream. */
interface StreamState {
  /** Frames are of no use before the next keyframe. */
  needsKeyframe: boolean;
  /** Why frames are left out until then: the viewer was slow. */
  isBehind: boolean;
  /** What the next frame that is taken has to say. */
  dropped: boolean;
  discontinuity: boolean;
  /** Not all frames are keyframes. */
  isMixed: boolean;
}

/** What waits for one viewer of a live source: bounded, the newest kept. */
export class LiveQueue {
  /** Frames that were left out because the viewer was slow. */
  dropped = 0;
  /** Bytes of all frames that would have been sent to a viewer who is quick enough. */
  offered = 0;
  #items: LiveItem[] = [];
  #streams = new Map<number, StreamState>();
  #pictures = { count: 0, bytes: 0 };
  #options: LiveQueueOptions;
  #failure: { error: Error } | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(options: LiveQueueOptions) {
    this.#options = options;
  }

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  /**
   * Adds a frame, and makes room by leaving out the oldest where there is none.
   *
   * @returns frames that were left out
   */
  offer(frame: SharedFrame): number {
    const { sound = true, isPaused } = this.#options;
    if (this.#failure !== undefined || (!sound && !frame.isPicture)) return 0;
    const state = this.#stateOf(frame);
    state.isMixed ||= !frame.frame.keyframe;
    if (isPaused?.()) {
      this.#forget();
      return 0;
    }
    if (state.isBehind || !state.needsKeyframe || frame.frame.keyframe) this.offered += frame.size;
    if (state.needsKeyframe && !frame.frame.keyframe) {
      if (state.isBehind) this.#count(state, 1);
      return state.isBehind ? 1 : 0;
    }
    state.needsKeyframe = state.isBehind = false;
    // What the frame has to say besides is found when it is taken.
    this.#push({ kind: "frame", frame: frame.hold(), dropped: false, discontinuity: false });
    if (!frame.isPicture) return this.#trimSound(frame, state);
    this.#pictures.count++;
    this.#pictures.bytes += frame.size;
    return this.#trimPictures(frame, state);
  }

  /** Adds news. They are not left out. */
  tell(notice: Notice): void {
    if (this.#failure === undefined) this.#push({ kind: "notice", notice });
  }

  /** Lets nothing more come but this, after what waits already. */
  fail(error: Error): void {
    this.#failure ??= { error };
    this.#waiting?.resolve();
  }

  /**
   * Waits for the next item.
   *
   * @throws the signal's reason, or what the source failed with
   */
  async take(signal: AbortSignal): Promise<LiveItem> {
    while (true) {
      signal.throwIfAborted();
      if (this.#options.isPaused?.()) this.#forget();
      const item = this.#items.shift();
      if (item !== undefined) return this.#taken(item);
      if (this.#failure !== undefined) throw this.#failure.error;
      await this.#changed(signal);
    }
  }

  /** Lets go of all that waits. */
  close(): void {
    this.fail(new Error("Cannot take frames: the viewer has left"));
    this.#removeWhere(() => true);
    this.#items = [];
  }

  #push(item: LiveItem): void {
    this.#items.push(item);
    this.#waiting?.resolve();
  }

  #taken(item: LiveItem): LiveItem {
    if (item.kind === "notice") return item;
    const state = this.#stateOf(item.frame);
    this.#leave(item.frame);
    const { dropped, discontinuity } = state;
    state.dropped = state.discontinuity = false;
    return { ...item, dropped, discontinuity };
  }

  async #changed(signal: AbortSignal): Promise<void> {
    const waiting = Promise.withResolvers<void>();
    const wake = () => waiting.resolve();
    this.#waiting = waiting;
    signal.addEventListener("abort", wake);
    await waiting.promise;
    signal.removeEventListener("abort", wake);
    this.#waiting = undefined;
  }

  /** Lets go of the frames that wait, for no fault of the viewer. */
  #forget(): void {
    this.#removeWhere(() => true);
    for (const state of this.#streams.values()) {
      state.needsKeyframe = true;
      state.isBehind = false;
      state.discontinuity = true;
    }
  }

  #trimSound(newest: SharedFrame, state: StreamState): number {
    const { soundTime } = this.#options.limits;
    const oldest = newest.at - soundTime;
    const removed = this.#removeWhere((frame) => !frame.isPicture && frame.at < oldest);
    this.#count(state, removed);
    return removed;
  }

  #trimPictures(newest: SharedFrame, state: StreamState): number {
    let removed = 0;
    while (this.#isOver(newest, state)) removed += this.#removeOldest(state);
    this.#count(state, removed);
    return removed;
  }

  #isOver(newest: SharedFrame, { isMixed }: StreamState): boolean {
    const { pictures, pictureTime, pictureBytes } = this.#options.limits;
    const { count, bytes } = this.#pictures;
    if (count <= FEWEST_PICTURES) return false;
    if (!isMixed && count > pictures) return true;
    const oldest = this.#items.find(isPicture);
    return bytes > pictureBytes ||
      (oldest?.kind === "frame" && newest.at - oldest.frame.at > pictureTime);
  }

  /** Leaves out the oldest picture, and those that build upon it. */
  #removeOldest(state: StreamState): number {
    let inRun = true;
    let isFirst = true;
    const removed = this.#removeWhere((frame) => {
      if (!frame.isPicture || !inRun) return false;
      inRun = isFirst || !frame.frame.keyframe;
      isFirst = false;
      return inRun;
    });
    state.needsKeyframe = this.#pictures.count === 0;
    state.isBehind = state.needsKeyframe;
    return removed;
  }

  #count(state: StreamState, frames: number): void {
    this.dropped += frames;
    if (frames > 0) state.dropped = true;
  }

  #removeWhere(isUnwanted: (frame: SharedFrame) => boolean): number {
    const before = this.#items.length;
    this.#items = this.#items.filter((item) => {
      if (item.kind !== "frame" || !isUnwanted(item.frame)) return true;
      this.#leave(item.frame);
      item.frame.release();
      return false;
    });
    return before - this.#items.length;
  }

  #leave({ isPicture, size }: SharedFrame): void {
    if (!isPicture) return;
    this.#pictures.count--;
    this.#pictures.bytes -= size;
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

function isPicture(item: LiveItem): boolean {
  return item.kind === "frame" && item.frame.isPicture;
}

/** What a {@linkcode SharedFrame} is made with. */
export interface SharedFrameOptions {
  isPicture: boolean;
  /** Milliseconds at which it came, by the broadcast's clock. */
  at: number;
  /** Called once nobody holds the frame any more. */
  recycle: (frame: Frame) => void;
}

/**
 * A frame that many viewers send from the same memory. Whoever keeps it holds it and lets it go;
 * with the last of them, the memory goes back to where it came from.
 */
export class SharedFrame {
  readonly frame: Frame;
  /** The frame as a message of the native wire, header and all, around the frame's own data. */
  readonly message: Uint8Array<ArrayBuffer>;
  readonly isPicture: boolean;
  /** Milliseconds at which it came, by the broadcast's clock. */
  readonly at: number;
  #recycle: (frame: Frame) => void;
  #holders = 1;

  /** Whoever makes it holds it. */
  constructor(frame: Frame, { isPicture, at, recycle }: SharedFrameOptions) {
    this.frame = frame;
    this.message = encodeFrame(frame);
    this.isPicture = isPicture;
    this.at = at;
    this.#recycle = recycle;
  }

  /** Bytes of its data. */
  get size(): number {
    return this.frame.data.byteLength;
  }

  /** Seconds since it was captured; none where somebody has set the clock back since. */
  get age(): number {
    const now = wallClock();
    return Math.max(0, now - (this.frame.captured ?? now)) / 1e6;
  }

  /** Holds it once more. */
  hold(): this {
    this.#holders++;
    return this;
  }

  /** Lets it go. From here on the caller may not look at it any more. */
  release(): void {
    this.#holders--;
    if (this.#holders === 0) this.#recycle(this.frame);
  }
}
