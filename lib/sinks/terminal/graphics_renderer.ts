/** Pictures as pixels: kitty's graphics protocol, and sixel. */
import type { Size } from "./text_renderer.ts";

/** Characters of a chunk (kitty's graphics protocol, "Remote client"). */
const PIECE = 4096;

/** Compresses bytes to zlib data. */
export type Deflate = (bytes: Uint8Array) => Uint8Array;

/** zlib's fastest level: there are many pictures, each seen for a moment. */
const QUICKEST = 1;

/** Loads zlib, which takes long, and which only pictures of kitty need. */
export async function loadDeflate(): Promise<Deflate> {
  const { deflateSync } = await import("node:zlib");
  return (bytes) => deflateSync(bytes, { level: QUICKEST });
}

/**
 * Encodes a picture by kitty's graphics protocol, in chunks of zlib data. It replaces the picture
 * with the same ID. The cursor stays.
 *
 * @param pixels height × width × 3, RGB
 * @param layout size of the picture in pixels, the cells that it fills, its ID, above 0, and what
 * compresses it
 */
export function encodeKitty(
  pixels: Uint8Array,
  { size, cells, id, deflate }: { size: Size; cells: Size; id: number; deflate: Deflate },
): string {
  const { buffer, byteOffset, byteLength } = deflate(pixels);
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

/** Deletes a picture from the screen and the terminal's memory. */
export function deleteKitty(id: number): string {
  return `\x1b_Ga=d,d=I,i=${id},q=2\x1b\\`;
}

/** Colours of a palette, and bytes of each: blue, green, red, alpha, as FFmpeg writes them. */
const [COLOURS, COLOUR_BYTES] = [256, 4];

/** Bytes of the palette behind the pixels. */
export const PALETTE_BYTES = COLOURS * COLOUR_BYTES;

/** Rows of a band, one bit each, and the character without any. */
const [BAND, NONE] = [6, 0x3f];

/** Repetitions from which on a count is shorter. */
const REPEATED = 4;

/**
 * Encodes a picture as sixels (DEC VT330/VT340 Programmer Reference Manual, volume 2, chapter 14).
 * Pixels are square, colours in hundredths.
 *
 * @param picture height × width palette indices, then the palette
 */
export function encodeSixel(picture: Uint8Array, { width, height }: Size): string {
  const palette = picture.subarray(width * height);
  const bands: string[] = [];
  const used = new Set<number>();
  const bits = new Uint8Array(COLOURS * width);
  for (let y = 0; y < height; y += BAND) {
    const rows = Math.min(BAND, height - y);
    bands.push(encodeBand(picture.subarray(y * width, (y + rows) * width), { width, bits, used }));
  }
  const colours = [...used].sort((one, other) => one - other).map((colour) => {
    const at = colour * COLOUR_BYTES;
    const [red, green, blue] = [2, 1, 0].map((byte) => Math.round(palette[at + byte] / 2.55));
    return `#${colour};2;${red};${green};${blue}`;
  });
  return `\x1bP0;1;0q"1;1;${width};${height}${colours.join("")}${bands.join("-")}\x1b\\`;
}

/** Encodes up to six rows; `bits` is all zeros before and after. */
function encodeBand(
  pixels: Uint8Array,
  { width, bits, used }: { width: number; bits: Uint8Array; used: Set<number> },
): string {
  /** First and last column of each colour in the band. */
  const spans = new Map<number, { first: number; last: number }>();
  for (let x = 0; x < width; x++) {
    for (let row = 0, at = x; at < pixels.length; row++, at += width) {
      const colour = pixels[at];
      bits[colour * width + x] |= 1 << row;
      const span = spans.get(colour);
      if (span === undefined) spans.set(colour, { first: x, last: x });
      else span.last = x;
    }
  }
  const layers: string[] = [];
  for (const [colour, { first, last }] of spans) {
    used.add(colour);
    const layer = bits.subarray(colour * width, colour * width + last + 1);
    layers.push(`#${colour}${encodeLayer(layer, first)}`);
    layer.fill(0, first);
  }
  return layers.join("$");
}

/** Encodes the pixels of one colour; there are none before `first`. */
function encodeLayer(bits: Uint8Array, first: number): string {
  let text = repeated(0, first);
  for (let at = first; at < bits.length;) {
    let end = at + 1;
    while (end < bits.length && bits[end] === bits[at]) end++;
    text += repeated(bits[at], end - at);
    at = end;
  }
  return text;
}

function repeated(value: number, count: number): string {
  const character = String.fromCharCode(NONE + value);
  return count < REPEATED ? character.repeat(count) : `!${count}${character}`;
}
