/** The lengths that scripts put in front of their messages. */
import { FormatError } from "../../base/errors.ts";

/** Bytes of the largest message of a script. */
export const SCRIPT_MAX_LENGTH = 2 ** 28;

/** A length of fixed size in front of each message. */
export interface LengthPrefix {
  /** Bytes of the length itself. */
  readonly size: number;
  /** Its description in messages, such as `4-byte length (big-endian)`. */
  readonly words: string;
  /** Largest length that it can express, bytes. */
  readonly max: number;
  /** Reads it; `undefined` if the bytes are no number. The result may be out of range. */
  parse(header: Uint8Array): number | undefined;
  /** Writes it. */
  encode(length: number): Uint8Array<ArrayBuffer>;
}

/** Digits of `ascii16`. */
const DIGITS = 16;

/**
 * Length prefixes by the names of `--framing`.
 *
 * Python writes them as `struct.pack("i", n)`, `struct.pack("Q", n)` (also `"q"`, and `"L"` on 64-bit
 * Linux), `struct.pack(">L", n)` (also `"!I"`) and `str(n).ljust(16).encode()`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { LENGTH_PREFIXES } from "./lengths.ts";
 *
 * assertEquals(LENGTH_PREFIXES.u32be.parse(Uint8Array.of(0, 0, 1, 2)), 258);
 * assertEquals([...LENGTH_PREFIXES.i32le.encode(258)], [2, 1, 0, 0]);
 * ```
 */
export const LENGTH_PREFIXES = {
  i32le: {
    size: 4,
    words: "4-byte length (little-endian)",
    max: 2 ** 31 - 1,
    parse: (header) => viewOf(header).getInt32(0, true),
    encode: (length) => fourBytes(length, true),
  },
  u64le: {
    size: 8,
    words: "8-byte length (little-endian)",
    max: Number.MAX_SAFE_INTEGER,
    // Rounded above 2^53, which is out of range anyway.
    parse: (header) => Number(viewOf(header).getBigUint64(0, true)),
    encode: (length) => {
      const bytes = new Uint8Array(8);
      viewOf(bytes).setBigUint64(0, BigInt(length), true);
      return bytes;
    },
  },
  u32be: {
    size: 4,
    words: "4-byte length (big-endian)",
    max: 2 ** 32 - 1,
    parse: (header) => viewOf(header).getUint32(0, false),
    encode: (length) => fourBytes(length, false),
  },
  ascii16: {
    size: DIGITS,
    words: "16 digits (ASCII, padded by spaces)",
    max: Number.MAX_SAFE_INTEGER,
    parse: parseDigits,
    encode: (length) => new TextEncoder().encode(String(length).padEnd(DIGITS)),
  },
} satisfies Record<string, LengthPrefix>;

/** Names of {@linkcode LENGTH_PREFIXES}. */
export type PrefixName = keyof typeof LENGTH_PREFIXES;

/**
 * Checks a length that a script names.
 *
 * @returns the length, 1 … {@linkcode SCRIPT_MAX_LENGTH} bytes
 * @throws {FormatError} for any other
 */
export function checkLength(length: number | undefined): number {
  if (length !== undefined && length >= 1 && length <= SCRIPT_MAX_LENGTH) return length;
  const found = length === undefined ? "a length that is no number" : `length ${length}`;
  throw new FormatError(
    `Cannot read a script message: ${found}, expected 1 to ${SCRIPT_MAX_LENGTH}`,
  );
}

/** Digits with spaces on either side; a sign or a decimal point is no part of them. */
function parseDigits(header: Uint8Array): number | undefined {
  const text = String.fromCharCode(...header.subarray(0, DIGITS));
  const [, digits] = text.match(/^ *(\d+) *$/) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

function fourBytes(length: number, isLittleEndian: boolean): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, length, isLittleEndian);
  return bytes;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
