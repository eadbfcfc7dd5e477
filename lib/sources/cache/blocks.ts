/** Blocks: runs of frames of a rendition, as they are kept in memory, and the limit of all of them. */
import { RequestError } from "../../base/errors.ts";
import type { TimedFrame } from "../../media/source.ts";
import type { MemoryBudget } from "../limits.ts";

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

/** Milliseconds for which raw frames are kept for somebody who joins. */
const RAW_TIME = 10_000;

/** Milliseconds for which raw frames are kept for a reader that is behind, as in a pause. */
const RAW_LAG = 15_000;

/** Part of the limit that is freed at once, so that not every frame has to look for memory. */
const SLACK = 64;

/** The part of the memory that a start, and all raw frames that nobody waits for, may take. */
const SHARE = 1 / 2;

/** The part of the memory that one decoder may fill before that is wanted. */
const AHEAD_SHARE = 1 / 8;

/** Times the limit that may be borrowed for what readers have yet to read. */
const MAX_BORROWED = 3;

/** Bytes that are borrowed at once. */
const LOAN = 16e6;

/** Options of {@linkcode BlockStore}. */
export interface BlockStoreOptions {
  /** Bytes; 0 to keep nothing. */
  limit: number;
  /** Lends memory for what readers have yet to read; throws if it has none. */
  budget?: Pick<MemoryBudget, "take">;
  /** The first block that somebody has yet to read, of each decoder that somebody reads. */
  unread?: () => ReadonlyMap<Block["origin"], number>;
}

/**
 * Blocks by their last use. If they exceed the limit together, they are removed in this order: raw
 * frames that nobody waits for, then packets that nobody waits for, then those that somebody has yet
 * to read, unless memory can be borrowed for them, then starts of responses; among equals, the least
 * recently used.
 */
export class BlockStore {
  #limit: number;
  #budget: Pick<MemoryBudget, "take"> | undefined;
  #loans: Disposable[] = [];
  #unread: () => ReadonlyMap<Block["origin"], number>;
  /** Least recently used first. */
  #blocks = new Set<Block>();
  #taken = 0;
  /** Bytes of raw blocks other than starts. */
  #raw = 0;

  constructor({ limit, budget, unread = () => new Map() }: BlockStoreOptions) {
    this.#limit = limit;
    this.#budget = budget;
    this.#unread = unread;
  }

  /** Bytes in use. */
  get taken(): number {
    return this.#taken;
  }

  /** Bytes that the start of one response may take. */
  get startLimit(): number {
    return this.#limit * SHARE;
  }

  /** Bytes that a decoder may make before they are wanted. */
  get aheadLimit(): number {
    return this.#limit * AHEAD_SHARE;
  }

  /** Takes a new block. */
  add(block: Block): void {
    this.#blocks.add(block);
    this.grown(block, block.size);
  }

  /** Counts bytes that a block has grown by. A block that is too large is removed. */
  grown(block: Block, bytes: number): void {
    if (!this.#blocks.has(block)) return;
    this.#taken += bytes;
    if (block.kind === "raw") this.#raw += bytes;
    if (this.#taken > this.#limit) this.#makeRoom(block);
  }

  /** Removes what is kept in borrowed memory although no reader waits for it any more. */
  trim(): void {
    if (this.#taken > this.#limit) this.#makeRoom();
  }

  /** Changes a start that is too large into frames that only follow one. */
  demote(block: Block, kind: Exclude<Block["kind"], "start">): void {
    block.kind = kind;
    if (kind === "raw" && this.#blocks.has(block)) this.#raw += block.size;
  }

  /** Makes a block the most recently used. */
  touch(block: Block): void {
    if (this.#blocks.delete(block)) this.#blocks.add(block);
  }

  /** Removes a block, and gives memory back that was borrowed for it. */
  remove(block: Block): void {
    if (!this.#blocks.delete(block)) return;
    this.#taken -= block.size;
    if (block.kind === "raw") this.#raw -= block.size;
    while (this.#loans.length > 0 && this.#taken <= this.#limit + this.#borrowed - LOAN) {
      this.#loans.pop()?.[Symbol.dispose]();
    }
    block.clear();
    block.origin.onRemoved(block);
  }

  /** Removes blocks until there is room, the one that needs it last. */
  #makeRoom(needy?: Block): void {
    const unread = this.#unread();
    const others = [...this.#blocks].filter((block) => block !== needy);
    const ranked = Map.groupBy(others, (block) => this.#rankOf(block, unread));
    const wanted = this.#limit * (1 - 1 / SLACK);
    this.#removeAll([...ranked.get(0) ?? [], ...ranked.get(1) ?? []], wanted);
    // Starts take no borrowed memory, which they would keep when its readers have gone.
    const isNeedyUnread = needy !== undefined && this.#rankOf(needy, unread) === 2;
    const waitedFor = [...ranked.get(2) ?? [], ...(isNeedyUnread ? [needy] : [])];
    this.#removeAll(ranked.get(3) ?? [], wanted + sizeOf(waitedFor));
    if (this.#taken > wanted && !(ranked.has(2) && this.#borrow())) {
      this.#removeAll([...ranked.get(2) ?? [], ...ranked.get(3) ?? []], wanted + this.#borrowed);
    }
    if (this.#taken > this.#limit + this.#borrowed && needy !== undefined) this.remove(needy);
  }

  #removeAll(blocks: readonly Block[], wanted: number): void {
    for (const block of blocks) {
      if (this.#taken <= wanted) return;
      this.remove(block);
    }
  }

  get #borrowed(): number {
    return this.#loans.length * LOAN;
  }

  /** Borrows memory for what exceeds the limit; returns whether there is enough. */
  #borrow(): boolean {
    while (this.#taken > this.#limit + this.#borrowed) {
      if (this.#borrowed + LOAN > this.#limit * MAX_BORROWED || this.#budget === undefined) {
        return false;
      }
      try {
        this.#loans.push(this.#budget.take(LOAN));
      } catch (error) {
        if (error instanceof RequestError) return false;
        throw error;
      }
    }
    return true;
  }

  /** The lower, the sooner a block is removed. */
  #rankOf(block: Block, unread: ReadonlyMap<Block["origin"], number>): number {
    const { kind, origin, number, madeAt } = block;
    if (kind === "start") return 3;
    const isUnread = number >= (unread.get(origin) ?? Infinity);
    if (kind === "packets") return isUnread ? 2 : 1;
    const age = performance.now() - madeAt;
    if (isUnread && age <= RAW_LAG) return 2;
    const isOld = !origin.isLive || age > RAW_TIME;
    return isOld || this.#raw > this.#limit * SHARE ? 0 : 1;
  }
}

/** Bytes of some blocks. */
function sizeOf(blocks: readonly Block[]): number {
  return blocks.reduce((sum, { size }) => sum + size, 0);
}
