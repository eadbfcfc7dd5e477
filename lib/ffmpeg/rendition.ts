/** What streams are turned into before they are sent, and FFmpeg's arguments for it. Pure. */
import type { Encoding, Rational } from "../media/frame.ts";
import type { FfmpegDialect } from "./version.ts";

/** What is wanted of the streams of a source. Absent fields leave them as they are. */
export interface Rendition {
  /** `raw` where absent. */
  encoding?: Encoding;
  /** False to leave sound out. */
  audio?: boolean;
  /** FFmpeg's name of the pixel format; for `raw`. */
  pixelFormat?: string;
  /** Pixels; where only one of the two is given, the aspect is kept. */
  width?: number;
  /** Pixels. */
  height?: number;
  /** Frames a second. */
  fps?: number;
  /** Bits a second of the pictures; for `h264`. */
  bitrate?: number;
  /** 1 to 100; for `mjpeg`. */
  quality?: number;
  /** FFmpeg's name of the matrix by which colours are read, whatever the source states. */
  colorMatrix?: string;
}

/** What has to be known of the pictures that are turned into a {@linkcode Rendition}. */
export interface PictureSource {
  /** Seconds a tick of the source's timestamps, or FFmpeg's word for whatever the input has. */
  timeBase: Rational | FfmpegDialect["inputTimeBase"];
  /**
   * Frames a second, as H.264 states them and reckons its level from them. Not used for live
   * pictures, nor if the rendition has a rate of its own. @default 25
   */
  frameRate?: Rational;
  /** Filters before all others. */
  filters?: readonly string[];
  /** FFmpeg's name of the pixel format that raw pictures become, where they cannot stay. */
  conversion?: string;
  /** FFmpeg's name of the pixel format that the pictures have, where it is known. */
  pixelFormat?: string;
  /** FFmpeg's name of the matrix of their colours, where it is known. */
  colorSpace?: string;
  /** Have the colours turned to the matrix that is stated, whatever theirs is. */
  restatesColors?: boolean;
  /** Seconds from one keyframe of `h264` to the next; 2 where absent. */
  keyframeInterval?: number;
  /** Pictures come in real time, so that waiting for the next one takes as long as it lasts. */
  isLive?: boolean;
}

/**
 * Frames a second up to which a live picture is the last one that had begun, as for a still. Above,
 * it is the nearest, of which nothing is lost where the source has the same rate but not evenly;
 * which that is, is known half a frame later only.
 */
const PROMPT_RATE = 1;

/** JPEG's quality where nothing is said. */
const USUAL_QUALITY = 75;

/** FFmpeg's scale of JPEG's quality: the worst and the best. */
const WORST_JPEG = 31;
const BEST_JPEG = 2;

/** Seconds between keyframes: what a seek, or a late joiner, has to wait for at the most. */
const KEYFRAME_INTERVAL = 2;

/**
 * x264 cuts pictures into a slice for each thread: with a number of its own for each machine, an
 * answer that is resumed on another one would go on with other bytes than it began with.
 */
const ENCODER_THREADS = "4";

/**
 * Where x264 has to keep to a bitrate, it divides each picture's bits among its threads by how far
 * those happen to be: only one gives the same bytes every time, on which resuming relies.
 */
const REPEATABLE_THREADS = "1";

/**
 * Frames a second of pictures whose rate is not known: what FFmpeg assumes. Without a rate, x264
 * takes each tick of the time base for a frame, and states a level that decoders refuse.
 */
const ASSUMED_RATE: Rational = [25, 1];

/** Constant quality of x264 where no bitrate is asked for: its own default. */
const USUAL_CRF = "23";

/** FFmpeg's names of the matrix of JPEG, and of one with the same numbers. */
const JPEG_MATRICES = new Set(["bt470bg", "smpte170m"]);

/** Bits a second of AAC; enough for stereo. */
const SOUND_BITRATE = "160k";

/**
 * FFmpeg's output arguments for the pictures of a rendition, the codec's and the filters', but for
 * the stream that is mapped.
 */
export function pictureArguments(rendition: Rendition, source: PictureSource): string[] {
  if (rendition.encoding === "copy") return ["-c:v", "copy"];
  const filters = [...(source.filters ?? []), ...filtersOf(rendition, source)];
  const timeBase = rendition.fps === undefined ? source.timeBase : frameTime(rendition.fps);
  return [
    ...(filters.length === 0 ? [] : ["-vf", filters.join(",")]),
    ...codecArguments(rendition, source),
    // Every picture keeps its own timestamp.
    ...["-fps_mode", "passthrough", "-enc_time_base:v"],
    typeof timeBase === "string" ? timeBase : timeBase.join("/"),
  ];
}

/**
 * FFmpeg's output arguments for the sound of a rendition.
 *
 * @param lossless FFmpeg's name of the PCM codec that keeps all bits of the source
 */
export function soundArguments({ encoding }: Rendition, lossless: string): string[] {
  if (encoding === "copy") return ["-c:a", "copy"];
  if (encoding === "h264") return ["-c:a", "aac", "-b:a", SOUND_BITRATE];
  return ["-c:a", lossless];
}

function codecArguments(rendition: Rendition, source: PictureSource): string[] {
  const { encoding, pixelFormat = source.conversion, bitrate, quality = USUAL_QUALITY } = rendition;
  if (encoding === "h264") {
    const interval = source.keyframeInterval ?? KEYFRAME_INTERVAL;
    // What is live is never made a second time.
    const isFree = bitrate === undefined || source.isLive;
    return [
      ...["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-pix_fmt", "yuv420p"],
      ...["-threads", isFree ? ENCODER_THREADS : REPEATABLE_THREADS],
      ...statedRate(rendition, source),
      ...keyframesEvery(interval),
      // What was RGB would otherwise still be said to be.
      ...(isRestated(source) ? ["-colorspace", "smpte170m", "-color_range", "tv"] : []),
      ...(bitrate === undefined
        ? ["-crf", USUAL_CRF]
        : ["-b:v", `${bitrate}`, "-maxrate", `${bitrate}`, "-bufsize", `${bitrate}`]),
    ];
  }
  if (encoding === "mjpeg") {
    const scale = WORST_JPEG - (quality - 1) / 99 * (WORST_JPEG - BEST_JPEG);
    // With threads of its own, the encoder would hold a frame back for each.
    return ["-c:v", "mjpeg", "-threads", "1", "-q:v", scale.toFixed(1)];
  }
  return [
    // The encoder only copies; with threads of its own it would hold a frame back for each.
    ...["-c:v", "rawvideo", "-threads", "1"],
    ...(pixelFormat === undefined ? [] : ["-pix_fmt", pixelFormat]),
  ];
}

/**
 * The frame rate that x264 states. FFmpeg 7.1 forgets it behind the filter `setpts`, which only
 * pictures behind a seek go through, so that those would have another header than the first.
 */
function statedRate(
  { fps }: Rendition,
  { frameRate = ASSUMED_RATE, isLive = false }: PictureSource,
): string[] {
  return isLive || fps !== undefined ? [] : ["-x264-params", `fps=${frameRate.join("/")}`];
}

function filtersOf(rendition: Rendition, source: PictureSource): string[] {
  const { encoding, fps, colorMatrix } = rendition;
  const matrix = colorMatrix === undefined ? [] : [`in_color_matrix=${colorMatrix}`];
  const settings = [...sizeOf(rendition), ...matrix, ...colorsOf(rendition, source)];
  return [
    ...(fps === undefined ? [] : [rateFilter(fps, source)]),
    ...(settings.length === 0 ? [] : [`scale=${settings.join(":")}`]),
    ...(encoding === "h264" ? ["format=yuv420p"] : []),
    ...(encoding === "mjpeg" ? [`format=${jpegPixelFormat(source.pixelFormat)}`] : []),
  ];
}

function rateFilter(fps: number, { isLive = false }: PictureSource): string {
  const rounding = isLive && fps <= PROMPT_RATE ? ":round=up" : "";
  return `fps=${frameRate(fps).join("/")}${rounding}`;
}

/** The colours of H.264 are half as fine as its pictures, which therefore have even sizes. */
function sizeOf({ encoding, width, height }: Rendition): string[] {
  const isScaled = width !== undefined || height !== undefined;
  if (encoding !== "h264") return isScaled ? [`${width ?? -1}:${height ?? -1}`] : [];
  if (!isScaled) return ["ceil(iw/2)*2:ceil(ih/2)*2"];
  const even = (pixels: number | undefined) => pixels === undefined ? -2 : pixels + pixels % 2;
  return [`${even(width)}:${even(height)}`];
}

/**
 * JPEG has one matrix only; and what was RGB has to get the one that it is said to have. H.264 always
 * gets the usual range: by the pixel format alone, FFmpeg 7.1 and later keep the full one.
 */
function colorsOf({ encoding }: Rendition, source: PictureSource): string[] {
  const { colorSpace } = source;
  const restated = isRestated(source);
  if (encoding === "h264") {
    return [...(restated ? ["out_color_matrix=bt601"] : []), "out_range=tv"];
  }
  const isOther = restated || !(colorSpace === undefined || JPEG_MATRICES.has(colorSpace));
  return encoding === "mjpeg" && isOther ? ["out_color_matrix=bt601:out_range=pc"] : [];
}

function isRestated({ pixelFormat, restatesColors = false }: PictureSource): boolean {
  return restatesColors || isRgb(pixelFormat);
}

/** Whether a pixel format, by FFmpeg's name, has no matrix. */
export function isRgb(pixelFormat = ""): boolean {
  return /^(gbr|[ax0]?2?(rgb|bgr)|pal8|bayer)/.test(pixelFormat);
}

/**
 * The pixel format of JPEG that comes nearest to another, by FFmpeg's names. Where the other is
 * not known, FFmpeg is left the choice.
 */
export function jpegPixelFormat(pixelFormat: string | undefined): string {
  if (pixelFormat === undefined) return "yuvj420p|yuvj422p|yuvj444p";
  if (/420|410|411|^nv(12|21)|^p01|^gray|^ya\d|^mono/.test(pixelFormat)) return "yuvj420p";
  return /422|440|^(uyvy|yuyv|yvyu)|^nv(16|20)|^[py]21/.test(pixelFormat) ? "yuvj422p" : "yuvj444p";
}

/** Frames a second as a fraction, to the thousandth. */
function frameRate(fps: number): Rational {
  return [Math.round(fps * 1000), 1000];
}

function frameTime(fps: number): Rational {
  const [numerator, denominator] = frameRate(fps);
  return [denominator, numerator];
}

/** FFmpeg's argument that has an encoder make keyframes at an even pace. Pure. */

/**
 * Arguments for a keyframe at the beginning, wherever on the time line that lies, and then every so
 * many seconds. They count from the last one: where nothing came for a while, what follows would
 * else be keyframes only, until their number is made up for.
 *
 * @param seconds from one to the next
 */
export function keyframesEvery(seconds: number): string[] {
  return ["-force_key_frames", `expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+${seconds}))`];
}
