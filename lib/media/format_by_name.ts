/**
 * What FFmpeg would take a file for by the extension of its name, which it does not see where the
 * file was opened for it. Pure.
 */

/** A format that a name stands for. */
export interface NamedFormat {
  /** FFmpeg's name of the demuxer. */
  demuxer: string;
  /** The decoder, of pictures that nothing in them tells. */
  codec?: string;
}

/**
 * FFmpeg's demuxers that go by the name alone, or tell little from the content, with the extensions
 * that it knows them by (`AVInputFormat.extensions`); not those that need to be told a size.
 */
const DEMUXERS: Record<string, string> = {
  adf: "adf",
  afc: "afc",
  aptx: "aptx",
  aptx_hd: "aptxhd",
  bmv: "bmv",
  cdg: "cdg",
  daud: "302 daud",
  dfpwm: "dfpwm",
  filmstrip: "flm",
  g722: "g722 722",
  g723_1: "tco rco g723_1",
  g729: "g729",
  gsm: "gsm",
  mvi: "mvi",
  mxg: "mxg",
  mlp: "mlp",
  truehd: "thd",
  alaw: "al",
  mulaw: "ul",
  s16le: "sw",
  s8: "sb",
  u16le: "uw",
  u8: "ub",
  rso: "rso",
  sbc: "sbc msbc",
  sln: "sln",
  pam_pipe: "pam",
  pgmyuv_pipe: "pgmyuv",
  svg_pipe: "svg svgz",
};

/** The same of decoders for pictures that FFmpeg knows by the name alone (libavformat/img2.c). */
const DECODERS: Record<string, string> = {
  targa: "tga",
  xface: "xface",
  mpeg1video: "mpg1-img",
  mpeg2video: "mpg2-img",
  mpeg4: "mpg4-img",
};

/** Those decoders, which have to be named where such pictures are decoded. */
export const NAMED_CODECS: readonly string[] = Object.keys(DECODERS);

const BY_EXTENSION = new Map<string, NamedFormat>([
  ...extensionsOf(DEMUXERS, (demuxer) => ({ demuxer })),
  ...extensionsOf(DECODERS, (codec) => ({ demuxer: "image2", codec })),
]);

/** The format that the extension of a name stands for; `undefined` where the content tells it. */
export function formatByName(path: string): NamedFormat | undefined {
  return BY_EXTENSION.get(path.slice(path.lastIndexOf(".") + 1).toLowerCase());
}

function extensionsOf(
  table: Record<string, string>,
  toFormat: (name: string) => NamedFormat,
): [string, NamedFormat][] {
  return Object.entries(table).flatMap(([name, extensions]) =>
    extensions.split(" ").map((extension): [string, NamedFormat] => [extension, toFormat(name)])
  );
}
