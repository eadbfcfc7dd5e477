/** Pictures as plain characters, the brighter the fuller. Pure. */
import type { Size } from "./half_blocks.ts";

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
