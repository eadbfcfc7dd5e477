/** The boxes of MP4 files (ISO/IEC 14496-12, "Object structure"). Pure. */
import { FormatError } from "../core/errors.ts";

/** A box within some bytes. */
export interface Box {
  /** Its four letters. */
  type: string;
  /** What is in it, behind its size and letters. */
  body: Uint8Array;
  /** Bytes from the beginning of the box to that of the next. */
  size: number;
}

/** Bytes of a box's size and letters. */
const HEADER = 8;

/** Bytes of those whose size takes 64 bits. */
const LARGE_HEADER = 16;

/**
 * The first box, as far as its size is there.
 *
 * @returns its size in bytes, and its letters; `undefined` where too little is there to tell
 * @throws {FormatError} for a size that cannot be
 */
export function readBoxHeader(
  bytes: Uint8Array,
): { size: number; header: number; type: string } | undefined {
  if (bytes.byteLength < HEADER) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const type = String.fromCharCode(...bytes.subarray(4, 8));
  const short = view.getUint32(0);
  const header = short === 1 ? LARGE_HEADER : HEADER;
  if (bytes.byteLength < header) return undefined;
  const size = short === 1 ? Number(view.getBigUint64(8)) : short;
  if (size < header) {
    throw new FormatError(`Cannot read MP4 "${type}": ${size} bytes, expected ${header} at least`);
  }
  return { size, header, type };
}

/**
 * The boxes that lie side by side.
 *
 * @throws {FormatError} where the last one is not whole
 */
export function readBoxes(bytes: Uint8Array): Box[] {
  const boxes: Box[] = [];
  for (let at = 0; at < bytes.byteLength;) {
    const found = readBoxHeader(bytes.subarray(at));
    if (found === undefined || at + found.size > bytes.byteLength) {
      throw new FormatError(
        `Cannot read MP4 "${found?.type ?? "box"}": it ends after ${
          bytes.byteLength - at
        } bytes, ` +
          `expected ${found?.size ?? HEADER}`,
      );
    }
    const { size, header, type } = found;
    boxes.push({ type, size, body: bytes.subarray(at + header, at + size) });
    at += size;
  }
  return boxes;
}

/** The first of the boxes in some bytes that lies on a path of letters, such as `mdia/minf`. */
export function findBox(bytes: Uint8Array, path: string): Uint8Array | undefined {
  return path.split("/").reduce<Uint8Array | undefined>(
    (body, type) =>
      body === undefined ? undefined : readBoxes(body).find((box) => box.type === type)?.body,
    bytes,
  );
}
