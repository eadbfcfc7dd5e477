/** Keeps blocks of frames within a limit of memory. */
import { RequestError } from "../../base/errors.ts";
import type { MemoryBudget } from "../limits.ts";
import type { Block } from "./block.ts";

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
