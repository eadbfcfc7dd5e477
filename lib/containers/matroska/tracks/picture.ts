/** Facts about pictures that the container states, as FFmpeg reads them. */
import type { Rational } from "../../../media/frame.ts";
import type { PacketTrack } from "../../packet_file.ts";
import { hdrColors, MATRICES } from "../../codecs/facts.ts";
import { broken } from "../ebml.ts";
import { reduced } from "../../fractions.ts";
import { VIDEO } from "../ids.ts";
import { readPicture, type TrackEntry } from "./entries.ts";

/** The first number in ITU-T H.273 of a matrix that versions of FFmpeg treat differently. */
const UNKNOWN_MATRIX = 15;

/** Numbers of ranges (RFC 9559, "Range"); all others mean that it is unknown. */
const RANGES: Record<number, string> = { 1: "tv", 2: "pc" };

/** The first display unit in which the shape of pixels is unknown (RFC 9559, "DisplayUnit"). */
const UNKNOWN_UNIT = 4;

/** Largest part of a fraction that all versions of FFmpeg keep when they reduce it. */
const MAX_ASPECT = 255;

/** The same for frame rates. */
const MAX_RATE = 30_000;

/** The value of `FlagInterlaced` for frames of two fields (RFC 9559). */
const INTERLACED = 1;

const NANOSECONDS = 1_000_000_000;

/** Most pixels of a side; as far as FFmpeg goes in any codec. */
const MAX_SIDE = 65_535;

/** Elements that change the shape of a picture, which are not understood. */
const RESHAPING = [
  ...[VIDEO.stereoMode, VIDEO.alphaMode],
  ...[VIDEO.cropBottom, VIDEO.cropTop, VIDEO.cropLeft, VIDEO.cropRight],
];

/** @throws {FormatError} if FFmpeg's facts are not known to be the same */
export function pictureFacts({ picture, defaultDuration }: TrackEntry): Partial<PacketTrack> {
  const numbers = readPicture(picture ?? new Uint8Array(0));
  for (const id of RESHAPING) {
    if (numbers.get(id)) throw broken("picture", `0x${id.toString(16)} is set`, "plain pictures");
  }
  const [width, height] = [numbers.get(VIDEO.width) ?? 0, numbers.get(VIDEO.height) ?? 0];
  if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE) {
    throw broken("picture", `${width} × ${height} pixels`, `1 … ${MAX_SIDE}`);
  }
  const matrix = numbers.get(VIDEO.matrix) ?? 2;
  if (matrix >= UNKNOWN_MATRIX) throw broken("matrix", `${matrix}`, "a known one");
  return {
    width,
    height,
    sampleAspectRatio: aspectOf(numbers, width, height),
    colorRange: RANGES[numbers.get(VIDEO.range) ?? 0],
    colorSpace: MATRICES[matrix],
    ...hdrColors(numbers.get(VIDEO.primaries) ?? 2, numbers.get(VIDEO.transfer) ?? 2),
    ...(numbers.get(VIDEO.interlaced) === INTERLACED ? { isInterlaced: true } : {}),
    frameRate: rateOf(defaultDuration),
  };
}

function aspectOf(
  numbers: ReadonlyMap<number, number>,
  width: number,
  height: number,
): Rational | undefined {
  if ((numbers.get(VIDEO.displayUnit) ?? 0) >= UNKNOWN_UNIT) return undefined;
  const shownWidth = numbers.get(VIDEO.displayWidth) ?? width;
  const shownHeight = numbers.get(VIDEO.displayHeight) ?? height;
  if (shownWidth < 1 || shownHeight < 1 || shownWidth > 2 ** 31 || shownHeight > 2 ** 31) {
    throw broken("display size", `${shownWidth} × ${shownHeight}`, "at least 1 and below 2^31");
  }
  const exact = reduced(height * shownWidth, width * shownHeight);
  // Versions differ in how far they approximate others.
  if (Math.max(...exact) > MAX_ASPECT) {
    throw broken("pixel shape", exact.join(":"), "small numbers");
  }
  return exact;
}

/** Without it, FFmpeg estimates the rate from packets. */
function rateOf(defaultDuration: number): Rational {
  if (defaultDuration === 0) throw broken("frame rate", "none", "the duration of a frame");
  const rate = reduced(NANOSECONDS, defaultDuration, MAX_RATE);
  if (rate[0] === 0) throw broken("frame rate", `${defaultDuration} ns a frame`, "less");
  return rate;
}
