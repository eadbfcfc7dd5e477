/** Writes the pickles of numpy arrays around their pixels. */

/** Bytes after the pixels that follow {@linkcode arrayPrefix}: TUPLE (the array's state), BUILD, STOP. */
export const ARRAY_SUFFIX: Uint8Array = Uint8Array.of(0x74, 0x62, 0x2e);

/** PROTO with its argument. Every Python since 3.4 reads protocol 4. */
const PROTOCOL_4 = [0x80, 4];

const STOP = 0x2e;

/** Opcodes of tuples by their length: none, TUPLE1, TUPLE2, TUPLE3. */
const TUPLES = [NaN, 0x85, 0x86, 0x87];

/** Largest extent and largest size in bytes. Extents are signed, so that both stay below 2^31. */
const MAX_SIZE = 2 ** 31 - 1;

/**
 * The pickle of a numpy `uint8` array in C order, up to its pixels: protocol 4 without the optional
 * memo and frames.
 *
 * Equals the result of `ndarray.__reduce__`: `_reconstruct(ndarray, (0,), b"b")`, then the state
 * `(1, shape, dtype, False, pixels)`. `_reconstruct` is in `numpy.core.multiarray` in numpy 1, and in
 * numpy 2 too, for old pickles and without a warning.
 *
 * @param shape one to three extents, slowest axis first: height, width and channels of a picture
 * @throws {RangeError} for extents that are not positive integers, or of more than 2 GiB together
 *
 * @example
 * ```ts
 * import { ARRAY_SUFFIX, arrayPrefix, readPickle } from "./unpickler.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const pickle = Uint8Array.of(...arrayPrefix([1, 2, 3]), 1, 2, 3, 4, 5, 6, ...ARRAY_SUFFIX);
 * assertEquals(readPickle(pickle), {
 *   kind: "array",
 *   array: { shape: [1, 2, 3], dtype: "uint8", data: Uint8Array.of(1, 2, 3, 4, 5, 6) },
 * });
 * ```
 */
export function arrayPrefix(shape: readonly number[]): Uint8Array {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const isShape = shape.length in TUPLES && shape.length > 0 &&
    shape.every((extent) => Number.isInteger(extent) && extent > 0);
  if (!isShape || size > MAX_SIZE) {
    throw new RangeError(
      `Cannot pickle an array of shape (${shape.join(", ")}): expected one to three positive ` +
        `integers for at most ${MAX_SIZE} bytes`,
    );
  }
  return Uint8Array.of(
    ...PROTOCOL_4,
    ...globalOf("numpy.core.multiarray", "_reconstruct"),
    ...globalOf("numpy", "ndarray"),
    ...[0x4b, 0, 0x85], // BININT1, TUPLE1: the shape (0,)
    ...[0x43, 1, 0x62], // SHORT_BINBYTES: the type code b"b"
    ...[0x87, 0x52], // TUPLE3, REDUCE
    ...[0x28, 0x4b, 1], // MARK, BININT1: the state and its version
    ...shape.flatMap(binint),
    TUPLES[shape.length],
    ...globalOf("numpy", "dtype"),
    ...text("u1"),
    ...[0x89, 0x88, 0x87, 0x52], // NEWFALSE, NEWTRUE, TUPLE3, REDUCE
    ...[0x28, 0x4b, 3], // MARK, BININT1: the dtype's state and its version
    ...text("|"),
    ...[0x4e, 0x4e, 0x4e], // NONE: no subarray, names, fields
    ...[...binint(-1), ...binint(-1)], // item size and alignment are those of the type
    ...[0x4b, 0, 0x74, 0x62], // BININT1, TUPLE, BUILD: no flags
    0x89, // NEWFALSE: not in Fortran order
    ...[0x42, ...uint32(size)], // BINBYTES
  );
}

/** The pickle of a Python `bytes` object, protocol 4. */
export function bytesPickle(bytes: Uint8Array): Uint8Array {
  const { byteLength } = bytes;
  const header = byteLength < 256 ? [0x43, byteLength] : [0x42, ...uint32(byteLength)];
  const pickle = new Uint8Array(PROTOCOL_4.length + header.length + byteLength + 1);
  pickle.set([...PROTOCOL_4, ...header]);
  pickle.set(bytes, PROTOCOL_4.length + header.length);
  pickle[pickle.byteLength - 1] = STOP;
  return pickle;
}

/** Two SHORT_BINUNICODE and a STACK_GLOBAL. */
function globalOf(module: string, name: string): number[] {
  return [...text(module), ...text(name), 0x93];
}

/** SHORT_BINUNICODE of ASCII text. */
function text(value: string): number[] {
  return [0x8c, value.length, ...new TextEncoder().encode(value)];
}

/** BININT: a signed integer of four bytes. */
function binint(value: number): number[] {
  return [0x4a, ...uint32(value)];
}

function uint32(value: number): number[] {
  return [value & 0xff, value >> 8 & 0xff, value >> 16 & 0xff, value >>> 24];
}
