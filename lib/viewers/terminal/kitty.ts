/** Pictures by kitty's graphics protocol: packed pixels, in pieces. Pure. */
import { deflateSync } from "node:zlib";
import type { Size } from "./half_blocks.ts";

/** Characters of a piece (kitty's graphics protocol, "Remote client"). */
const PIECE = 4096;

/** zlib's quickest level: pictures are many, and seen for a moment. */
const QUICKEST = 1;

/**
 * Encodes a picture that takes the place of the one with the same number. The cursor stays.
 *
 * @param pixels height × width × 3, RGB
 * @param place pixels of the picture, the cells that it fills, and its number, above 0
 */
export function encodeKitty(
  pixels: Uint8Array,
  { size, cells, id }: { size: Size; cells: Size; id: number },
): string {
  const { buffer, byteOffset, byteLength } = deflateSync(pixels, { level: QUICKEST });
  const data = new Uint8Array(buffer, byteOffset, byteLength).toBase64();
  const keys = `a=T,f=24,o=z,s=${size.width},v=${size.height},i=${id},p=1,` +
    `c=${cells.width},r=${cells.height},C=1,q=2`;
  const pieces: string[] = [];
  for (let at = 0; at < data.length; at += PIECE) {
    const more = at + PIECE < data.length ? 1 : 0;
    const head = at === 0 ? `${keys},m=${more}` : `m=${more}`;
    pieces.push(`\x1b_G${head};${data.slice(at, at + PIECE)}\x1b\\`);
  }
  return pieces.join("");
}

/** Takes a picture away, and out of the terminal's memory. */
export function deleteKitty(id: number): string {
  return `\x1b_Ga=d,d=I,i=${id},q=2\x1b\\`;
}
