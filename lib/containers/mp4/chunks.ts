/** The tables of sizes and chunks of samples. */
import { type Box, entryCount, needBox, needBytes, onlyBox, UnindexedError } from "./boxes.ts";

/** Bytes of the largest sample. */
const MAX_SAMPLE = 2 ** 28;

/** The sizes of samples. */
export interface SampleSizes {
  /** Number of samples. */
  count: number;
  /** Bytes, if all have the same. */
  each?: number;
  /** Bytes of each sample. */
  read(): Uint32Array<ArrayBuffer>;
}

/**
 * Reads "stsz" or "stz2" (ISO/IEC 14496-12, 8.7.3).
 *
 * @throws {UnindexedError} for what FFmpeg has to read
 * @throws {FormatError} for broken boxes
 */
export function readSizes(boxes: readonly Box[]): SampleSizes {
  const body = onlyBox(boxes, "stsz");
  if (body === undefined) return readCompactSizes(needBox(boxes, "stz2"));
  if (onlyBox(boxes, "stz2")) throw new UnindexedError("it has two tables of sizes");
  needBytes(body, 12);
  const each = body.getUint32(4);
  const count = each === 0 ? entryCount(body, 8, 4) : body.getUint32(8);
  if (each > MAX_SAMPLE) throw new UnindexedError(`it has samples of ${each} bytes`);
  return {
    count,
    each: each || undefined,
    read() {
      const sizes = new Uint32Array(count);
      if (each > 0) return sizes.fill(each);
      for (let index = 0, at = 12; index < count; index++, at += 4) {
        sizes[index] = checkSize(body.getUint32(at));
      }
      return sizes;
    },
  };
}

function readCompactSizes(body: DataView<ArrayBuffer>): SampleSizes {
  needBytes(body, 12);
  const bits = body.getUint8(7);
  if (bits !== 4 && bits !== 8 && bits !== 16) {
    throw new UnindexedError(`it has sizes of ${bits} bits`);
  }
  const count = entryCount(body, 8, bits / 8);
  return {
    count,
    read: () =>
      Uint32Array.from({ length: count }, (_, index) => {
        if (bits === 16) return checkSize(body.getUint16(12 + 2 * index));
        if (bits === 8) return checkSize(body.getUint8(12 + index));
        const both = body.getUint8(12 + (index >> 1));
        return checkSize(index & 1 ? both & 0xf : both >> 4);
      }),
  };
}

function checkSize(size: number): number {
  if (size > 0 && size <= MAX_SAMPLE) return size;
  throw new UnindexedError(`it has a sample of ${size} bytes`);
}

/** The chunks that samples are in. */
export interface Chunks {
  /** Number of samples in all of them. */
  samples: number;
  /** Calls for each chunk with its offset in bytes, and its number of samples. */
  forEach(call: (offset: number, samples: number) => void): void;
}

/**
 * Reads "stco" or "co64", and "stsc".
 *
 * @throws {UnindexedError} for what FFmpeg has to read
 * @throws {FormatError} for broken boxes
 */
export function readChunks(boxes: readonly Box[]): Chunks {
  const offsets = readChunkOffsets(boxes);
  const body = needBox(boxes, "stsc");
  const entries = entryCount(body, 4, 12);
  if (entries === 0) throw new UnindexedError("it has no chunks");
  const firstOf = (entry: number) =>
    entry === entries ? offsets.length : body.getUint32(8 + 12 * entry) - 1;
  const samplesOf = (entry: number) => body.getUint32(12 + 12 * entry);
  let samples = 0;
  for (let entry = 0; entry < entries; entry++) {
    const chunks = firstOf(entry + 1) - firstOf(entry);
    if (chunks <= 0 || samplesOf(entry) === 0 || entry === 0 && firstOf(0) !== 0) {
      throw new UnindexedError("its chunks have no order");
    }
    if (body.getUint32(16 + 12 * entry) !== 1) {
      throw new UnindexedError("it has samples of several formats");
    }
    samples += chunks * samplesOf(entry);
  }
  return {
    samples,
    forEach(call) {
      for (let entry = 0; entry < entries; entry++) {
        const end = firstOf(entry + 1);
        const each = samplesOf(entry);
        for (let chunk = firstOf(entry); chunk < end; chunk++) call(offsets[chunk], each);
      }
    },
  };
}

function readChunkOffsets(boxes: readonly Box[]): Float64Array<ArrayBuffer> {
  const short = onlyBox(boxes, "stco");
  const long = onlyBox(boxes, "co64");
  if (short && long) throw new UnindexedError("it has two tables of chunks");
  const body = short ?? long ?? needBox(boxes, "stco");
  const offsets = new Float64Array(entryCount(body, 4, short ? 4 : 8));
  for (let chunk = 0; chunk < offsets.length; chunk++) {
    offsets[chunk] = short
      ? body.getUint32(8 + 4 * chunk)
      : Number(body.getBigUint64(8 + 8 * chunk));
    if (offsets[chunk] >= 2 ** 52) throw new UnindexedError(`a chunk is at ${offsets[chunk]}`);
  }
  return offsets;
}
