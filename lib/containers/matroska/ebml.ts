/** EBML: numbers of variable length, and elements in memory (RFC 8794). */
import { FormatError } from "../../base/errors.ts";

/** Bytes of the longest element header that is read: an identifier and a size. */
export const MAX_HEADER = 12;

/** Bytes of the longest identifier. */
const MAX_ID = 4;

/** Size of an element that ends where its parent goes on (RFC 8794, section 6.2). */
export const UNKNOWN_SIZE = -1;

/** The head of an element: all that precedes its content. */
export interface ElementHeader {
  id: number;
  /** Bytes of the content, or {@linkcode UNKNOWN_SIZE}. */
  size: number;
  /** Bytes of the header itself. */
  length: number;
}

/** An element in memory. */
export interface Element {
  id: number;
  /** A view on its content. */
  body: Uint8Array<ArrayBuffer>;
}

/** Bytes of a number by its first byte; 9 for a byte that begins none. */
export function numberLength(first: number): number {
  return Math.clz32(first) - 23;
}

/**
 * Reads a number of variable length, without its marker (RFC 8794, section 4).
 *
 * @param length {@linkcode numberLength} of the byte at `at`
 * @returns {@linkcode UNKNOWN_SIZE} if all bits are set
 * @throws {FormatError} beyond 2^53
 */
export function readNumber(bytes: Uint8Array, at: number, length: number): number {
  let value = bytes[at] & (0xff >> length);
  let isUnknown = value === 0xff >> length;
  for (let index = 1; index < length; index++) {
    const byte = bytes[at + index];
    value = value * 256 + byte;
    isUnknown &&= byte === 0xff;
  }
  if (isUnknown) return UNKNOWN_SIZE;
  if (value > Number.MAX_SAFE_INTEGER) throw broken("number", `${value}`, "less than 2^53");
  return value;
}

/**
 * Reads the header of an element.
 *
 * @param end offset of the end of the bytes at hand
 * @returns `undefined` if it is incomplete
 * @throws {FormatError} if it is none
 */
export function readHeader(bytes: Uint8Array, at: number, end: number): ElementHeader | undefined {
  if (at >= end) return undefined;
  const idLength = numberLength(bytes[at]);
  if (idLength > MAX_ID) {
    throw broken("identifier", `it begins with 0x${bytes[at].toString(16)}`, "up to 4 bytes");
  }
  const sizeAt = at + idLength;
  if (sizeAt >= end) return undefined;
  const sizeLength = numberLength(bytes[sizeAt]);
  if (sizeLength > 8) throw broken("size", "it begins with 0x0", "up to 8 bytes");
  if (sizeAt + sizeLength > end) return undefined;
  const id = readBytes(bytes, at, idLength);
  const size = readNumber(bytes, sizeAt, sizeLength);
  return { id, size, length: idLength + sizeLength };
}

/**
 * Gives the elements of a content in memory.
 *
 * @throws {FormatError} if one of them does not end within it
 */
export function* elementsIn(body: Uint8Array<ArrayBuffer>): Generator<Element> {
  for (let at = 0; at < body.byteLength;) {
    const header = readHeader(body, at, body.byteLength);
    if (header === undefined) throw broken("element", "it ends in its header", "a whole one");
    const start = at + header.length;
    const end = start + header.size;
    if (header.size === UNKNOWN_SIZE || end > body.byteLength) {
      throw broken(
        `element 0x${header.id.toString(16)}`,
        header.size === UNKNOWN_SIZE ? "of unknown size" : `${header.size} bytes`,
        `at most ${body.byteLength - start} bytes`,
      );
    }
    yield { id: header.id, body: body.subarray(start, end) };
    at = end;
  }
}

/**
 * Reads an unsigned integer of up to 8 bytes; 0 without any.
 *
 * @throws {FormatError} beyond 2^53
 */
export function toUint(body: Uint8Array): number {
  if (body.byteLength > 8) throw broken("integer", `${body.byteLength} bytes`, "at most 8");
  const value = readBytes(body, 0, body.byteLength);
  if (value > Number.MAX_SAFE_INTEGER) throw broken("integer", `${value}`, "less than 2^53");
  return value;
}

/**
 * Reads a floating-point number; 0 for no bytes.
 *
 * @throws {FormatError} if it has neither 4 nor 8 bytes
 */
export function toFloat(body: Uint8Array): number {
  const { byteLength, buffer, byteOffset } = body;
  if (byteLength === 0) return 0;
  const view = new DataView(buffer, byteOffset, byteLength);
  if (byteLength === 4) return view.getFloat32(0);
  if (byteLength === 8) return view.getFloat64(0);
  throw broken("float", `${byteLength} bytes`, "4 or 8");
}

/** Reads a text, which may be padded by zeros. */
export function toText(body: Uint8Array): string {
  const end = body.indexOf(0);
  return new TextDecoder().decode(end < 0 ? body : body.subarray(0, end));
}

function readBytes(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let index = 0; index < length; index++) value = value * 256 + bytes[at + index];
  return value;
}

/** An error about something in the file that is wrong or not understood. */
export function broken(name: string, found: string, expected: string): FormatError {
  return new FormatError(`Cannot read Matroska "${name}": ${found}, expected ${expected}`);
}
