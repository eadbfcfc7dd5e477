/** Facts about streams that FFmpeg takes from their bitstreams. */
import { FormatError } from "../../base/errors.ts";
import type { Rational } from "../../media/frame.ts";

/** Video as FFmpeg's decoder reports it. */
export interface VideoFacts extends Colors {
  /** Pixels, after cropping and before any rotation. */
  width: number;
  /** Pixels, after cropping and before any rotation. */
  height: number;
  /** Pixels that are decoded, with those that are cropped. */
  codedWidth: number;
  /** Pixels that are decoded, with those that are cropped. */
  codedHeight: number;
  /** FFmpeg's name. */
  pixelFormat: string;
  /** Width : height of one pixel, if the packets state it; containers have precedence. */
  sampleAspectRatio?: Rational;
  /** Frames by which decode order and presentation order differ. */
  decodeDelay: number;
}

/** Audio as FFmpeg's decoder reports it. */
export interface AudioFacts {
  /** Samples a second. */
  sampleRate: number;
  channels: number;
  /** FFmpeg's name, such as `fltp`. */
  sampleFormat: string;
}

/** Colours as a container or a bitstream states them. */
export interface Colors {
  /** `tv` or `pc`. */
  colorRange?: string;
  /** FFmpeg's name of the matrix. */
  colorSpace?: string;
  /** FFmpeg's name of the transfer, of a high dynamic range only. */
  colorTransfer?: string;
  /** FFmpeg's name of the primaries, with `colorTransfer` only. */
  colorPrimaries?: string;
}

/** FFmpeg's names of matrices by their number in ITU-T H.273; 2 means that none is stated. */
export const MATRICES: Readonly<Record<number, string>> = {
  0: "gbr",
  1: "bt709",
  4: "fcc",
  5: "bt470bg",
  6: "smpte170m",
  7: "smpte240m",
  8: "ycgco",
  9: "bt2020nc",
  10: "bt2020c",
  11: "smpte2085",
  12: "chroma-derived-nc",
  13: "chroma-derived-c",
  14: "ictcp",
};

/** The number in ITU-T H.273 for a matrix that is not stated. */
const UNSPECIFIED = 2;

/**
 * FFmpeg's name of a matrix, by its number in ITU-T H.273.
 *
 * @returns `undefined` if the number states none
 * @throws {FormatError} for numbers that versions of FFmpeg treat differently
 */
export function matrixName(matrix: number): string | undefined {
  if (matrix === UNSPECIFIED) return undefined;
  const name = MATRICES[matrix];
  if (name === undefined) throw new FormatError(`Cannot name the matrix ${matrix}: it is reserved`);
  return name;
}

/** FFmpeg's names of transfers of a high dynamic range by their numbers in ITU-T H.273. */
const HDR_TRANSFERS: Readonly<Record<number, string>> = { 16: "smpte2084", 18: "arib-std-b67" };

/** FFmpeg's names of primaries by their numbers in ITU-T H.273. */
const PRIMARIES: Readonly<Record<number, string | undefined>> = {
  1: "bt709",
  2: undefined,
  9: "bt2020",
  11: "smpte431",
  12: "smpte432",
};

/**
 * Transfer and primaries of a high dynamic range, by their numbers in ITU-T H.273.
 *
 * @returns nothing for other transfers
 * @throws {FormatError} for primaries that no such video has
 */
export function hdrColors(
  primaries: number,
  transfer: number,
): Pick<Colors, "colorTransfer" | "colorPrimaries"> {
  if (!Object.hasOwn(HDR_TRANSFERS, transfer)) return {};
  const colorTransfer = HDR_TRANSFERS[transfer];
  if (!Object.hasOwn(PRIMARIES, primaries)) {
    throw new FormatError(`Cannot name the primaries ${primaries} of a high dynamic range`);
  }
  const colorPrimaries = PRIMARIES[primaries];
  return colorPrimaries === undefined ? { colorTransfer } : { colorTransfer, colorPrimaries };
}

/** The colours of a high dynamic range, if any are stated. */
export function hdrOf(
  { colorTransfer, colorPrimaries }: Colors,
): Pick<Colors, "colorTransfer" | "colorPrimaries"> {
  return {
    ...(colorTransfer === undefined ? {} : { colorTransfer }),
    ...(colorPrimaries === undefined ? {} : { colorPrimaries }),
  };
}

/** Chroma samples: none, of half width and height, of half width, or as many as luma samples. */
export type Subsampling = "400" | "420" | "422" | "444";

/** Subsampling by `chroma_format_idc` of ITU-T H.264 and H.265. */
export const CHROMA_FORMATS: readonly Subsampling[] = ["400", "420", "422", "444"];

/**
 * FFmpeg's name of a planar YUV pixel format.
 *
 * @param depth bits of a sample
 */
export function yuvFormat(subsampling: Subsampling, depth: number): string {
  const name = subsampling === "400" ? "gray" : `yuv${subsampling}p`;
  return depth === 8 ? name : `${name}${depth}le`;
}

/**
 * Whether a bitstream and its container state colours that do not contradict: versions of FFmpeg
 * differ in which of them they believe.
 */
export function agree(container: Colors, stream: Colors): boolean {
  const keys = ["colorRange", "colorSpace", "colorTransfer", "colorPrimaries"] as const;
  return keys.every((key) => container[key] === undefined || container[key] === stream[key]);
}

/** Reads a header, `undefined` for one that breaks its format or is not understood. */
export function readOrNothing<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}
