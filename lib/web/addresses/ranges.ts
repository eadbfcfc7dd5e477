/** Ranges of bytes of a file (RFC 9110, section 14). */

/** A part of a file: the offsets of its first byte, and behind its last one. */
export interface ByteRange {
  start: number;
  end: number;
}

/** Digits of an offset; more are beyond any file. */
const DIGITS = /^\d{1,15}$/;

/**
 * Parses the header Range.
 *
 * @param header its value; null if the request has none
 * @param size bytes of the file
 * @returns the range; `undefined` for the whole file, since a header that is malformed, or has
 * another unit or several ranges, may be ignored; null if the file has no such byte
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseRange } from "./ranges.ts";
 *
 * assertEquals(parseRange("bytes=10-19", 100), { start: 10, end: 20 });
 * assertEquals(parseRange("bytes=-5", 100), { start: 95, end: 100 });
 * assertEquals(parseRange("bytes=100-", 100), null);
 * assertEquals(parseRange("bytes=0-1,5-6", 100), undefined);
 * ```
 */
export function parseRange(header: string | null, size: number): ByteRange | undefined | null {
  const [, first, last] = /^bytes=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header ?? "") ?? [];
  if (first === undefined || first + last === "") return undefined;
  if (first === "") {
    const length = Math.min(offsetOf(last), size);
    return length === 0 ? null : { start: size - length, end: size };
  }
  const start = offsetOf(first);
  const end = last === "" ? size : offsetOf(last) + 1;
  if (end <= start && last !== "") return undefined;
  return start >= size ? null : { start, end: Math.min(end, size) };
}

function offsetOf(digits: string): number {
  const trimmed = digits.replace(/^0+(?=\d)/, "");
  return DIGITS.test(trimmed) ? Number(trimmed) : Number.MAX_SAFE_INTEGER - 1;
}
