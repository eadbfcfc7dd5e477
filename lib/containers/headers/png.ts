/** PNG: the chunks before the picture (PNG specification, third edition, 5 and 11). */
import type { FileBytes } from "../packet_file.ts";
import { type FileHeader, toText, toView } from "./header.ts";

const SIGNATURE = "\x89PNG\r\n\x1a\n";

/** The last chunk: its length, type and checksum. */
const END = "\0\0\0\0IEND\xae\x42\x60\x82";

/** Bytes around the data of a chunk: length and type in front of it, a checksum behind it. */
const CHUNK_HEADER = 8;
const CHECKSUM = 4;

/** Chunks of a few bytes that say how the picture is shown. */
const TELLING = ["pHYs", "gAMA", "cHRM", "sRGB", "cICP", "sBIT", "bKGD"];
const MAX_TELLING = 64;

/** Chunks of which it matters that they are there. */
const PRESENT = ["PLTE", "tRNS", "iCCP"];

/** Chunks that say nothing of the picture. */
const SILENT = ["tEXt", "zTXt", "iTXt", "hIST", "sPLT", "tIME"];

/** Chunks before the picture, at most. */
const MAX_CHUNKS = 64;

/** Reads the headers of a PNG; `undefined` for an animation, and for all that is unusual. */
export async function readPngHeader(bytes: FileBytes): Promise<FileHeader | undefined> {
  const start = SIGNATURE.length;
  if (bytes.size < start + END.length) return undefined;
  if (toText(await bytes.read(0, start)) !== SIGNATURE) return undefined;
  if (toText(await bytes.read(bytes.size - END.length, END.length)) !== END) return undefined;
  const parts = ["png"];
  let size: { width: number; height: number } | undefined;
  let at = start;
  for (let count = 0; count < MAX_CHUNKS; count++) {
    const header = await bytes.read(at, CHUNK_HEADER);
    const length = toView(header).getUint32(0);
    const type = toText(header.subarray(4));
    at += CHUNK_HEADER;
    if (type === "IDAT") return size && { likeness: parts.join(" "), ...size };
    if ((type === "IHDR") !== (count === 0)) return undefined;
    if (type === "IHDR") {
      if (length !== 13) return undefined;
      const image = await bytes.read(at, length);
      size = { width: toView(image).getUint32(0), height: toView(image).getUint32(4) };
      // Depth, type of colours, compression, filter, interlacing.
      parts.push(image.subarray(8).toHex());
    } else if (TELLING.includes(type)) {
      if (length > MAX_TELLING) return undefined;
      parts.push(type, (await bytes.read(at, length)).toHex());
    } else if (PRESENT.includes(type)) parts.push(type);
    else if (!SILENT.includes(type)) return undefined;
    at += length + CHECKSUM;
  }
  return undefined;
}
