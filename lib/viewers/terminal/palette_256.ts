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
