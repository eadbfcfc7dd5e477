/** Renditions of a source's streams, and FFmpeg's arguments for them. */
import type { Encoding, Rational } from "../media/frame.ts";
import type { FfmpegDialect } from "./version.ts";

/** How to transcode the streams of a source. Absent fields keep them as they are. */
export interface Rendition {
  /** @default "raw" */
  encoding?: Encoding;
  /** False to drop audio. */
  audio?: boolean;
  /** FFmpeg's name of the pixel format; for `raw`. */
  pixelFormat?: string;
  /** Pixels. If only one of width and height is given, the aspect ratio is kept. */
  width?: number;
  /** Pixels. */
  height?: number;
  /** Frames per second. */
  fps?: number;
  /** Bits per second of video; for `h264`. */
  bitrate?: number;
  /** 1 to 100; for `mjpeg`. */
  quality?: number;
  /** FFmpeg's name of the source's colour matrix; overrides what the source states. */
  colorMatrix?: string;
}

/** Properties of a video source that the arguments of a {@linkcode Rendition} depend on. */
export interface PictureSource {
  /** Seconds per tick of the source's timestamps, or FFmpeg's value for that of the input. */
  timeBase: Rational | FfmpegDialect["inputTimeBase"];
  /**
   * Frames per second that H.264 states and derives its level from. Ignored for live sources, and if
   * the rendition has its own rate. @default 25
   */
  frameRate?: Rational;
  /** Filters to apply before all others. */
  filters?: readonly string[];
  /** FFmpeg's name of the pixel format to convert raw frames to, if NUT does not carry theirs. */
  conversion?: string;
  /** FFmpeg's name of the pixel format, if it is known. */
  pixelFormat?: string;
  /** FFmpeg's name of the colour matrix, if it is known. */
  colorSpace?: string;
  /** Whether to convert the colours to the stated matrix, whatever theirs is. */
  restatesColors?: boolean;
  /** Seconds between keyframes of `h264`. @default 2 */
  keyframeInterval?: number;
  /** Whether frames come in real time, so that waiting for the next one takes its duration. */
  isLive?: boolean;
}

/**
 * Frames per second up to which the `fps` filter of a live source takes the last frame that has
 * begun, which adds no delay. Above, it takes the nearest, which costs half a frame of delay but drops
 * nothing if the source has the same rate with jitter.
 */
const PROMPT_RATE = 1;

/**
 * Whether video of an encoding is the same to the byte when it is made again from a later keyframe of
 * the file on. x264 decides by the frames before.
 */
export const EXACT_AFTER_SEEK: Readonly<Record<Encoding, boolean>> = {
  raw: true,
  copy: true,
  h264: false,
  mjpeg: true,
};

/** Default JPEG quality. */
const DEFAULT_QUALITY = 75;

/** FFmpeg's scale of JPEG quality: the worst and the best. */
const WORST_JPEG = 31;
const BEST_JPEG = 2;

/** Default keyframe interval in seconds; the longest a seek or a late joiner waits. */
const KEYFRAME_INTERVAL = 2;

/**
 * Threads of x264, which encodes a slice per thread. The number is the same on every machine, so that
 * a response resumed on another one continues with the same bytes.
 */
const ENCODER_THREADS = "4";

/**
 * Threads of x264 with a bitrate. It distributes bits among its threads by their progress, so that
 * only a single thread gives the same bytes every time, on which resuming relies.
 */
const REPEATABLE_THREADS = "1";

/**
 * Frame rate of sources without one: FFmpeg's default. Without a rate, x264 takes each tick of the
 * time base for a frame, and states a level that decoders refuse.
 */
const ASSUMED_RATE: Rational = [25, 1];

/** Constant quality of x264 without a bitrate: its default. */
const DEFAULT_CRF = "23";

/** FFmpeg's names of JPEG's colour matrix, and of an equal one. */
const JPEG_MATRICES = new Set(["bt470bg", "smpte170m"]);

/** Bits per second of AAC; enough for stereo. */
const AUDIO_BITRATE = "160k";

/** FFmpeg's output arguments for the video of a rendition: codec and filters, without the mapping. */
export function pictureArguments(rendition: Rendition, source: PictureSource): string[] {
  if (rendition.encoding === "copy") return ["-c:v", "copy"];
  const filters = [...(source.filters ?? []), ...filtersOf(rendition, source)];
  const timeBase = rendition.fps === undefined ? source.timeBase : frameTime(rendition.fps);
  return [
    ...(filters.length === 0 ? [] : ["-vf", filters.join(",")]),
    ...codecArguments(rendition, source),
    // Every frame keeps its own timestamp.
    ...["-fps_mode", "passthrough", "-enc_time_base:v"],
    typeof timeBase === "string" ? timeBase : timeBase.join("/"),
  ];
}

/**
 * FFmpeg's output arguments for the audio of a rendition.
 *
 * @param lossless FFmpeg's name of the lossless codec that keeps all bits of the source: PCM, or FLAC
 */
export function soundArguments({ encoding }: Rendition, lossless: string): string[] {
  if (encoding === "copy") return ["-c:a", "copy"];
  if (encoding === "h264") return ["-c:a", "aac", "-b:a", AUDIO_BITRATE];
  return ["-c:a", lossless];
}

function codecArguments(rendition: Rendition, source: PictureSource): string[] {
  const { encoding, pixelFormat = source.conversion, bitrate } = rendition;
  if (encoding === "h264") {
    const interval = source.keyframeInterval ?? KEYFRAME_INTERVAL;
    // Live frames are never encoded a second time.
    const isFree = bitrate === undefined || source.isLive;
    return [
      ...["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-pix_fmt", "yuv420p"],
      ...["-threads", isFree ? ENCODER_THREADS : REPEATABLE_THREADS],
      ...statedRate(rendition, source),
      ...keyframesEvery(interval),
      // Frames that were RGB would otherwise still be marked as RGB.
      ...(isRestated(source) ? ["-colorspace", "smpte170m", "-color_range", "tv"] : []),
      ...(bitrate === undefined
        ? ["-crf", DEFAULT_CRF]
        : ["-b:v", `${bitrate}`, "-maxrate", `${bitrate}`, "-bufsize", `${bitrate}`]),
    ];
  }
  if (encoding === "mjpeg") {
    const { quality = DEFAULT_QUALITY } = rendition;
    const scale = WORST_JPEG - (quality - 1) / 99 * (WORST_JPEG - BEST_JPEG);
    // More threads would delay the output by a frame each.
    return ["-c:v", "mjpeg", "-threads", "1", "-q:v", scale.toFixed(1)];
  }
  return [
    // More threads would delay the output by a frame each.
    ...["-c:v", "rawvideo", "-threads", "1"],
    ...(pixelFormat === undefined ? [] : ["-pix_fmt", pixelFormat]),
  ];
}

/**
 * The frame rate that x264 states. FFmpeg 7.1 loses it in the filter `setpts`, which is used after a
 * seek only, so that the header would differ from the first one.
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

/** Sizes of H.264 are even, since its colours have half the resolution. */
function sizeOf({ encoding, width, height }: Rendition): string[] {
  const isScaled = width !== undefined || height !== undefined;
  if (encoding !== "h264") return isScaled ? [`${width ?? -1}:${height ?? -1}`] : [];
  if (!isScaled) return ["ceil(iw/2)*2:ceil(ih/2)*2"];
  const even = (pixels: number | undefined) => pixels === undefined ? -2 : pixels + pixels % 2;
  return [`${even(width)}:${even(height)}`];
}

/**
 * Converts to JPEG's only matrix, and RGB to the stated one. H.264 always gets the limited range,
 * since FFmpeg 7.1 and later keep the full range if only the pixel format changes.
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

/** Whether a pixel format, by FFmpeg's name, is RGB and so has no colour matrix. */
export function isRgb(pixelFormat = ""): boolean {
  return /^(gbr|[ax0]?2?(rgb|bgr)|pal8|bayer)/.test(pixelFormat);
}

/**
 * The pixel format of JPEG nearest to another, by FFmpeg's names. If the other is not known, FFmpeg
 * chooses.
 */
export function jpegPixelFormat(pixelFormat: string | undefined): string {
  if (pixelFormat === undefined) return "yuvj420p|yuvj422p|yuvj444p";
  if (/420|410|411|^nv(12|21)|^p01|^gray|^ya\d|^mono/.test(pixelFormat)) return "yuvj420p";
  return /422|440|^(uyvy|yuyv|yvyu)|^nv(16|20)|^[py]21/.test(pixelFormat) ? "yuvj422p" : "yuvj444p";
}

/** Frames per second as a fraction, rounded to thousandths. */
function frameRate(fps: number): Rational {
  return [Math.round(fps * 1000), 1000];
}

function frameTime(fps: number): Rational {
  const [numerator, denominator] = frameRate(fps);
  return [denominator, numerator];
}

/**
 * FFmpeg's arguments for a keyframe at the first frame and then at an interval. The interval counts
 * from the last keyframe, since after a gap FFmpeg would otherwise make up for the missing keyframes.
 *
 * @param seconds between keyframes
 */
export function keyframesEvery(seconds: number): string[] {
  return ["-force_key_frames", `expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+${seconds}))`];
}

/** Text that is the same for equal renditions. */
export function renditionKey(rendition: Rendition): string {
  const { encoding = "raw", pixelFormat, width, height, fps } = rendition;
  const { bitrate, quality, colorMatrix } = rendition;
  return JSON.stringify([encoding, pixelFormat, width, height, fps, bitrate, quality, colorMatrix]);
}
