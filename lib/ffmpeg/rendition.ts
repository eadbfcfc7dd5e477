/** Renditions of a source's streams, and FFmpeg's arguments for them. */
import type { Encoding, FieldOrder, Rational } from "../media/frame.ts";
import {
  deviceArguments,
  encoderArguments,
  encoderFilters,
  type Hardware,
  SOFTWARE,
} from "./encoders.ts";
import { isHdr, toneMapFilters, toneMapped, type Tones } from "./tone_map.ts";
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
  /** Whether a high dynamic range becomes the usual one. @default unless it is `raw` */
  toneMap?: boolean;
  /** Whether interlaced frames become progressive. @default unless it is `raw` in full size */
  deinterlace?: boolean;
}

/** Properties of a video source that the arguments of a {@linkcode Rendition} depend on. */
export interface PictureSource extends Tones {
  /** Seconds per tick of the source's timestamps, or FFmpeg's value for that of the input. */
  timeBase: Rational | FfmpegDialect["inputTimeBase"];
  /**
   * Frames per second that H.264 states and derives its level from. Ignored for live sources, and if
   * the rendition has its own rate. @default 25
   */
  frameRate?: Rational;
  /** Seconds that are converted, if they are known. */
  length?: number;
  /** Filters to apply before all others. */
  filters?: readonly string[];
  /** FFmpeg's name of the pixel format to convert raw frames to, if NUT does not carry theirs. */
  conversion?: string;
  /** Order of the fields; absent if the source is progressive, or it is not known. */
  fieldOrder?: FieldOrder;
  /** Whether to convert the colours to the stated matrix, whatever theirs is. */
  restatesColors?: boolean;
  /** Seconds between keyframes of `h264`. @default 2 */
  keyframeInterval?: number;
  /** Whether frames come in real time, so that waiting for the next one takes its duration. */
  isLive?: boolean;
  /** How `h264` is encoded, and what has decoded the frames. @default SOFTWARE */
  hardware?: Hardware;
}

/**
 * Frames per second up to which the `fps` filter takes the last frame that has begun, which is true
 * to the time and adds no delay to live sources. Above, it takes the nearest, which costs half a frame
 * of delay but drops nothing if the source has the same rate with jitter.
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

/** Frames between keyframes at most if the frame rate is not known: the default of x264. */
const KEYFRAME_DISTANCE = 250;

/** FFmpeg's names of JPEG's colour matrix, and of an equal one. */
const JPEG_MATRICES = new Set(["bt470bg", "smpte170m"]);

/** Bits per second of AAC; enough for stereo. */
const AUDIO_BITRATE = "160k";

/** FFmpeg's output arguments for the video of a rendition: codec and filters, without the mapping. */
export function pictureArguments(rendition: Rendition, source: PictureSource): string[] {
  if (rendition.encoding === "copy") return ["-c:v", "copy"];
  const isMapped = mapsTones(rendition, source);
  const shown = isMapped ? { ...toneMapped(source), conversion: undefined } : source;
  const filters = [
    ...decodedFormat(source),
    // In front of all others, which may drop frames that it looks at.
    ...(deinterlaces(rendition, source) ? deinterlaceFilters(source.fieldOrder) : []),
    ...(source.filters ?? []),
    ...(rendition.fps === undefined ? [] : [rateFilter(rendition.fps, source)]),
    ...(isMapped ? toneMapFilters(source, rendition) : []),
    ...filtersOf(rendition, shown),
  ];
  const timeBase = rendition.fps === undefined ? source.timeBase : frameTime(rendition.fps);
  return [
    ...(filters.length === 0 ? [] : ["-vf", filters.join(",")]),
    ...codecArguments(rendition, shown),
    // Every frame keeps its own timestamp.
    ...["-fps_mode", "passthrough", "-enc_time_base:v"],
    typeof timeBase === "string" ? timeBase : timeBase.join("/"),
  ];
}

/** Whether a rendition has the usual dynamic range in place of a high one. */
export function mapsTones(
  { encoding = "raw", toneMap = encoding !== "raw" }: Rendition,
  source: Tones,
): boolean {
  return toneMap && encoding !== "copy" && isHdr(source);
}

/** Whether a rendition of interlaced video is progressive. Scaling would mix the fields. */
export function deinterlaces(
  { encoding = "raw", width, height, deinterlace }: Rendition,
  { fieldOrder }: Pick<PictureSource, "fieldOrder">,
): boolean {
  if (fieldOrder === undefined || encoding === "copy") return false;
  return deinterlace ?? (encoding !== "raw" || width !== undefined || height !== undefined);
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
    const { encoder } = source.hardware ?? SOFTWARE;
    const interval = source.keyframeInterval ?? KEYFRAME_INTERVAL;
    return [
      ...(encoder === "libx264" ? x264Arguments(rendition, source) : [
        ...deviceArguments(encoder),
        ...encoderArguments(encoder, {
          bitrate,
          keyframeDistance: keyframeDistance(rendition, source, interval),
        }),
      ]),
      ...keyframesEvery(interval),
      // Frames that were RGB would otherwise still be marked as RGB.
      ...(isRestated(source) ? ["-colorspace", "smpte170m", "-color_range", "tv"] : []),
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

function x264Arguments(rendition: Rendition, source: PictureSource): string[] {
  const { bitrate } = rendition;
  // Live frames are never encoded a second time.
  const isFree = bitrate === undefined || source.isLive;
  return [
    ...["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-pix_fmt", "yuv420p"],
    ...["-threads", isFree ? ENCODER_THREADS : REPEATABLE_THREADS],
    ...statedRate(rendition, source),
    ...(bitrate === undefined
      ? ["-crf", DEFAULT_CRF]
      : ["-b:v", `${bitrate}`, "-maxrate", `${bitrate}`, "-bufsize", `${bitrate}`]),
  ];
}

/**
 * Frames of an interval between keyframes, for encoders that may not heed those that FFmpeg forces.
 *
 * @param interval seconds
 */
function keyframeDistance(
  { fps }: Rendition,
  { frameRate, isLive = false }: PictureSource,
  interval: number,
): number {
  const [numerator, denominator] = fps === undefined ? isLive ? [] : frameRate ?? [] : rateOf(fps);
  if (numerator === undefined || denominator === undefined) return KEYFRAME_DISTANCE;
  return Math.ceil(numerator * interval / denominator);
}

/**
 * Filter that gives frames the pixel format again in which the processor decodes them: those out of
 * hardware have their colours interleaved. It only moves bytes, and does nothing to others.
 */
function decodedFormat({ hardware, pixelFormat = "" }: PictureSource): string[] {
  const isPlanar = /^yuvj?4\d\dp(1[02]le)?$/.test(pixelFormat);
  return hardware?.hwaccel !== undefined && isPlanar ? [`format=${pixelFormat}`] : [];
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
  const { encoding, colorMatrix } = rendition;
  const matrix = colorMatrix === undefined ? [] : [`in_color_matrix=${colorMatrix}`];
  const settings = [...sizeOf(rendition), ...matrix, ...colorsOf(rendition, source)];
  return [
    ...(settings.length === 0 ? [] : [`scale=${settings.join(":")}`]),
    ...(encoding === "h264" ? encodedFormat(source) : []),
    ...(encoding === "mjpeg" ? [`format=${jpegPixelFormat(source.pixelFormat)}`] : []),
  ];
}

function encodedFormat({ hardware: { encoder } = SOFTWARE }: PictureSource): readonly string[] {
  return encoder === "libx264" ? ["format=yuv420p"] : encoderFilters(encoder);
}

function rateFilter(fps: number, { isLive = false, length = Infinity }: PictureSource): string {
  const filter = `fps=${rateOf(fps).join("/")}`;
  // Less than half a frame would be rounded to none.
  if (fps > PROMPT_RATE && fps * length >= 1) return filter;
  // Many files begin a little behind 0: their first frame is that at 0.
  return `${filter}:round=up${isLive ? "" : ":start_time=0"}`;
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
function rateOf(fps: number): Rational {
  return [Math.round(fps * 1000), 1000];
}

function frameTime(fps: number): Rational {
  const [numerator, denominator] = rateOf(fps);
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
  const { bitrate, quality, colorMatrix, toneMap, deinterlace } = rendition;
  return JSON.stringify([
    ...[encoding, pixelFormat, width, height, fps, bitrate, quality, colorMatrix],
    ...[toneMap, deinterlace],
  ]);
}

/**
 * Filters that make interlaced frames progressive.
 *
 * @param fieldOrder of the stream
 * @param options whether decoded frames say whether each of them is interlaced; all are if not
 * @returns none if the stream is progressive
 */
export function deinterlaceFilters(
  fieldOrder: FieldOrder | undefined,
  { isMarked = true }: { isMarked?: boolean } = {},
): string[] {
  if (fieldOrder === undefined) return [];
  const parity = fieldOrder.startsWith("t") ? "tff" : "bff";
  const which = isMarked ? "deint=interlaced" : `parity=${parity}:deint=all`;
  return [`bwdif=mode=send_frame:${which}`];
}
