/**
 * Video with a high dynamic range, shown on screens without.
 *
 * All builds of FFmpeg have the filters, so that servers make the same bytes whatever theirs has; its
 * own way, `zscale` with `tonemap`, needs a library that builds may lack, and takes as long.
 */

/** How bright and in which colours video is, by FFmpeg's names. */
export interface Tones {
  pixelFormat?: string;
  colorRange?: string;
  colorSpace?: string;
  colorPrimaries?: string;
  colorTransfer?: string;
}

/** The size to which video is scaled, pixels; the aspect ratio is kept if one of the two is absent. */
export interface WantedSize {
  width?: number;
  height?: number;
}

/** Cd/m² of a white wall in video with a high dynamic range (ITU-R BT.2408), shown as usual white. */
const REFERENCE_WHITE = 203;

/** Constants of the perceptual quantizer (SMPTE ST 2084). */
const PQ = {
  ...{ peak: 10_000, m1: 2610 / 16384, m2: 2523 / 4096 * 128 },
  ...{ c1: 3424 / 4096, c2: 2413 / 4096 * 32, c3: 2392 / 4096 * 32 },
};

/** Constants of hybrid log-gamma on a screen of 1000 cd/m² (ITU-R BT.2100). */
const HLG = { peak: 1000, gamma: 1.2, a: 0.17883277, b: 0.28466892, c: 0.55991073 };

/** Light up to this part of white is kept as it is. */
const KNEE = 0.5;

/**
 * Expressions by transfer that put light, 1 for the reference white, into variable 1; with the
 * brightest light.
 */
const LIGHT: Readonly<Record<string, { expression: string; brightest: number }>> = {
  smpte2084: {
    expression: `st(0,pow(val/maxval,${1 / PQ.m2}));` +
      `st(1,${PQ.peak / REFERENCE_WHITE}*pow(max(ld(0)-${PQ.c1},0)/(${PQ.c2}-${PQ.c3}*ld(0)),` +
      `${1 / PQ.m1}))`,
    brightest: PQ.peak / REFERENCE_WHITE,
  },
  "arib-std-b67": {
    expression: `st(0,val/maxval);st(1,${HLG.peak / REFERENCE_WHITE}*` +
      `pow(if(lte(ld(0),0.5),ld(0)*ld(0)/3,(exp((ld(0)-${HLG.c})/${HLG.a})+${HLG.b})/12),` +
      `${HLG.gamma}))`,
    brightest: HLG.peak / REFERENCE_WHITE,
  },
};

/** Primaries that the filter `colorspace` knows, by FFmpeg's names. */
const KNOWN_PRIMARIES = new Set(["bt2020", "bt709", "smpte432", "smpte431"]);

/** Whether video has a high dynamic range. */
export function isHdr({ colorTransfer }: Pick<Tones, "colorTransfer">): boolean {
  return colorTransfer !== undefined && Object.hasOwn(LIGHT, colorTransfer);
}

/**
 * Filters that show video with a high dynamic range in the usual one: BT.709 in 8 bits, sizes even.
 *
 * @param wanted the size to which it is scaled afterwards, so that fewer pixels are converted
 * @returns none if its range is the usual one
 */
export function toneMapFilters(tones: Tones, wanted: WantedSize = {}): string[] {
  const { colorTransfer = "", colorRange, colorSpace, colorPrimaries = "" } = tones;
  if (!isHdr(tones)) return [];
  const curve = curveOf(colorTransfer);
  const matrix = colorSpace === "bt709" ? "bt709" : "bt2020";
  const range = colorRange === "pc" ? "pc" : "tv";
  const primaries = KNOWN_PRIMARIES.has(colorPrimaries) ? colorPrimaries : "bt2020";
  return [
    `scale=${evenSize(wanted)}:in_color_matrix=${matrix}:in_range=${range}`,
    "format=gbrp12le",
    `lutrgb=r='${curve}':g='${curve}':b='${curve}'`,
    "scale=out_color_matrix=bt2020:out_range=tv",
    "format=yuv444p12le",
    `colorspace=ispace=bt2020ncl:iprimaries=${primaries}:itrc=bt2020-12:irange=tv:all=bt709:` +
    `range=tv:format=${shownFormat(tones)}`,
  ];
}

/** Describes video behind its {@linkcode toneMapFilters}. */
export function toneMapped<T extends Tones>(video: T): T {
  return {
    ...video,
    pixelFormat: shownFormat(video),
    ...{
      colorRange: "tv",
      colorSpace: "bt709",
      colorPrimaries: undefined,
      colorTransfer: undefined,
    },
  };
}

/** All colours are kept of RGB, and of a format that is not known. */
function shownFormat({ pixelFormat = "rgb" }: Tones): string {
  if (/^gbr|rgb|bgr|^yuva?444/.test(pixelFormat)) return "yuv444p";
  return /^yuva?422/.test(pixelFormat) ? "yuv422p" : "yuv420p";
}

/** The filter `colorspace` refuses odd sizes. */
function evenSize({ width, height }: WantedSize): string {
  if (width === undefined && height === undefined) return "ceil(iw/2)*2:ceil(ih/2)*2";
  const even = (pixels: number | undefined) => pixels === undefined ? -2 : pixels + pixels % 2;
  return `${even(width)}:${even(height)}`;
}

/**
 * The expression of a component: from its code to light, from bright light to what a screen shows
 * (Möbius curve, as FFmpeg's `tonemap` has it), and to the code of BT.709.
 */
function curveOf(transfer: string): string {
  const { expression, brightest } = LIGHT[transfer];
  const a = -KNEE * KNEE * (brightest - 1) / (KNEE * KNEE - 2 * KNEE + brightest);
  const b = (KNEE * KNEE - 2 * KNEE * brightest + brightest) / (brightest - 1);
  const factor = (b * b + 2 * b * KNEE + KNEE * KNEE) / (b - a);
  const compressed = `min(1,${factor}*(ld(1)+(${a}))/(ld(1)+${b}))`;
  const shown = `st(2,if(lte(ld(1),${KNEE}),ld(1),${compressed}))`;
  const code = "if(lt(ld(2),0.018053),4.5*ld(2),1.099297*pow(ld(2),0.45)-0.099297)";
  // FFmpeg evaluates codes beyond the largest, too.
  return `if(gt(val,maxval),maxval,${expression};${shown};maxval*${code})`;
}
