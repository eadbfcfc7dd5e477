/** Reads the blocks of clusters, one chunk of the file at a time. */
import { FormatError, TruncatedError } from "../../base/errors.ts";
import { KEYFRAME_FLAG, MAX_BLOCK_HEADER, readBlockHeader } from "./blocks.ts";
import {
  broken,
  type ElementHeader,
  elementsIn,
  MAX_HEADER,
  readHeader,
  toUint,
  UNKNOWN_SIZE,
} from "./ebml.ts";
import { CLUSTER, EBML, SEGMENT } from "./ids.ts";
import { isLevel1, type Segment } from "./segment.ts";
import type { Window } from "./window.ts";

/** A block with the facts that its surroundings state. */
export interface Block {
  /** Number of the track. */
  track: number;
  /** Ticks. */
  time: number;
  /** Whether it is marked as a keyframe. */
  isKey: boolean;
  /** Ticks, as a group states them; 0 otherwise. */
  duration: number;
  flags: number;
  /** The frames, with their sizes if there are several. */
  data: Uint8Array<ArrayBuffer>;
  /** Offset of its cluster in the file, bytes. */
  cluster: number;
}

/** Bytes of one block, of which FFmpeg reads no more either. */
const MAX_BLOCK = 2 ** 28;

/** Bytes of an element of a cluster that is a number. */
const MAX_NUMBER = 8;

/** Reads blocks from a cluster on to the end of the segment. */
export class ClusterReader {
  #file: Window;
  #end: number;
  #isWanted: (track: number) => boolean;
  #at: number;
  /** Offsets of the cluster and of the end of its content, and its time, which comes first in it. */
  #cluster: { start: number; end: number; time: number | undefined } | undefined;
  #needed = MAX_HEADER;

  /**
   * @param file is read by this reader only
   * @param start offset of a cluster
   * @param isWanted whether a number is that of a wanted track
   */
  constructor(
    file: Window,
    { segment, start, isWanted }: {
      segment: Pick<Segment, "end">;
      start: number;
      isWanted: (track: number) => boolean;
    },
  ) {
    this.#file = file;
    this.#end = segment.end;
    this.#at = start;
    this.#isWanted = isWanted;
  }

  /** Offset of the next element in the file, bytes. */
  get position(): number {
    return this.#at;
  }

  /**
   * Gives the blocks of the next chunk, which may be none.
   *
   * @returns `undefined` at the end
   * @throws {FormatError} for bytes that are no clusters
   * @throws {TruncatedError} if the file ends before the segment
   */
  async next(): Promise<Block[] | undefined> {
    if (this.#at >= this.#end) return undefined;
    const { size } = this.#file;
    if (this.#at >= size) throw new TruncatedError(this.#end - this.#at, 0);
    const needed = Math.min(this.#needed, this.#end - this.#at);
    await this.#file.load(
      this.#at,
      needed === MAX_HEADER ? Math.min(needed, size - this.#at) : needed,
    );
    this.#needed = MAX_HEADER;
    const blocks: Block[] = [];
    while (this.#at < this.#end && this.#step(blocks));
    return blocks;
  }

  /** Takes one element; `false` if more bytes are needed. */
  #step(blocks: Block[]): boolean {
    const { bytes, start, end, size } = this.#file;
    const header = readHeader(bytes, this.#at - start, bytes.byteLength);
    if (header === undefined) {
      if (end === size && size - this.#at < MAX_HEADER) {
        throw new TruncatedError(MAX_HEADER, size - this.#at);
      }
      return false;
    }
    if (this.#cluster !== undefined && this.#at >= this.#cluster.end) this.#cluster = undefined;
    const parent = this.#cluster?.end ?? this.#end;
    if (header.size === UNKNOWN_SIZE || this.#at + header.length + header.size > parent) {
      const found = header.size === UNKNOWN_SIZE ? "an unknown size" : `${header.size} bytes`;
      throw broken("cluster", `an element of ${found}`, "one that ends in its parent");
    }
    if (this.#cluster === undefined) {
      this.#enter(header);
      return true;
    }
    return this.#take(header, blocks);
  }

  #enter({ id, size, length }: ElementHeader): void {
    const content = this.#at + length;
    if (id === SEGMENT.cluster) {
      this.#cluster = { start: this.#at, end: content + size, time: undefined };
      this.#at = content;
    } else if (isLevel1(id) || id === EBML.void || id === EBML.crc32) {
      this.#at = content + size;
    } else {
      throw broken("segment", `an element 0x${id.toString(16)}`, "a cluster");
    }
  }

  /** Takes an element of the cluster. */
  #take({ id, size, length }: ElementHeader, blocks: Block[]): boolean {
    const content = this.#at + length;
    if (isLevel1(id)) throw broken("cluster", `an element 0x${id.toString(16)}`, "a block");
    if (id === CLUSTER.timestamp) {
      if (size > MAX_NUMBER) throw broken("cluster", `a time of ${size} bytes`, "at most 8");
      if (!this.#need(length + size)) return false;
      if (this.#cluster) this.#cluster.time = toUint(this.#file.view(content, size));
    } else if (id === CLUSTER.simpleBlock || id === CLUSTER.group) {
      if (size > MAX_BLOCK) throw broken("block", `${size} bytes`, `at most ${MAX_BLOCK}`);
      const isSimple = id === CLUSTER.simpleBlock;
      // Blocks of other tracks are not read.
      if (isSimple && size > MAX_BLOCK_HEADER) {
        if (!this.#need(length + MAX_BLOCK_HEADER)) return false;
        const at = content - this.#file.start;
        const { track } = readBlockHeader(this.#file.bytes, at, at + MAX_BLOCK_HEADER);
        if (!this.#isWanted(track)) {
          this.#at = content + size;
          return true;
        }
      }
      if (!this.#need(length + size)) return false;
      const body = this.#file.view(content, size);
      const block = isSimple ? this.#simple(body) : this.#group(body);
      if (block !== undefined && this.#isWanted(block.track)) blocks.push(block);
    }
    this.#at = content + size;
    return true;
  }

  /** Whether so many bytes from here on are at hand; otherwise they are read next. */
  #need(count: number): boolean {
    if (this.#file.has(this.#at, count)) return true;
    this.#needed = Math.max(count, MAX_HEADER);
    return false;
  }

  #simple(body: Uint8Array<ArrayBuffer>): Block | undefined {
    return this.#block(body, { duration: 0 });
  }

  #group(body: Uint8Array<ArrayBuffer>): Block | undefined {
    let block: Uint8Array<ArrayBuffer> | undefined;
    let [isKey, duration] = [true, 0];
    for (const { id, body: content } of elementsIn(body)) {
      if (id === CLUSTER.block) {
        if (block !== undefined) throw broken("block group", "two blocks", "one");
        block = content;
      } else if (id === CLUSTER.duration) duration = toUint(content);
      else if (id === CLUSTER.reference) isKey = false;
    }
    return block && this.#block(block, { duration, isKey });
  }

  #block(
    body: Uint8Array<ArrayBuffer>,
    { duration, isKey }: { duration: number; isKey?: boolean },
  ): Block | undefined {
    const { track, time, flags, length } = readBlockHeader(body, 0, body.byteLength);
    const { time: base, start } = this.#cluster ?? { start: 0 };
    if (base === undefined) throw broken("cluster", "a block before the time", "the time first");
    const data = body.subarray(length);
    // FFmpeg gives no packets without content.
    if (data.byteLength === 0) return undefined;
    const ticks = base + time;
    if (ticks < 0 || !Number.isSafeInteger(ticks)) {
      throw broken("block", `a time of ${ticks} ticks`, "0 or later");
    }
    return {
      ...{ track, time: ticks, duration, flags, data, cluster: start },
      isKey: isKey ?? (flags & KEYFRAME_FLAG) !== 0,
    };
  }
}

/**
 * Checks that a cluster begins somewhere.
 *
 * @throws {FormatError} otherwise
 */
export async function checkCluster(file: Window, offset: number): Promise<void> {
  await file.load(offset, Math.min(MAX_HEADER, file.size - offset));
  const header = readHeader(file.bytes, offset - file.start, file.bytes.byteLength);
  if (header?.id === SEGMENT.cluster && header.size !== UNKNOWN_SIZE) return;
  throw new FormatError(
    `Cannot read Matroska "cues": no cluster of known size at ${offset}, expected one`,
  );
}
