/** FLAC: the metadata blocks (RFC 9639, 8). */
import type { FileBytes } from "../packet_file.ts";
import { type FileHeader, toDuration, toText, toView } from "./header.ts";

const MARKER = "fLaC";

/** Types of blocks. */
const STREAM_INFO = 0;
const COMMENT = 4;
const PICTURE = 6;

/** Blocks that say nothing of the sound: padding, applications, seek tables, cue sheets. */
const SILENT = [1, 2, 3, 5];

/** Blocks at most. */
const MAX_BLOCKS = 64;

/** Bytes of a comment block, at most. */
const MAX_COMMENT = 256 * 1024;

/** A picture within comments. */
const COMMENTED_PICTURE = /METADATA_BLOCK_PICTURE/i;

/** Bytes that name the type of a picture, at most. */
const MAX_TYPE = 32;

/** Reads the headers of a FLAC file; `undefined` for an unknown length, and all that is unusual. */
export async function readFlacHeader(bytes: FileBytes): Promise<FileHeader | undefined> {
  if (bytes.size < 42 || toText(await bytes.read(0, 4)) !== MARKER) return undefined;
  const parts = ["flac"];
  let duration: number | undefined;
  let at = 4;
  for (let count = 0; count < MAX_BLOCKS; count++) {
    const header = toView(await bytes.read(at, 4));
    const isLast = header.getUint8(0) >= 0x80;
    const type = header.getUint8(0) & 0x7f;
    const length = header.getUint32(0) & 0xffffff;
    at += 4;
    if ((type === STREAM_INFO) !== (count === 0)) return undefined;
    if (type === STREAM_INFO) {
      if (length !== 34) return undefined;
      const info = readInfo(await bytes.read(at, length));
      if (info === undefined) return undefined;
      duration = info.duration;
      parts.push(info.likeness);
    } else if (type === COMMENT) {
      if (length > MAX_COMMENT) return undefined;
      if (COMMENTED_PICTURE.test(new TextDecoder("latin1").decode(await bytes.read(at, length)))) {
        return undefined;
      }
    } else if (type === PICTURE) {
      const picture = await readPicture(await bytes.read(at, Math.min(length, 8 + MAX_TYPE)));
      if (picture === undefined) return undefined;
      parts.push(picture);
    } else if (!SILENT.includes(type)) return undefined;
    at += length;
    if (!isLast) continue;
    // The first frame has to follow.
    const [sync, next] = await bytes.read(at, 2);
    return sync === 0xff && next >> 2 === 0x3e
      ? { likeness: parts.join(" "), duration }
      : undefined;
  }
  return undefined;
}

/** Rate, channels and depth stand in 8 bytes, with the number of samples. */
function readInfo(info: Uint8Array): { likeness: string; duration: number } | undefined {
  const view = toView(info);
  const bits = view.getBigUint64(10);
  const rate = Number(bits >> 44n);
  const samples = Number(bits & 0xfffffffffn);
  if (rate === 0 || samples === 0) return undefined;
  const layout = `${rate} ${(bits >> 36n) & 0xffn}`;
  return { likeness: layout, duration: toDuration(samples, rate) };
}

/** The kind and type of a picture. */
function readPicture(block: Uint8Array): string | undefined {
  if (block.length < 8) return undefined;
  const view = toView(block);
  const length = view.getUint32(4);
  if (length === 0 || length > MAX_TYPE || 8 + length > block.length) return undefined;
  return `picture ${view.getUint32(0)} ${toText(block.subarray(8, 8 + length))}`;
}
