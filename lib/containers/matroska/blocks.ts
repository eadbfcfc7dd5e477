/** Blocks: the frames of one track that are stored together (RFC 9559, section 10). */
import { broken, numberLength, readNumber, UNKNOWN_SIZE } from "./ebml.ts";

/** The fields in front of the frames of a block. */
export interface BlockHeader {
  /** Number of the track. */
  track: number;
  /** Ticks from the time of the cluster. */
  time: number;
  flags: number;
  /** Bytes of these fields. */
  length: number;
}

/** Bytes of the longest fields. */
export const MAX_BLOCK_HEADER = 11;

/** The flag of a `SimpleBlock` for a keyframe. */
export const KEYFRAME_FLAG = 0x80;

const LACING_MASK = 0x06;
const XIPH = 0x02, FIXED = 0x04;

/**
 * Reads the fields of a block.
 *
 * @param end offset of its end
 * @throws {FormatError} if it ends within them
 */
export function readBlockHeader(bytes: Uint8Array, at: number, end: number): BlockHeader {
  const length = at < end ? numberLength(bytes[at]) : 9;
  const timeAt = at + length;
  if (length > 8 || timeAt + 3 > end) throw broken("block", `${end - at} bytes`, "its fields");
  return {
    track: readNumber(bytes, at, length),
    time: (bytes[timeAt] << 24 | bytes[timeAt + 1] << 16) >> 16,
    flags: bytes[timeAt + 2],
    length: length + 3,
  };
}

/**
 * Cuts the content of a block into frames.
 *
 * @param data a view on what follows the fields
 * @param flags of the block
 * @throws {FormatError} if the sizes of its frames do not fit
 */
export function framesOf(
  data: Uint8Array<ArrayBuffer>,
  flags: number,
): Uint8Array<ArrayBuffer>[] {
  const lacing = flags & LACING_MASK;
  if (lacing === 0) return [data];
  if (data.byteLength === 0) throw broken("lacing", "no frames", "their number");
  const count = data[0] + 1;
  if (lacing === FIXED) return cut(data, 1, fixedSizes(data.byteLength - 1, count));
  const { sizes, at } = lacing === XIPH ? xiphSizes(data, count) : ebmlSizes(data, count);
  const last = data.byteLength - at - sizes.reduce((sum, size) => sum + size, 0);
  if (last < 0) throw broken("lacing", `frames of ${-last} bytes more than there are`, "less");
  return cut(data, at, [...sizes, last]);
}

function cut(
  data: Uint8Array<ArrayBuffer>,
  start: number,
  sizes: readonly number[],
): Uint8Array<ArrayBuffer>[] {
  let at = start;
  return sizes.map((size) => data.subarray(at, at += size));
}

function fixedSizes(length: number, count: number): number[] {
  if (length % count !== 0) throw broken("lacing", `${length} bytes`, `a multiple of ${count}`);
  return Array(count).fill(length / count);
}

/** Sizes of all frames but the last, each as a sum of bytes that ends with one below 255. */
function xiphSizes(data: Uint8Array, count: number): { sizes: number[]; at: number } {
  const sizes: number[] = [];
  let at = 1;
  while (sizes.length < count - 1) {
    let size = 0;
    let byte = 255;
    while (byte === 255) {
      if (at >= data.byteLength) throw broken("lacing", "the end in a size", "sizes");
      byte = data[at++];
      size += byte;
    }
    sizes.push(size);
  }
  return { sizes, at };
}

/** Sizes of all frames but the last: the first as it is, then the differences. */
function ebmlSizes(data: Uint8Array, count: number): { sizes: number[]; at: number } {
  if (count === 1) throw broken("lacing", "one frame", "several");
  const sizes: number[] = [];
  let at = 1;
  while (sizes.length < count - 1) {
    const length = at < data.byteLength ? numberLength(data[at]) : 9;
    if (length > 8 || at + length > data.byteLength) throw broken("lacing", "no size", "sizes");
    const value = readNumber(data, at, length);
    const previous = sizes.at(-1);
    // Differences are stored with half of their range added.
    const size = previous === undefined ? value : previous + value - (2 ** (7 * length - 1) - 1);
    if (value === UNKNOWN_SIZE || size < 0 || size > data.byteLength) {
      throw broken("lacing", `a frame of ${size} bytes`, `0 … ${data.byteLength}`);
    }
    sizes.push(size);
    at += length;
  }
  return { sizes, at };
}
