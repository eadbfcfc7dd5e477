/** Boxes of the ISO base media format, and of QuickTime, whose atoms are the same. */
import { FormatError } from "../../base/errors.ts";

/** A file that FFmpeg has to read: the message says what about it is not understood. */
export class UnindexedError extends Error {
  override name = "UnindexedError";
}

/** A box (ISO/IEC 14496-12, 4.2). */
export interface Box {
  type: string;
  /** Bytes behind the header. */
  body: DataView<ArrayBuffer>;
}

/** The header of a box. */
export interface BoxHeader {
  type: string;
  /** Bytes of the whole box. */
  size: number;
  /** Bytes of the header. */
  header: number;
}

/** Bytes of a header: size and type. */
const HEADER = 8;

/** Bytes of a header with a size of 64 bits. */
export const LARGE_HEADER = 16;

/** Boxes within one; files have a few dozen. */
const MAX_BOXES = 4096;

/**
 * Reads the header of a box.
 *
 * @param room bytes from the box to the end of what holds it, which a size of 0 stands for
 * @throws {FormatError} if it is incomplete, or smaller than its header
 */
export function readHeader(view: DataView<ArrayBuffer>, at: number, room: number): BoxHeader {
  const rest = view.byteLength - at;
  if (rest < HEADER) throw incomplete(rest, HEADER);
  const type = typeAt(view, at + 4);
  const short = view.getUint32(at);
  const header = short === 1 ? LARGE_HEADER : HEADER;
  if (rest < header) throw incomplete(rest, header);
  const size = short === 0 ? room : short === 1 ? Number(view.getBigUint64(at + 8)) : short;
  if (size < header) {
    throw new FormatError(`Cannot read MP4: box of ${size} bytes, expected ${header} at least`);
  }
  return { type, size, header };
}

/**
 * Reads consecutive boxes. Up to 7 bytes may follow: QuickTime ends lists of atoms with four zeros.
 *
 * @throws {FormatError} if one exceeds what holds it
 */
export function boxesIn(body: DataView<ArrayBuffer>, from = 0): Box[] {
  const boxes: Box[] = [];
  for (let at = from; body.byteLength - at >= HEADER;) {
    const room = body.byteLength - at;
    if (body.getUint32(at) === 0) break;
    const { type, size, header } = readHeader(body, at, room);
    if (size > room) throw incomplete(room, size);
    if (boxes.length === MAX_BOXES) {
      throw new FormatError(`Cannot read MP4: more than ${MAX_BOXES} boxes in one`);
    }
    boxes.push({ type, body: part(body, at + header, size - header) });
    at += size;
  }
  return boxes;
}

/**
 * The only box of a type, if there is one.
 *
 * @throws {UnindexedError} if there are several
 */
export function onlyBox(boxes: readonly Box[], type: string): DataView<ArrayBuffer> | undefined {
  const found = boxes.filter((box) => box.type === type);
  if (found.length > 1) throw new UnindexedError(`it has ${found.length} boxes "${type}" in one`);
  return found[0]?.body;
}

/**
 * The only box of a type.
 *
 * @throws {UnindexedError} if there is none, or several
 */
export function needBox(boxes: readonly Box[], type: string): DataView<ArrayBuffer> {
  const body = onlyBox(boxes, type);
  if (body === undefined) throw new UnindexedError(`a box "${type}" is missing`);
  return body;
}

/**
 * Refuses boxes whose effect is not known.
 *
 * @throws {UnindexedError} if there are others
 */
export function allowBoxes(
  boxes: readonly Box[],
  within: string,
  types: ReadonlySet<string>,
): void {
  const other = boxes.find(({ type }) => !types.has(type));
  if (other) throw new UnindexedError(`it has a box "${printable(other.type)}" in "${within}"`);
}

/**
 * Checks that a body has so many bytes before they are read.
 *
 * @throws {FormatError} if it has not
 */
export function needBytes(body: DataView<ArrayBuffer>, size: number): void {
  if (body.byteLength < size) throw incomplete(body.byteLength, size);
}

/**
 * Reads the number of entries of a table, and checks that they are there.
 *
 * @param at of the number
 * @throws {FormatError} if the box is too small
 */
export function entryCount(body: DataView<ArrayBuffer>, at: number, entrySize: number): number {
  needBytes(body, at + 4);
  const count = body.getUint32(at);
  needBytes(body, at + 4 + count * entrySize);
  return count;
}

/** Four characters, one for each byte. */
export function typeAt(view: DataView<ArrayBuffer>, at: number): string {
  return String.fromCharCode(
    ...[view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3)],
  );
}

/** A part of a view. */
export function part(
  view: DataView<ArrayBuffer>,
  at: number,
  size = view.byteLength - at,
): DataView<ArrayBuffer> {
  return new DataView(view.buffer, view.byteOffset + at, size);
}

/** A copy of the bytes of a view, which does not keep the rest of the header in memory. */
export function bytesOf(view: DataView<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
}

/** A type for a message: other characters than ASCII letters, digits and the like become dots. */
export function printable(type: string): string {
  return type.replaceAll(/[^\x20-\x7e]|"/g, ".");
}

function incomplete(found: number, expected: number): FormatError {
  return new FormatError(`Cannot read MP4: box ends after ${found} bytes, expected ${expected}`);
}
