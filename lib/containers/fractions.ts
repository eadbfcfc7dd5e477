/** Arithmetic of fractions and timestamps as in FFmpeg. */
import type { Rational } from "../media/frame.ts";

/** Largest term of most fractions of FFmpeg. */
const MAX_TERM = 2 ** 31 - 1;

/**
 * Reduces a fraction; if its terms are too large even then, gives the nearest one, by continued
 * fractions.
 *
 * @param max largest term of the result
 */
export function reduced(
  numerator: number | bigint,
  denominator: number | bigint,
  max = MAX_TERM,
): Rational {
  const limit = BigInt(max);
  const [above, below] = [BigInt(numerator), BigInt(denominator)];
  const divisor = greatestDivisor(above, below) || 1n;
  let [dividend, rest] = [above / divisor, below / divisor];
  if (dividend <= limit && rest <= limit) return [Number(dividend), Number(rest)];
  let [before, last] = [[0n, 1n], [1n, 0n]];
  while (rest > 0n) {
    const quotient = dividend / rest;
    const next = [quotient * last[0] + before[0], quotient * last[1] + before[1]];
    if (next[0] > limit || next[1] > limit) {
      // A convergent is too large; one between it and the last may be nearer than the last.
      const steps = [0, 1].flatMap((at) => last[at] > 0n ? [(limit - before[at]) / last[at]] : []);
      const step = steps.reduce((least, other) => other < least ? other : least, quotient);
      if (rest * (2n * step * last[1] + before[1]) > dividend * last[1]) {
        last = [step * last[0] + before[0], step * last[1] + before[1]];
      }
      break;
    }
    [dividend, rest] = [rest, dividend - quotient * rest];
    [before, last] = [last, next];
  }
  return [Number(last[0]), Number(last[1])];
}

/** Value × multiplier / divisor, rounded to the nearest, halves away from 0; all are integers. */
export function rescaled(value: number, multiplier: number, divisor: number): number {
  const product = BigInt(value) * BigInt(multiplier);
  const half = BigInt(divisor) / 2n;
  return Number((product < 0n ? product - half : product + half) / BigInt(divisor));
}

function greatestDivisor(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}
