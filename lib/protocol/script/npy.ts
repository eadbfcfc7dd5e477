/** Reads arrays in numpy's file format, `.npy`. */
import { FormatError } from "../../base/errors.ts";
import { dtypeName, inCOrder, MAX_AXES, MAX_EXTENT, type NumpyArray } from "./pickle/numpy.ts";
import { DTYPES, latin1Of, quotable } from "./pickle/values.ts";

/** Bytes of the largest array in this format, its header included. */
export const NPY_MAX_LENGTH = 2 ** 28;

/** `\x93NUMPY`, first bytes of every file. */
const MAGIC = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59);

/** Index of the length of the header, behind magic and version. */
const LENGTH_AT = 8;

/** Bytes of the longest header that numpy reads by default (`max_header_size`). */
const MAX_HEADER = 10_000;

/** Keys of the header. */
const KEYS = ["descr", "fortran_order", "shape"] as const;

/** Fields of the header. */
interface NpyHeader {
  shape: number[];
  order: "C" | "F";
  /** Numpy's name of the item type, as of {@linkcode NumpyArray}. */
  dtype: string;
  /** Bytes of an item. */
  itemSize: number;
  /** Index of the first item. */
  start: number;
  /** Bytes of the whole. */
  length: number;
}

/**
 * Reads an array in the format of `numpy.save()`, versions 1.0 to 3.0, as documented by
 * `numpy.lib.format`. The items are a view on `bytes`, and are copied once from Fortran order.
 *
 * @throws {FormatError} for dtypes with objects, texts or fields, for anything malformed, and if
 * `bytes` is shorter or longer than the header says
 *
 * @example
 * ```ts
 * import { readNpy } from "./npy.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const header = "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2), }".padEnd(117) + "\n";
 * const npy = Uint8Array.of(
 *   ...[0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0],
 *   ...new TextEncoder().encode(header),
 *   ...[7, 9],
 * );
 * const data = Uint8Array.of(7, 9);
 * assertEquals(readNpy(npy), { shape: [1, 2], dtype: "uint8", data });
 * ```
 */
export function readNpy(bytes: Uint8Array): NumpyArray {
  const header = parseHeader(bytes);
  if (header === undefined) return refuse(`${bytes.byteLength} bytes`, "a whole header");
  const { dtype, itemSize, start, length } = header;
  if (bytes.byteLength !== length) refuse(`${bytes.byteLength} bytes`, `${length} by its header`);
  return { dtype, ...inCOrder(header, bytes.subarray(start), itemSize) };
}

/**
 * The length of an array in this format, by its header.
 *
 * @param first its first bytes, as many as there are
 * @returns bytes, at most {@linkcode NPY_MAX_LENGTH}; `undefined` if the header goes on
 * @throws {FormatError} as {@linkcode readNpy}, as soon as the bytes tell
 */
export function npyLength(first: Uint8Array): number | undefined {
  return parseHeader(first)?.length;
}

function parseHeader(bytes: Uint8Array): NpyHeader | undefined {
  const magic = bytes.subarray(0, MAGIC.byteLength);
  if (magic.some((byte, at) => byte !== MAGIC[at])) {
    refuse(`"${quotable(magic)}" at its start`, '"\\x93NUMPY"');
  }
  const [major, minor = 0] = bytes.subarray(MAGIC.byteLength, LENGTH_AT);
  if (major < 1 || major > 3 || minor !== 0) {
    refuse(`version ${major}.${minor}`, "1.0, 2.0 or 3.0");
  }
  const headerAt = LENGTH_AT + (major === 1 ? 2 : 4);
  if (bytes.byteLength < headerAt) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const size = major === 1 ? view.getUint16(LENGTH_AT, true) : view.getUint32(LENGTH_AT, true);
  if (size > MAX_HEADER) refuse(`header of ${size} bytes`, `at most ${MAX_HEADER}`);
  const start = headerAt + size;
  if (bytes.byteLength < start) return undefined;
  // Version 3 has UTF-8, but only names of fields, which are refused, are ever beyond ASCII.
  const { descr, fortran_order, shape } = parseDict(latin1Of(bytes.subarray(headerAt, start)));
  const dtype = parseDtype(descr);
  const extents = parseShape(shape);
  const items = extents.reduce((product, extent) => product * extent, 1);
  const length = start + items * dtype.itemSize;
  if (length > NPY_MAX_LENGTH) {
    refuse(`shape (${extents.join(", ")}) of ${dtype.dtype}`, `at most ${NPY_MAX_LENGTH} bytes`);
  }
  return { shape: extents, order: fortran_order === "True" ? "F" : "C", ...dtype, start, length };
}

/** The header's Python literal, `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`. */
function parseDict(header: string): Record<typeof KEYS[number], string> {
  const inner = header.match(/^ *\{([^{}]*)\} *\n$/)?.[1];
  const values = new Map<string, string>();
  let rest = inner?.trim() ?? "";
  while (rest !== "") {
    const entry = rest.match(
      /^(['"])(\w+)\1 *: *('[^'\\]*'|"[^"\\]*"|True|False|\([\d, L]*\)) *(?:, *|$)/,
    );
    if (entry === null || values.has(entry[2])) break;
    values.set(entry[2], entry[3]);
    rest = rest.slice(entry[0].length);
  }
  const [descr, fortran_order = "", shape = ""] = KEYS.map((key) => values.get(key));
  const isWhole = rest === "" && values.size === KEYS.length;
  if (!isWhole || descr === undefined || !/^\w+$/.test(fortran_order) || !shape.startsWith("(")) {
    return refuse(
      `header "${quoted(header)}"`,
      "descr as a text, fortran_order as a bool and shape as a tuple",
    );
  }
  return { descr, fortran_order, shape };
}

/** A type in quotes: byte order, type letter and item size. */
function parseDtype(descr: string): Pick<NpyHeader, "dtype" | "itemSize"> {
  const [, byteOrder, code = ""] = descr.match(/^.([<>|=])([a-z]\d{1,2}).$/) ?? [];
  if (!Object.hasOwn(DTYPES, code)) {
    return refuse(`dtype ${quoted(descr)}`, `a plain one (${Object.keys(DTYPES).join(", ")})`);
  }
  return { dtype: dtypeName(code, byteOrder), itemSize: DTYPES[code].itemSize };
}

/** A tuple of integers; Python 2 puts `L` behind long ones. */
function parseShape(shape: string): number[] {
  if (!/^\(( *| *\d{1,10}L? *,( *\d{1,10}L? *,)*( *\d{1,10}L?)? *)\)$/.test(shape)) {
    return refuse(`shape ${quoted(shape)}`, "a tuple of integers");
  }
  const extents = [...shape.matchAll(/\d+/g)].map(Number);
  if (extents.length > MAX_AXES) refuse(`${extents.length} axes`, `at most ${MAX_AXES}`);
  const tooLarge = extents.find((extent) => extent > MAX_EXTENT);
  if (tooLarge !== undefined) refuse(`extent ${tooLarge}`, `at most ${MAX_EXTENT}`);
  return extents;
}

function quoted(text: string): string {
  return quotable(new TextEncoder().encode(text));
}

/** @throws {FormatError} always */
function refuse(found: string, expected: string): never {
  throw new FormatError(`Cannot read .npy: ${found}, expected ${expected}`);
}
