import { FormatError } from "../core/errors.ts";
import type { Rational } from "../core/frame.ts";

/** What a frame's timestamp is relative to. */
interface PtsState {
  /** Ticks: timestamp of the stream's last frame, or of the last syncpoint. */
  lastPts: number;
  /** Bits of a timestamp that a short coded timestamp carries, 0 … 15. */
  msbPtsShift: number;
}

/**
 * The whole timestamp of a frame (specification, section "coded_pts").
 *
 * @param codedPts as stored; -1 where none is
 * @param ptsDelta ticks since the last frame, where none is stored
 * @throws {FormatError} where it is beyond 2^53
 */
export function decodeTimestamp(
  { lastPts, msbPtsShift }: PtsState,
  codedPts: number,
  ptsDelta: number,
): number {
  const range = 1 << msbPtsShift;
  let timestamp = codedPts - range;
  if (codedPts < 0) {
    timestamp = lastPts + ptsDelta;
  } else if (timestamp < 0) {
    // Only the low bits are stored: of all numbers with these, the one nearest to the last.
    const lowest = lastPts - ((range - 1) >> 1);
    timestamp = lowest + ((codedPts - lowest) & (range - 1));
  }
  if (!Number.isSafeInteger(timestamp)) {
    throw new FormatError(`Cannot read NUT "timestamp": ${timestamp}, expected less than 2^53`);
  }
  return timestamp;
}

/**
 * Converts ticks of one time base to another, rounded down; exactly, but for results beyond 2^53,
 * which no timestamp that is built on them gets past {@linkcode decodeTimestamp}.
 */
export function rescaleDown(ticks: number, from: Rational, to: Rational): number {
  const numerator = from[0] * to[1];
  const denominator = from[1] * to[0];
  const product = ticks * numerator;
  if (product <= Number.MAX_SAFE_INTEGER && denominator <= Number.MAX_SAFE_INTEGER) {
    return (product - product % denominator) / denominator;
  }
  const exact = BigInt(ticks) * BigInt(from[0]) * BigInt(to[1]);
  return Number(exact / (BigInt(from[1]) * BigInt(to[0])));
}
