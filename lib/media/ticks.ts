/** Conversion of the times of seeks. */
import type { Rational } from "./frame.ts";

/**
 * Converts seconds to ticks as FFmpeg does with `-ss`: by way of whole microseconds, halves rounded
 * up. Timestamps behind a seek differ from those of the whole media by exactly that.
 *
 * @param seconds not below zero
 * @param timeBase seconds a tick
 */
export function ticksAt(seconds: number, [numerator, denominator]: Rational): number {
  const dividend = 2n * BigInt(Math.round(seconds * 1e6)) * BigInt(denominator);
  const divisor = 1_000_000n * BigInt(numerator);
  return Number((dividend + divisor) / (2n * divisor));
}
