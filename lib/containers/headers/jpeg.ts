/** JPEG: the segments before the picture (ITU-T T.81, B.1 and B.2; EXIF 2.3, 4.6). */
import type { FileBytes } from "../packet_file.ts";
import { type FileHeader, toText, toView } from "./header.ts";

const START = 0xffd8;
const END = 0xffd9;

/** Frames with Huffman codes: baseline, extended and progressive. */
const FRAMES = [0xffc0, 0xffc1, 0xffc2];

/** Tables and intervals, which say nothing of the picture. */
const TABLES = [0xffc4, 0xffdb, 0xffdd];

const COMMENT = 0xfffe;
const JFIF = 0xffe0;
const EXIF = 0xffe1;
const PROFILE = 0xffe2;
const PHOTOSHOP = 0xffed;
const ADOBE = 0xffee;

/** Segments before the frame, at most; colour profiles and thumbnails have many. */
const MAX_SEGMENTS = 200;

/** Bytes of a comment, or of what Adobe's programs write, at most. */
const MAX_TEXT = 64;

/** Bytes of an EXIF block in which the turn of the picture is looked for. */
const MAX_EXIF = 4096;

const EXIF_NAME = "Exif\0\0";
const ORIENTATION = 0x0112;

/** Reads the headers of a JPEG; `undefined` for several pictures in one, and for all that is unusual. */
export async function readJpegHeader(bytes: FileBytes): Promise<FileHeader | undefined> {
  const marker = async (at: number) => toView(await bytes.read(at, 2)).getUint16(0);
  if (bytes.size < 32 || await marker(0) !== START) return undefined;
  if (await marker(bytes.size - 2) !== END) return undefined;
  const parts = ["jpeg"];
  let at = 2;
  for (let count = 0; count < MAX_SEGMENTS; count++) {
    const view = toView(await bytes.read(at, 4));
    const [kind, length] = [view.getUint16(0), view.getUint16(2) - 2];
    at += 4;
    if (length < 0) return undefined;
    const take = (limit: number) => bytes.read(at, Math.min(length, limit));
    if (FRAMES.includes(kind)) return readFrame(kind, await take(MAX_TEXT), parts);
    if (!TABLES.includes(kind)) {
      const part = await readSegment(kind, length, take);
      if (part === undefined) return undefined;
      parts.push(part);
    }
    at += length;
  }
  return undefined;
}

/** Reads the properties of the picture from a segment; `undefined` if they are unusual. */
async function readSegment(
  kind: number,
  length: number,
  take: (limit: number) => Promise<Uint8Array>,
): Promise<string | undefined> {
  switch (kind) {
    case JFIF: {
      const segment = await take(MAX_TEXT);
      // Version, unit and aspect ratio; the thumbnail behind them does not matter.
      return toText(segment).startsWith("JFIF\0") ? segment.subarray(0, 12).toHex() : undefined;
    }
    case EXIF: {
      const segment = await take(MAX_EXIF);
      const text = toText(segment.subarray(0, 32));
      if (text.startsWith(EXIF_NAME)) return readTurn(segment.subarray(EXIF_NAME.length));
      return text.startsWith("http://ns.adobe.com/") ? "xmp" : undefined;
    }
    case PROFILE:
      // Others hold further pictures.
      return toText(await take(12)) === "ICC_PROFILE\0" ? "icc" : undefined;
    case PHOTOSHOP:
      return "photoshop";
    case COMMENT:
    case ADOBE:
      return length <= MAX_TEXT
        ? `${kind.toString(16)} ${(await take(MAX_TEXT)).toHex()}`
        : undefined;
    default:
      return undefined;
  }
}

/** The turn that an EXIF block asks for. */
function readTurn(block: Uint8Array): string | undefined {
  const view = toView(block);
  if (block.length < 8) return undefined;
  const order = toText(block.subarray(0, 2));
  if (order !== "II" && order !== "MM") return undefined;
  const isLittle = order === "II";
  const start = view.getUint32(4, isLittle);
  if (start + 2 > block.length) return undefined;
  const count = view.getUint16(start, isLittle);
  for (let at = start + 2, left = count; left > 0; at += 12, left--) {
    if (at + 12 > block.length) return undefined;
    if (view.getUint16(at, isLittle) !== ORIENTATION) continue;
    return `exif ${view.getUint16(at + 8, isLittle)}`;
  }
  return "exif";
}

function readFrame(
  kind: number,
  segment: Uint8Array,
  parts: readonly string[],
): FileHeader | undefined {
  if (segment.length < 6) return undefined;
  const view = toView(segment);
  const [height, width] = [view.getUint16(1), view.getUint16(3)];
  const components = segment.subarray(5);
  if (width === 0 || height === 0 || components.length !== 1 + 3 * components[0]) return undefined;
  // Names and sampling factors; the numbers of tables do not matter.
  const layout = components.subarray(1).filter((_, index) => index % 3 !== 2);
  const frame = [kind.toString(16), segment[0], layout.toHex()];
  return { likeness: [...parts, ...frame].join(" "), width, height };
}
