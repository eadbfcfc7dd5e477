/** The index of a file, which is one of its boxes at the outermost level. */
import type { FileBytes } from "../packet_file.ts";
import { LARGE_HEADER, printable, readHeader, UnindexedError } from "./boxes.ts";

/** Boxes at the outermost level; files have up to ten. */
const MAX_BOXES = 1000;

/** Bytes of the largest `moov`; that of a film of two hours has 10 MB. */
const MAX_MOOV = 64 * 2 ** 20;

/** Types at the outermost level that say nothing about packets. */
const HARMLESS = new Set([
  ...["ftyp", "mdat", "free", "skip", "wide", "junk", "uuid", "pnot", "PICT", "pict"],
]);

/**
 * Finds the index of a file and reads it.
 *
 * @returns the body of `moov`
 * @throws {UnindexedError} if there is none, or more than one, as in a fragmented file
 * @throws {FormatError} if the boxes have no order
 */
export async function readIndex(bytes: FileBytes): Promise<DataView<ArrayBuffer>> {
  let moov: DataView<ArrayBuffer> | undefined;
  for (let at = 0, count = 0; bytes.size - at >= 8; count++) {
    if (count === MAX_BOXES) throw new UnindexedError(`it has more than ${MAX_BOXES} boxes`);
    const room = bytes.size - at;
    const start = new DataView((await bytes.read(at, Math.min(LARGE_HEADER, room))).buffer);
    const { type, size, header } = readHeader(start, 0, room);
    if (type === "moov") {
      if (moov) throw new UnindexedError('it has several boxes "moov"');
      if (size > room) throw new UnindexedError("its index is not complete");
      if (size > MAX_MOOV) throw new UnindexedError(`its index has ${size} bytes`);
      moov = new DataView((await bytes.read(at + header, size - header)).buffer);
    } else if (!HARMLESS.has(type)) {
      throw new UnindexedError(`it has a box "${printable(type)}"`);
    }
    at += size;
  }
  if (moov === undefined) throw new UnindexedError('it has no box "moov"');
  return moov;
}
