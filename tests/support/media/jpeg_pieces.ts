/** Small JPEGs, and the datagrams that scripts make of them. */
import { concat } from "./bytes.ts";

/**
 * A JPEG with a header of its size and data that no decoder has to like.
 *
 * @param seed of the data
 * @param length bytes of the data
 */
export function smallJpeg(
  { seed = 1, length = 200, width = 64, height = 48 }: {
    seed?: number;
    length?: number;
    width?: number;
    height?: number;
  } = {},
): Uint8Array<ArrayBuffer> {
  const size = [height >> 8, height & 0xff, width >> 8, width & 0xff];
  return concat(
    Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 4, 0xff, 0xd9), // with what looks like an end
    Uint8Array.of(0xff, 0xc0, 0, 11, 8, ...size, 1, 1, 0x11, 0),
    Uint8Array.of(0xff, 0xda, 0, 8, 1, 1, 0, 0, 0x3f, 0),
    Uint8Array.from({ length }, (_, at) => (seed * 31 + at * 7) % 251),
    Uint8Array.of(0xff, 0, 0xff, 0xd0, seed % 251, 0xff, 0xd9),
  );
}

/** Cuts bytes into so many pieces, the last of which may be shorter. */
export function cut(bytes: Uint8Array, pieces: number): Uint8Array<ArrayBuffer>[] {
  const size = Math.ceil(bytes.byteLength / pieces);
  return Array.from(
    { length: pieces },
    (_, at) => new Uint8Array(bytes.subarray(at * size, (at + 1) * size)),
  );
}

/** Bytes of the unsigned integers of Python's `struct`. */
const SIZES: Record<string, number> = { B: 1, H: 2, I: 4, Q: 8 };

/**
 * Packs numbers as Python's `struct.pack` does, without padding.
 *
 * @param format such as `!IHH` or `<HH`
 */
export function pack(format: string, ...numbers: number[]): Uint8Array<ArrayBuffer> {
  const [order, ...letters] = format;
  const isLittle = order === "<";
  return concat(...numbers.map((number, at) => {
    const size = SIZES[letters[at]];
    const bytes = Uint8Array.from({ length: size }, (_, place) => number / 2 ** (8 * place) & 0xff);
    return isLittle ? bytes : bytes.reverse();
  }));
}

/** Puts numbers in front of pieces. */
export function numberedPieces(
  format: string,
  pieces: readonly Uint8Array[],
  numbersOf: (at: number, count: number) => number[],
): Uint8Array<ArrayBuffer>[] {
  return pieces.map((piece, at) => concat(pack(format, ...numbersOf(at, pieces.length)), piece));
}
