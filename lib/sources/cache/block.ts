/** Runs of frames of a rendition, as they are kept in memory. */
import type { TimedFrame } from "../../media/source.ts";

/**
 * A position in a rendition: the number of frames before it, by stream. The frames of a stream are
 * the same whenever they are made, but their order among those of other streams is not.
 */
export type Counts = ReadonlyMap<number, number>;

/** Whether a position is at or behind another one in every stream. */
export function reaches(counts: Counts, other: Counts): boolean {
  for (const [id, count] of other) if ((counts.get(id) ?? 0) < count) return false;
  return true;
}

/** Times real time at which a decoder that has to begin at the start gets to a place, at least. */
const CATCH_UP_SPEED = 5;

/** Seconds before the end of what is kept at which a decoder is started that goes on there. */
const MARGIN = 2;

/**
 * Seconds before a place at which a decoder has to be started that goes on there: most begin at the
 * start of the part.
 *
 * @param due seconds at which the frame there is due
 */
export function catchUpTime(due: number): number {
  return MARGIN + due / CATCH_UP_SPEED;
}

/** Identifies a frame within its stream. */
export interface FrameKey {
  /** Ticks. */
  timestamp: number;
  /** Bytes. */
  size: number;
  /** Whether the frame before it has the same timestamp. */
  isRepeated?: boolean;
}

/** Notes a frame as the latest one of its stream. */
export function noteKey(keys: Map<number, FrameKey>, { streamId, timestamp, data }: TimedFrame) {
  const isRepeated = keys.get(streamId)?.timestamp === timestamp;
  keys.set(streamId, { timestamp, size: data.byteLength, isRepeated });
}

/** The use of a block: to begin a response, or to go on with one. */
export type BlockKind = "start" | "packets" | "raw";

/** The decoder that blocks come from, as far as they are concerned. */
export interface BlockOrigin {
  /** Whether further blocks follow. */
  readonly isLive: boolean;
  /** Called when a block of it was removed from memory. */
  onRemoved(block: Block): void;
}

/** Bytes counted for a block besides its frames: about what the objects take. */
const BLOCK_SIZE = 1024;

/** Bytes counted for a frame besides its data. */
const FRAME_SIZE = 256;

/** Bytes that a frame takes in a block. */
export function storedSize({ data }: TimedFrame): number {
  return data.buffer.byteLength + FRAME_SIZE;
}

/** Consecutive frames of one decoder, in memory that readers share. */
export class Block<Origin extends BlockOrigin = BlockOrigin> {
  readonly origin: Origin;
  /** Position of it among those of the same decoder. */
  readonly number: number;
  kind: BlockKind;
  /** The position at which it begins. */
  readonly first: Counts;
  /** The latest frame of each stream before it, as far as it was read. */
  readonly before: ReadonlyMap<number, FrameKey>;
  /** Milliseconds on the clock of `performance.now()`. */
  readonly madeAt = performance.now();
  /** The block of the same decoder that follows. */
  next: Block<Origin> | undefined;
  /** No further frame is added. */
  isClosed = false;
  /** It was removed from memory. */
  isGone = false;
  /** Bytes counted for it. */
  size: number;
  #frames: TimedFrame[] = [];
  /** The number of frames of its stream before each frame. */
  #indexes: number[] = [];
  #end: Map<number, number>;

  /** @param about bytes of what describes it */
  constructor(
    origin: Origin,
    { number, kind, first, before, about = 0 }: {
      number: number;
      kind: BlockKind;
      first: Counts;
      before: ReadonlyMap<number, FrameKey>;
      about?: number;
    },
  ) {
    this.origin = origin;
    this.number = number;
    this.kind = kind;
    this.first = new Map(first);
    this.before = new Map(before);
    this.size = BLOCK_SIZE + about;
    this.#end = new Map(first);
  }

  /** Number of frames. */
  get length(): number {
    return this.#frames.length;
  }

  /** The position behind its last frame so far. */
  get end(): Counts {
    return this.#end;
  }

  /** Seconds at which its frames are due, the first and the last one so far. */
  get due(): { first: number; last: number } | undefined {
    const [first] = this.#frames;
    const last = this.#frames.at(-1);
    return first && last && { first: first.due, last: last.due };
  }

  /** The latest frame of each stream up to its end. */
  get keys(): Map<number, FrameKey> {
    const keys = new Map(this.before);
    for (const frame of this.#frames) noteKey(keys, frame);
    return keys;
  }

  /** Appends a frame in memory that nothing writes to. */
  add(frame: TimedFrame, index: number): void {
    this.#frames.push(frame);
    this.#indexes.push(index);
    this.#end.set(frame.streamId, index + 1);
    this.size += storedSize(frame);
  }

  /** The frame at a place, with its number within its stream. */
  at(place: number): { frame: TimedFrame; index: number } {
    return { frame: this.#frames[place], index: this.#indexes[place] };
  }

  /** Finds the frame with a number in its stream. */
  keyAt(streamId: number, index: number): FrameKey | undefined {
    const place = this.#frames.findIndex((frame, place) =>
      frame.streamId === streamId && this.#indexes[place] === index
    );
    if (place < 0) return undefined;
    const { timestamp, data } = this.#frames[place];
    return { timestamp, size: data.byteLength };
  }

  /** The timestamp of the last keyframe of a stream that is not behind another timestamp. */
  keyframeAt(streamId: number, timestamp: number): number | undefined {
    return this.#frames.findLast((frame) =>
      frame.streamId === streamId && frame.keyframe && frame.timestamp <= timestamp
    )?.timestamp;
  }

  /** Whether it has the frame that follows a position, in some stream, and skips none. */
  continues(counts: Counts): boolean {
    return !this.isGone && reaches(counts, this.first) && !reaches(counts, this.#end);
  }

  /** Releases its frames. */
  clear(): void {
    this.isGone = true;
    this.#frames = [];
    this.#indexes = [];
  }
}
