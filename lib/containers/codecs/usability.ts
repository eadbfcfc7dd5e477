/** The beginning of the video usability information, which H.264 and HEVC share. */
import { FormatError } from "../../base/errors.ts";
import { greatestDivisor, type Rational } from "../../media/frame.ts";
import type { BitReader } from "./bit_reader.ts";
import { type Colors, hdrColors, matrixName } from "./facts.ts";

/** Shape of pixels and colours of a stream. */
export interface Usability extends Colors {
  /** Width : height of one pixel, if it is stated. */
  sampleAspectRatio?: Rational;
}

/** Width : height of a pixel by `aspect_ratio_idc` (ITU-T H.264 and H.265, table E-1). */
const ASPECTS: readonly (Rational | undefined)[] = [
  ...[undefined, [1, 1], [12, 11], [10, 11], [16, 11], [40, 33], [24, 11], [20, 11]],
  ...[[32, 11], [80, 33], [18, 11], [15, 11], [64, 33], [160, 99], [4, 3], [3, 2], [2, 1]],
] as (Rational | undefined)[];

/** `aspect_ratio_idc` for a ratio that follows. */
const EXTENDED_ASPECT = 255;

/**
 * Reads aspect ratio, overscan and signal type (ITU-T H.264 and H.265, E.1.1 and E.2.1).
 *
 * @throws {FormatError} for reserved numbers, and if bits are missing
 */
export function readUsability(reader: BitReader): Usability {
  const sampleAspectRatio = reader.flag() ? readAspect(reader) : undefined;
  if (reader.flag()) reader.skip(1);
  return { sampleAspectRatio, ...(reader.flag() ? readSignalType(reader) : {}) };
}

function readAspect(reader: BitReader): Rational | undefined {
  const index = reader.bits(8);
  if (index === EXTENDED_ASPECT) return lowestRatio(reader.bits(16), reader.bits(16));
  if (index < ASPECTS.length) return ASPECTS[index];
  throw new FormatError(`Cannot read a parameter set: the aspect ratio ${index} is reserved`);
}

function readSignalType(reader: BitReader): Colors {
  reader.skip(3);
  const colorRange = reader.flag() ? "pc" : "tv";
  if (!reader.flag()) return { colorRange };
  const range = hdrColors(reader.bits(8), reader.bits(8));
  return { colorRange, colorSpace: matrixName(reader.bits(8)), ...range };
}

/** A ratio in lowest terms; `undefined` if one of the numbers is 0. */
export function lowestRatio(numerator: number, denominator: number): Rational | undefined {
  if (numerator === 0 || denominator === 0) return undefined;
  const divisor = greatestDivisor(numerator, denominator);
  return [numerator / divisor, denominator / divisor];
}
