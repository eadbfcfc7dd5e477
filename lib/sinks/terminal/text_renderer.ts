/** Pictures as plain characters, the brighter the fuller. Pure. */

/** From black to white, by how much of its cell a character fills. */
const RAMP = " .,:;i1tfLCG08@";

/**
 * Renders a picture as lines of characters, one a pixel.
 *
 * @param pixels height × width, brightness
 */
export function renderAscii(pixels: Uint8Array, { width, height }: Size): string[] {
  return Array.from({ length: height }, (_, row) => {
    let line = "";
    for (const value of pixels.subarray(row * width, (row + 1) * width)) {
      line += RAMP[Math.floor(value * RAMP.length / 256)];
    }
    return line;
  });
}

/** Pictures as text: two pixels a cell, the upper half block in the colours of both. Pure. */

/** Columns and rows of a terminal, or pixels of a picture. */
export interface Size {
  width: number;
  height: number;
}

/** Writes a colour as the parameters of an escape, behind the `38;` or `48;`. */
export type ColourCode = (red: number, green: number, blue: number) => string;

const ESC = "\x1b";

/** Picture above, colour of the upper pixel as foreground, of the lower one as background. */
const UPPER_HALF_BLOCK = "▀";

/**
 * The largest size, in pixels, that a picture can be shown at, aspect kept. A cell is about twice
 * as high as wide, and shows two pixels, one above the other, which makes them square.
 *
 * @param picture pixels
 * @param terminal columns × rows
 */
export function fitPicture(picture: Size, terminal: Size): Size {
  const room = { width: Math.max(1, terminal.width), height: Math.max(2, terminal.height * 2) };
  const scale = Math.min(room.width / picture.width, room.height / picture.height);
  return {
    width: Math.max(1, Math.min(room.width, Math.round(picture.width * scale))),
    height: Math.max(2, Math.min(room.height, 2 * Math.round(picture.height * scale / 2))),
  };
}

/**
 * Renders a picture as lines of coloured cells.
 *
 * @param pixels height × width × 3, RGB; the height even
 */
export function renderHalfBlocks(
  pixels: Uint8Array,
  { width, height }: Size,
  code: ColourCode = trueColour,
): string[] {
  const lines: string[] = [];
  const colourAt = (at: number) => code(pixels[at], pixels[at + 1], pixels[at + 2]);
  for (let y = 0; y < height; y += 2) {
    let line = "";
    let colours = "";
    for (let x = 0; x < width; x++) {
      const upper = colourAt((y * width + x) * 3);
      const lower = colourAt(((y + 1) * width + x) * 3);
      const wanted = `${ESC}[38;${upper};48;${lower}m`;
      // Neighbours are often alike, and each change of colours is some forty bytes.
      line += wanted === colours ? UPPER_HALF_BLOCK : wanted + UPPER_HALF_BLOCK;
      colours = wanted;
    }
    lines.push(`${line}${ESC}[0m`);
  }
  return lines;
}

/** A colour as it is. */
export function trueColour(red: number, green: number, blue: number): string {
  return `2;${red};${green};${blue}`;
}

/** The 256 colours that terminals agree on: the first 16 are the user's, and left alone. Pure. */

/** Steps of the 6 × 6 × 6 cube (xterm, 256colres.pl). */
const CUBE = [0, 95, 135, 175, 215, 255];

/** Where the cube begins, and the greys behind it: 24 of them, 8, 18 … 238. */
const [FIRST_OF_CUBE, FIRST_GREY] = [16, 232];
const GREYS = { first: 8, step: 10, last: 23 };

/** The nearest step of the cube for each value of a channel. */
const NEAREST_STEP = Uint8Array.from({ length: 256 }, (_, value) => {
  const distances = CUBE.map((step) => Math.abs(step - value));
  return distances.indexOf(Math.min(...distances));
});

/** The number of the colour that is nearest, 16 … 255. */
export function nearestOf256(red: number, green: number, blue: number): number {
  const [r, g, b] = [NEAREST_STEP[red], NEAREST_STEP[green], NEAREST_STEP[blue]];
  const mean = (red + green + blue) / 3;
  const nearest = Math.round((mean - GREYS.first) / GREYS.step);
  const grey = Math.min(GREYS.last, Math.max(0, nearest));
  const level = GREYS.first + GREYS.step * grey;
  const byGrey = (red - level) ** 2 + (green - level) ** 2 + (blue - level) ** 2;
  const byCube = (red - CUBE[r]) ** 2 + (green - CUBE[g]) ** 2 + (blue - CUBE[b]) ** 2;
  return byGrey < byCube ? FIRST_GREY + grey : FIRST_OF_CUBE + 36 * r + 6 * g + b;
}

/** A colour as the parameters of an escape, behind the `38;` or `48;`: the nearest of 256. */
export function colourOf256(red: number, green: number, blue: number): string {
  return `5;${nearestOf256(red, green, blue)}`;
}
