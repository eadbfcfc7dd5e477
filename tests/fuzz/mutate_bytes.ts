/** Mutates bytes. */
import { concat } from "../support/media/bytes.ts";
import type { Random } from "./random.ts";

/** Changes an input; may take parts of others. */
export type Mutator = (
  input: Uint8Array,
  others: readonly Uint8Array[],
  random: Random,
) => Uint8Array<ArrayBuffer>;

/** Limits of integers of 8, 16 and 32 bits. */
const EDGES = [
  ...[0, 1, 2, 4, 11, 12, 16, 127, 128, 255, 256, 4095, 4096, 65_535, 65_536, 2 ** 20, 2 ** 24],
  ...[2 ** 28, 2 ** 28 + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1],
];

/** Largest size of a mutated input, bytes. */
const MAX_SIZE = 64 * 1024;

/** Changes a few bits, bytes, numbers and pieces. */
export const mutateBytes: Mutator = (input, others, random) => {
  let bytes = new Uint8Array(input);
  for (let count = 1 + random.size(8); count > 0; count--) {
    bytes = changeOnce(bytes, others, random);
  }
  return bytes.slice(0, MAX_SIZE);
};

function changeOnce(
  bytes: Uint8Array<ArrayBuffer>,
  others: readonly Uint8Array[],
  random: Random,
): Uint8Array<ArrayBuffer> {
  const at = random.below(bytes.byteLength + 1);
  const end = Math.min(bytes.byteLength, at + 1 + random.size(64));
  switch (random.below(8)) {
    case 0: // a bit
      if (at < bytes.byteLength) bytes[at] ^= 1 << random.below(8);
      return bytes;
    case 1: // a byte
      if (at < bytes.byteLength) {
        bytes[at] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
      }
      return bytes;
    case 2: // a number
      return writeNumber(bytes, at, random);
    case 3: // what is missing
      return concat(bytes.subarray(0, at), bytes.subarray(end));
    case 4: // the end that is missing
      return bytes.slice(0, at);
    case 5: // what comes again and again
      return concat(
        bytes.subarray(0, end),
        ...Array(1 + random.size(16)).fill(bytes.subarray(at, end)),
        bytes.subarray(end),
      );
    case 6: { // what belongs elsewhere
      const other = random.pick(others);
      const from = random.below(other.byteLength + 1);
      const piece = other.subarray(from, from + 1 + random.size(256));
      return concat(bytes.subarray(0, at), piece, bytes.subarray(random.once(2) ? at : end));
    }
    default: { // what nobody has written
      const noise = Uint8Array.from({ length: 1 + random.size(32) }, () => random.below(256));
      return concat(bytes.subarray(0, at), noise, bytes.subarray(random.once(2) ? at : end));
    }
  }
}

/** Writes a number of 1, 2, 4 or 8 bytes in either byte order, or changes the one there. */
function writeNumber(
  bytes: Uint8Array<ArrayBuffer>,
  at: number,
  random: Random,
): Uint8Array<ArrayBuffer> {
  const size = random.pick([1, 2, 4, 8]);
  if (at + size > bytes.byteLength) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, size);
  const isLittle = random.once(2);
  const edge = random.pick(EDGES);
  if (size === 1) view.setUint8(0, edge);
  else if (size === 2) view.setUint16(0, edge, isLittle);
  else if (size === 8) view.setBigUint64(0, BigInt(edge) << BigInt(random.below(33)), isLittle);
  else if (random.once(2)) view.setUint32(0, edge, isLittle);
  else view.setUint32(0, view.getUint32(0, isLittle) + random.below(5) - 2, isLittle);
  return bytes;
}
