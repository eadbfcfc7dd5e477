/**
 * Bits per pixel of raw frames, and FFmpeg's names of the pixel formats of that size. NUT carries
 * these from FFmpeg to FFmpeg unchanged, found by experiment. FFmpeg writes all others into NUT
 * without an error, and reads them back as another format.
 */
const CARRIED: Record<number, string> = {
  1: "monow monob",
  8: "gray pal8 bgr8 bgr4_byte rgb8 rgb4_byte",
  4: "bgr4 rgb4",
  9: "yuv410p",
  12: "yuv420p yuv411p nv12 nv21",
  16: "yuyv422 yuv422p uyvy422 gray16be gray16le yuv440p rgb565be rgb565le rgb555be rgb555le " +
    "bgr565be bgr565le bgr555be bgr555le rgb444le rgb444be bgr444le bgr444be ya8 yvyu422 " +
    "gray12be gray12le gray10be gray10le gray9be gray9le gray14be gray14le",
  20: "yuva420p",
  24: "rgb24 bgr24 yuv444p yuv420p16le yuv420p16be yuv420p9be yuv420p9le yuv420p10be " +
    "yuv420p10le gbrp yuva422p yuv420p12be yuv420p12le yuv420p14be yuv420p14le",
  32: "argb rgba abgr bgra yuv422p16le yuv422p16be yuv422p10be yuv422p10le yuv422p9be " +
    "yuv422p9le yuva444p gbrap 0rgb rgb0 0bgr bgr0 yuv422p12be yuv422p12le yuv422p14be " +
    "yuv422p14le",
  40: "yuva420p9be yuva420p9le yuva420p10be yuva420p10le yuva420p16be yuva420p16le",
  48: "rgb48be rgb48le yuv444p16le yuv444p16be bgr48be bgr48le yuv444p9be yuv444p9le " +
    "yuv444p10be yuv444p10le gbrp9be gbrp9le gbrp10be gbrp10le gbrp16be gbrp16le yuva422p9be " +
    "yuva422p9le yuva422p10be yuva422p10le yuva422p16be yuva422p16le xyz12le xyz12be " +
    "yuv444p12be yuv444p12le yuv444p14be yuv444p14le gbrp12be gbrp12le gbrp14be gbrp14le " +
    "yuva422p12be yuva422p12le",
  64: "yuva444p9be yuva444p9le yuva444p10be yuva444p10le yuva444p16be yuva444p16le rgba64be " +
    "rgba64le bgra64be bgra64le gbrap16be gbrap16le gbrap12be gbrap12le gbrap10be gbrap10le " +
    "yuva444p12be yuva444p12le",
};

/** Replacements of formats that NUT does not carry: the nearest that it does. */
const REPLACED: readonly (readonly [RegExp, string])[] = [
  [/^p010/, "yuv420p10le"],
  [/^p012/, "yuv420p12le"],
  [/^p016/, "yuv420p16le"],
  [/^(p210|y210|nv20)/, "yuv422p10le"],
  [/^(p212|y212)/, "yuv422p12le"],
  [/^p216/, "yuv422p16le"],
  [/^(p410|yuv440p10|xv30|v30x)/, "yuv444p10le"],
  [/^(p412|yuv440p12|xv36)/, "yuv444p12le"],
  [/^p416/, "yuv444p16le"],
  [/^nv16/, "yuv422p"],
  [/^(nv24|nv42|vyu444|vuyx)/, "yuv444p"],
  [/^uyyvyy411/, "yuv411p"],
  [/^(ayuv|vuya|uyva)/, "yuva444p16le"],
  [/^(x2rgb10|x2bgr10)/, "gbrp10le"],
  [/^grayf|^gray32/, "gray16le"],
  [/^(ya16|yaf|gbrapf|rgbaf)/, "rgba64le"],
  [/^(gbrpf|rgbf|rgb96|bayer_....16)/, "rgb48le"],
  [/^(bayer)/, "rgb24"],
];

const BITS_PER_PIXEL = new Map<string, number>(
  Object.entries(CARRIED).flatMap(([bits, names]) =>
    names.split(" ").map((name): [string, number] => [name, Number(bits)])
  ),
);

/** Full-range variants. They have the layout of the formats without the `j`, and become them in NUT. */
const FULL_RANGE = /^yuvj(420p|422p|440p|444p)$/;

/** Bits per pixel of a format that can be sent raw; `undefined` for all others. */
export function bitsPerPixel(pixelFormat: string): number | undefined {
  return BITS_PER_PIXEL.get(pixelFormat);
}

/**
 * The pixel format of a source's frames when they are sent raw.
 *
 * @param source FFmpeg's name of the source's format
 */
export function rawPixelFormat(source: string): string {
  if (FULL_RANGE.test(source)) return source.replace("yuvj", "yuv");
  if (BITS_PER_PIXEL.has(source)) return source;
  const replacement = REPLACED.find(([pattern]) => pattern.test(source));
  return replacement?.[1] ?? "rgb24";
}

/**
 * The pixel format that FFmpeg has to convert a source to before it is sent raw.
 *
 * @returns `undefined` if no conversion is needed
 */
export function conversionFor(source: string): string | undefined {
  if (FULL_RANGE.test(source) || BITS_PER_PIXEL.has(source)) return undefined;
  return rawPixelFormat(source);
}
