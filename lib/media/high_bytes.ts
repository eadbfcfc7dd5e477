/** Pictures of 16 bits a sample as OpenCV reads them: the high byte of each. Pure. */

/** FFmpeg's names of formats whose samples have 16 bits, and are colours or grey. */
const WIDE = /^(gray16|ya16|rgb48|bgr48|rgba64|bgra64|gbrp16|gbrap16)[bl]e$/;

/** Blue, green, red, each of them 16 bits with the high byte first. */
export const WIDE_BGR = "bgr48be";

/** Whether samples have 16 bits, and become {@linkcode WIDE_BGR} without loss, but for alpha. */
export function isWide(pixelFormat: string): boolean {
  return WIDE.test(pixelFormat);
}

/**
 * Keeps the first of every two bytes, in place. FFmpeg's own conversion to 8 bits rounds and
 * dithers, so that half of all samples would differ by one from what `cv2.imread` gives.
 *
 * @returns a view on the first half of `data`
 */
export function keepHighBytes(data: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const half = data.subarray(0, data.byteLength >> 1);
  for (let at = 0; at < half.byteLength; at++) half[at] = data[2 * at];
  return half;
}
