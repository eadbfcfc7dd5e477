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
