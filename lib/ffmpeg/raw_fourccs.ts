/** NUT's four bytes of raw pixel formats, as FFmpeg writes and reads them, found by experiment. */

/** Big-endian formats whose four bytes are not those of the little-endian one backwards. */
const BIG_ENDIAN: Record<string, string> = {
  rgb48be: "0RGB",
  bgr48be: "0BGR",
  rgba64be: "@RBA",
  bgra64be: "@BRA",
};

/** Four bytes of single formats, by FFmpeg's names; of two byte orders, the little-endian one. */
const SINGLE: Record<string, string> = {
  monow: "B1W0",
  monob: "B0W1",
  pal8: "PAL\x08",
  gray: "Y800",
  ya8: "Y2\0\x08",
  bgr4: "BGR\x04",
  rgb4: "RGB\x04",
  bgr4_byte: "R4BY",
  rgb4_byte: "B4BY",
  bgr8: "BGR\x08",
  rgb8: "RGB\x08",
  bgr444le: "BGR\x0c",
  rgb444le: "RGB\x0c",
  bgr555le: "BGR\x0f",
  rgb555le: "RGB\x0f",
  bgr565le: "BGR\x10",
  rgb565le: "RGB\x10",
  rgb24: "RGB\x18",
  bgr24: "BGR\x18",
  rgb0: "RGB\0",
  bgr0: "BGR\0",
  "0rgb": "\0RGB",
  "0bgr": "\0BGR",
  rgba: "RGBA",
  bgra: "BGRA",
  argb: "ARGB",
  abgr: "ABGR",
  rgb48le: "RGB0",
  bgr48le: "BGR0",
  rgba64le: "RBA@",
  bgra64le: "BRA@",
  xyz12le: "XYZ$",
  yuv410p: "YUV9",
  yuv411p: "Y41B",
  yuv420p: "I420",
  yuv422p: "Y42B",
  yuv440p: "440P",
  yuv444p: "444P",
  nv12: "NV12",
  nv21: "NV21",
  yuyv422: "YUY2",
  uyvy422: "UYVY",
  yvyu422: "YVYU",
  gbrp: "G3\0\x08",
  gbrap: "G4\0\x08",
  yuva420p: "Y4\x0b\x08",
  yuva422p: "Y4\x0a\x08",
  yuva444p: "Y4\0\x08",
};

/** First three bytes of planar formats with more than 8 bits; the fourth is the number of bits. */
const PLANAR: Record<string, string> = {
  gray: "Y1\0",
  gbrp: "G3\0",
  gbrap: "G4\0",
  yuv420p: "Y3\x0b",
  yuv422p: "Y3\x0a",
  yuv444p: "Y3\0",
  yuva420p: "Y4\x0b",
  yuva422p: "Y4\x0a",
  yuva444p: "Y4\0",
};

/**
 * NUT's four bytes of a raw pixel format, each as one Latin-1 character; `undefined` for a format
 * that FFmpeg does not read from NUT.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { rawFourcc } from "./raw_fourccs.ts";
 *
 * assertEquals(rawFourcc("gray16le"), "Y1\0\x10");
 * assertEquals(rawFourcc("gray16be"), "\x10\x001Y");
 * assertEquals(rawFourcc("grayf32le"), undefined);
 * ```
 */
export function rawFourcc(pixelFormat: string): string | undefined {
  const isBigEndian = /\d+be$/.test(pixelFormat);
  const fourcc = littleEndianFourcc(pixelFormat.replace(/be$/, "le"));
  if (!isBigEndian) return fourcc;
  return BIG_ENDIAN[pixelFormat] ?? fourcc?.split("").reverse().join("");
}

function littleEndianFourcc(name: string): string | undefined {
  const [, planes = "", depth] = name.match(/^([a-z]+(?:4\d\dp)?)(\d+)le$/) ?? [];
  const planar = PLANAR[planes];
  if (planar !== undefined) return planar + String.fromCharCode(Number(depth));
  const [, order, bits] = name.match(/^bayer_(bggr|rggb|gbrg|grbg)(8|16le)$/) ?? [];
  // Blue and red stand in the first row or in the second; the second row follows from the first.
  if (order !== undefined) {
    return `\xba${order.slice(0, 2).toUpperCase()}${bits === "8" ? "\x08" : "\x10"}`;
  }
  return SINGLE[name];
}

/**
 * Filters that turn Bayer patterns into RGB; none for other formats. Converted straight to YUV, FFmpeg
 * ignores the requested range.
 */
export function demosaicFilters(pixelFormat = ""): string[] {
  if (!pixelFormat.startsWith("bayer_")) return [];
  return [`format=${/16[lb]e$/.test(pixelFormat) ? "rgb48le" : "rgb24"}`];
}
