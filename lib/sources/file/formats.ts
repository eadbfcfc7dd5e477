/** Which formats are served, and FFmpeg's arguments that open one file and nothing else. */
import { fileUrl } from "../../ffmpeg/sandbox.ts";

/** The protocols that library media may open: files, no network. */
const PROTOCOL_WHITELIST = "file";

/** Extensions of images for FFmpeg's image2 demuxer (libavformat/img2.c), without GIF. */
const IMAGE_EXTENSION = new RegExp(
  "\\.(" +
    "png|jpe?g|jps|mpo|jls|ljpg|bmp|tiff?|webp|p[bgnp]m|p[afh]m|tga|exr|dpx|jp2|j2[ck]|jpc|jxl|" +
    "pcx|sgi|ras|rs|sun|sunras|xbm|xpm|xwd|qoi|pic|pct|pict|pix|dds|cri|vbn|im1|im8|im24|im32|y|" +
    "svgz?|dng|mng|mpg[124]-img|pcd|pgmyuv|ptx|timg|img|xface" +
    ")$",
  "i",
);

/** Characters that make a name a pattern or a numbered sequence for image2. */
const PATTERN = /[%*?{]/;

/** Opens an image by the image2 demuxer, whose names are no patterns then. */
const NAMED_IMAGES = ["-f", "image2", "-pattern_type", "none"];

/** A file's format, once it is known. */
export interface KnownFormat {
  /** FFmpeg's names of the container format, separated by commas. */
  format: string;
  video?: { codec: string };
}

/**
 * FFmpeg's arguments that open one library file, whatever characters its path has.
 *
 * @param known the format, so that FFmpeg need not guess it
 */
export function inputArguments(path: string, known?: KnownFormat): string[] {
  return [
    ...["-protocol_whitelist", PROTOCOL_WHITELIST],
    ...(known === undefined ? guessArguments(path) : knownArguments(known)),
    ...["-i", fileUrl(path)],
  ];
}

/** Pixels that FFmpeg adds to width and height when it allocates a frame. */
const MARGIN = { width: 128, height: 64 };

/**
 * FFmpeg's input options that limit the size of the frames it decodes.
 *
 * @param known size of the file's video in pixels, if known
 */
export function pixelLimit(
  maxPixels = Infinity,
  known?: { width: number; height: number },
): string[] {
  if (maxPixels === Infinity) return [];
  const isWithin = known !== undefined && known.width * known.height <= maxPixels;
  const needed = isWithin ? (known.width + MARGIN.width) * (known.height + MARGIN.height) : 0;
  return ["-max_pixels", `${Math.max(maxPixels, needed)}`];
}

/** FFmpeg checks the format before it opens files that it names, so that playlists do no harm. */
function guessArguments(path: string): string[] {
  return [
    ...["-format_whitelist", SERVED_FORMATS.join(",")],
    ...(isPattern(path) ? NAMED_IMAGES : []),
  ];
}

/** Whether FFmpeg would take a path for a pattern of those of several images. */
export function isPattern(path: string): boolean {
  return PATTERN.test(path) && IMAGE_EXTENSION.test(path);
}

function knownArguments({ format, video }: KnownFormat): string[] {
  const [name] = format.split(",");
  if (name !== "image2") return ["-f", name];
  const isNamed = video !== undefined && NAMED_CODECS.includes(video.codec);
  return [...NAMED_IMAGES, ...(isNamed ? ["-c:v", video.codec] : [])];
}

/** A format that an extension stands for. FFmpeg cannot see the name of a file opened for it. */
export interface NamedFormat {
  /** FFmpeg's name of the demuxer. */
  demuxer: string;
  /** The decoder, for images that cannot be identified by their content. */
  codec?: string;
}

/**
 * FFmpeg's demuxers that identify a file by its name alone, or hardly by its content, with their
 * extensions (`AVInputFormat.extensions`); without those that need the size as an option.
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
  // By its content, a series of JPEGs is its first picture if that is large.
  mjpeg: "mjpg mjpeg",
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

/** Decoders of images that FFmpeg identifies by the name alone (libavformat/img2.c). */
const DECODERS: Record<string, string> = {
  targa: "tga",
  xface: "xface",
  mpeg1video: "mpg1-img",
  mpeg2video: "mpg2-img",
  mpeg4: "mpg4-img",
};

/** Those decoders, which have to be named to decode such images. */
export const NAMED_CODECS: readonly string[] = Object.keys(DECODERS);

const BY_EXTENSION = new Map<string, NamedFormat>([
  ...extensionsOf(DEMUXERS, (demuxer) => ({ demuxer })),
  ...extensionsOf(DECODERS, (codec) => ({ demuxer: "image2", codec })),
]);

/** The format that an extension stands for; `undefined` if the content identifies it. */
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

/**
 * FFmpeg's demuxers, up to version 9.0, of self-contained media: files that name no other files or
 * addresses, hold no text that FFmpeg would draw as a terminal, and not only subtitles. All others are
 * excluded: playlists (HLS, DASH, concat, IMF), session descriptions (SDP), scripts, formats of
 * several files (VobSub, Magic Lantern), devices.
 */
export const SERVED_FORMATS: readonly string[] = `
  3dostr 4xm aa aac aax ac3 ace acm act adf adp ads adx aea afc aiff aix alaw alias_pix alp amr
  amrnb amrwb anm apac apc ape apm apng aptx aptx_hd apv argo_asf argo_brp argo_cvg asf asf_o ast au
  av1 avi avr avs avs2 avs3 bethsoftvid bfi bfstm bin bink binka bit bmp_pipe bmv boa bonk
  brender_pix brstm c93 caf cavsvideo cdg cdxl cine codec2 codec2raw cri_pipe daud dcstr dds_pipe
  derf dfa dfpwm dhav dirac dnxhd dpx_pipe dsf dsicin dss dts dtshd dv dxa ea ea_cdata eac3 epaf evc
  exr_pipe f32be f32le f64be f64le film_cpk filmstrip fits flac flic flv frm fsb fwse g722 g723_1
  g726 g726le g728 g729 gdv gem_pipe genh gif gif_pipe gsm gxf h261 h263 h264 hca hcom hdr_pipe hevc
  hnm hxvs iamf ico idcin idf iff ifv ilbc image2 ingenient ipmovie ipu ircam iss iv8 ivf ivr
  j2k_pipe jpeg_pipe jpegls_pipe jpegxl_anim jpegxl_pipe jpegxs_pipe jv kux kvag laf lc3 libgme
  libmodplug libopenmpt live_flv lmlm4 loas luodat lvf lxf m4v matroska mca mgsts mjpeg mjpeg_2000
  mlp mm mmf mods moflex mov mp3 mpc mpc8 mpeg mpegts mpegtsraw mpegvideo mpjpeg msf msnwctcp msp
  mtaf mtv mulaw musx mv mvi mxf mxg nc nistsphere nsp nsv nut nuv obu ogg oma osq paf pam_pipe
  pbm_pipe pcx_pipe pdv pfm_pipe pgm_pipe pgmyuv_pipe pgx_pipe phm_pipe photocd_pipe pictor_pipe pmp
  png_pipe pp_bnk ppm_pipe psd_pipe psxstr pva pvf qcp qdraw_pipe qoa qoi_pipe r3d rawvideo redspark
  rka rl2 rm roq rpl rsd rso s16be s16le s24be s24le s32be s32le s337m s8 sbc sbg scd sdns sdr2 sds
  sdx ser sga sgi_pipe shn siff simbiosis_imx sln smjpeg smk smush sol sox spdif sunrast_pipe svag
  svg_pipe svs swf tak thp tiertexseq tiff_pipe tmv truehd tta txd ty u16be u16le u24be u24le u32be
  u32le u8 usm v210 v210x vag vbn_pipe vc1 vc1test vidc vividas vivo vmd voc vpk vqf vvc w64 wady
  wav wavarc wc3movie webp_anim webp_pipe wsaud wsd wsvqa wtv wv wve xa xbin xbm_pipe xmd xmv
  xpm_pipe xvag xwd_pipe xwma yop yuv4mpegpipe
`.trim().split(/\s+/);

/** Start and duration in seconds; absent if FFmpeg does not report them. */
export interface Extent {
  start?: number;
  duration?: number;
}

/**
 * Formats whose header holds the time at which the media ends in place of its duration. MP4 does, too,
 * but for each stream as well.
 */
const FORMATS_WITH_END = new Set(["matroska", "webm", "nut", "asf"]);

/**
 * Computes the duration of media from its earliest timestamp on; some formats count it from zero,
 * even if their timestamps begin later.
 *
 * @param format FFmpeg's names of the container format, separated by commas
 * @returns seconds, to FFmpeg's microsecond; `undefined` if the file does not say
 */
export function mediaDuration(
  format: string,
  { start = 0, duration }: Extent,
  streams: readonly Extent[],
): number | undefined {
  if (duration === undefined) return undefined;
  const names = format.split(",");
  const end = names.includes("mp4")
    ? latestEnd(streams)
    : names.some((name) => FORMATS_WITH_END.has(name))
    ? duration
    : undefined;
  // An end before the start is a duration after all.
  return end !== undefined && end > start ? Math.round((end - start) * 1e6) / 1e6 : duration;
}

/** Seconds at which the last stream ends; `undefined` unless all say so. */
function latestEnd(streams: readonly Extent[]): number | undefined {
  const ends = streams.map(({ start, duration }) =>
    start === undefined || duration === undefined ? NaN : start + duration
  );
  const latest = Math.max(...ends);
  return Number.isFinite(latest) ? latest : undefined;
}
