/** WebP: its chunks up to the picture (RFC 9649, 2; RFC 6386, 9.1; WebP lossless bitstream, 3). */
import type { FileBytes } from "../packet_file.ts";
import { type FileHeader, toText, toView } from "./header.ts";

/** Chunks of a still picture, at most: features, a profile, transparency, the picture, texts. */
const MAX_CHUNKS = 8;

/** Bytes of the picture's own header. */
const PICTURE_HEADER = 11;

/** Flag of an animation. */
const ANIMATED = 2;

/** The start code of a frame of VP8. */
const START = "\x9d\x01\x2a";

/** First byte of a lossless picture. */
const LOSSLESS = 0x2f;

/** Reads the headers of a WebP; `undefined` for animations, and for all that is unusual. */
export async function readWebpHeader(bytes: FileBytes): Promise<FileHeader | undefined> {
  if (bytes.size < 12 + 8 + PICTURE_HEADER) return undefined;
  const start = await bytes.read(0, 12);
  if (!toText(start).startsWith("RIFF") || !toText(start).endsWith("WEBP")) return undefined;
  if (toView(start).getUint32(4, true) + 8 !== bytes.size) return undefined;
  const parts = ["webp"];
  let canvas: string | undefined;
  let at = 12;
  for (let count = 0; count < MAX_CHUNKS; count++) {
    const header = await bytes.read(at, 8);
    const type = toText(header.subarray(0, 4));
    const length = toView(header).getUint32(4, true);
    at += 8;
    if (type === "VP8 " || type === "VP8L") {
      const picture = await bytes.read(at, PICTURE_HEADER);
      const found = type === "VP8 " ? readLossy(picture) : readLossless(picture);
      if (found === undefined || at + length > bytes.size) return undefined;
      const { kind, width, height } = found;
      // A picture of another size than its canvas is unusual.
      if (canvas !== undefined && canvas !== `${width}x${height}`) return undefined;
      return { likeness: [...parts, kind].join(" "), width, height };
    }
    if (type === "VP8X" && length === 10 && count === 0) {
      const features = toView(await bytes.read(at, length));
      const flags = features.getUint8(0);
      if ((flags & ANIMATED) !== 0) return undefined;
      const side = (offset: number) => (features.getUint32(offset, true) & 0xffffff) + 1;
      canvas = `${side(4)}x${(features.getUint32(6, true) >>> 8) + 1}`;
      parts.push(`features ${flags}`);
    } else if (type === "ICCP" || type === "ALPH") parts.push(type);
    else return undefined;
    at += length + length % 2;
  }
  return undefined;
}

interface Picture {
  kind: string;
  width: number;
  height: number;
}

function readLossy(picture: Uint8Array): Picture | undefined {
  const view = toView(picture);
  const isKeyframe = (view.getUint8(0) & 1) === 0;
  if (!isKeyframe || toText(picture.subarray(3, 6)) !== START) return undefined;
  // The first two bits of the coded part say how colours are meant; both are 0 in all pictures of WebP.
  if (view.getUint8(10) >= 0x40) return undefined;
  const [width, height] = [view.getUint16(6, true) & 0x3fff, view.getUint16(8, true) & 0x3fff];
  return { kind: `lossy ${(view.getUint8(0) >> 1) & 7}`, width, height };
}

function readLossless(picture: Uint8Array): Picture | undefined {
  const view = toView(picture);
  if (view.getUint8(0) !== LOSSLESS) return undefined;
  const bits = view.getUint32(1, true);
  const [width, height] = [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1];
  return { kind: `lossless ${bits >>> 28}`, width, height };
}
