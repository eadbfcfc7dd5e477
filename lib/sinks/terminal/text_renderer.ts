/** Characters from black to white, by how much of a cell they fill. */
const RAMP = " .,:;i1tfLCG08@";

/**
 * Renders a picture as lines of characters, one for each pixel.
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

/** Size in cells or pixels. */
export interface Size {
  width: number;
  height: number;
}

/** Formats a colour as escape parameters behind `38;` or `48;`. */
export type ColourCode = (red: number, green: number, blue: number) => string;

const ESC = "\x1b";

/** Half block: the upper pixel in the foreground colour, the lower one in the background colour. */
const UPPER_HALF_BLOCK = "▀";

/**
 * Largest size in pixels at which a picture fits, with its aspect ratio. A cell is about twice as
 * high as wide and shows two square pixels, one above the other.
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
 * Renders a picture as lines of coloured half blocks.
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
      // Neighbours are often equal, and each colour change takes some forty bytes.
      line += wanted === colours ? UPPER_HALF_BLOCK : wanted + UPPER_HALF_BLOCK;
      colours = wanted;
    }
    lines.push(`${line}${ESC}[0m`);
  }
  return lines;
}

/** Formats a colour in 24 bits, see {@linkcode ColourCode}. */
export function trueColour(red: number, green: number, blue: number): string {
  return `2;${red};${green};${blue}`;
}

/** Levels of the 6 × 6 × 6 colour cube (xterm, 256colres.pl). */
const CUBE = [0, 95, 135, 175, 215, 255];

/**
 * First colour of the cube and of the 24 greys behind it: 8, 18 … 238. The 16 before are the
 * user's.
 */
const [FIRST_OF_CUBE, FIRST_GREY] = [16, 232];
const GREYS = { first: 8, step: 10, last: 23 };

/** Nearest level of the cube by value. */
const NEAREST_STEP = Uint8Array.from({ length: 256 }, (_, value) => {
  const distances = CUBE.map((step) => Math.abs(step - value));
  return distances.indexOf(Math.min(...distances));
});

/** Number of the nearest of the 256 terminal colours, 16 … 255. */
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

/** Formats the nearest of 256 colours, see {@linkcode ColourCode}. */
export function colourOf256(red: number, green: number, blue: number): string {
  return `5;${nearestOf256(red, green, blue)}`;
}
