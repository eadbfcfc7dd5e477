/** Describes the streams of a file as they are sent. */
import { rawPixelFormat } from "../../ffmpeg/pixel_formats.ts";
import { deinterlaces, isRgb, jpegPixelFormat, mapsTones } from "../../ffmpeg/rendition.ts";
import { isHdr, toneMapped } from "../../ffmpeg/tone_map.ts";
import {
  type AudioStream,
  type Encoding,
  greatestDivisor,
  type Rational,
  type VideoStream,
} from "../../media/frame.ts";
import type { NutStream } from "../../nut/demuxer.ts";
import { pcmCodec } from "./ffmpeg_args.ts";
import type { MediaOptions } from "./plan.ts";
import type { AudioInfo, VideoInfo } from "./ffprobe_streams.ts";

/** Stream ids as they are sent. */
const VIDEO_ID = 0;
const AUDIO_ID = 1;

/** FFmpeg's names of PCM codecs, and NUT's (nut4cc.txt): `PSD` and the bits of a sample. */
const PCM_FOURCC: Record<string, string> = { pcm_s16le: "PSD\x10", pcm_s32le: "PSD\x20" };

/** Ticks a second of an image sequence: milliseconds, or microseconds if those are too coarse. */
const SEQUENCE_TICKS = [1000, 1_000_000];

/** Options of {@linkcode toVideoStream}. */
export interface VideoDescriptionOptions {
  info: VideoInfo;
  options: MediaOptions;
  encoding: Encoding;
}

/** Describes video, by the NUT headers and by what only the file says. */
export function toVideoStream(
  nut: NutStream,
  { info, options, encoding }: VideoDescriptionOptions,
): VideoStream {
  return {
    id: VIDEO_ID,
    type: "video",
    codec: { raw: "rawvideo", copy: info.codec, h264: "h264", mjpeg: "mjpeg" }[encoding],
    fourcc: nut.fourcc,
    timeBase: timeBaseOf(nut, info, options),
    extradata: nut.extradata,
    width: nut.width ?? info.width,
    height: nut.height ?? info.height,
    frameRate: options.every !== undefined ? undefined : frameRateOf(info, options),
    sampleAspectRatio: nut.sampleAspectRatio,
    ...colorsOf(mapsTones({ ...options, encoding }, info) ? toneMapped(info) : info, {
      ...options,
      encoding,
    }),
    fieldOrder: deinterlaces({ ...options, encoding }, info) ? undefined : info.fieldOrder,
    alphaDropped: info.alpha !== undefined && encoding !== "raw" ? true : undefined,
    rotation: encoding === "copy" ? toRotation(info.rotation) : undefined,
    decodeDelay: encoding === "copy" && nut.decodeDelay > 0 ? nut.decodeDelay : undefined,
  };
}

/**
 * Notes on a size that differs from the request.
 *
 * @param wanted pixels; absent for any
 */
export function sizeNotes(
  { width, height }: VideoStream,
  wanted: { width?: number; height?: number },
  encoding: Encoding,
): string[] {
  if (encoding !== "h264") return [];
  const isOdd = [wanted.width, wanted.height].some((pixels = 0) => pixels % 2 > 0);
  return isOdd ? [`Pictures are ${width}×${height}: H.264 has even sizes only`] : [];
}

function colorsOf(
  info: VideoInfo,
  { pixelFormat, encoding }: Pick<MediaOptions, "pixelFormat" | "encoding">,
): Partial<VideoStream> {
  const { colorRange, colorSpace, colorPrimaries, colorTransfer } = info;
  const stated = { colorRange, colorSpace, colorPrimaries, colorTransfer };
  if (encoding === "h264") {
    const colors = isRgb(info.pixelFormat) ? { colorRange: "tv", colorSpace: "smpte170m" } : {
      colorRange: isFullRange(info) ? "tv" : colorRange,
      colorSpace,
    };
    return { pixelFormat: "yuv420p", ...colors, colorPrimaries, colorTransfer };
  }
  if (encoding === "mjpeg") {
    const format = jpegPixelFormat(info.pixelFormat);
    return { pixelFormat: format, colorRange: "pc", colorSpace: "bt470bg" };
  }
  if (encoding === "copy") return { pixelFormat: info.pixelFormat, ...stated };
  if (pixelFormat === undefined) {
    const source = info.alpha?.pixelFormat ?? info.pixelFormat;
    return { pixelFormat: rawPixelFormat(source), ...stated };
  }
  // FFmpeg converts the matrix and the range as the format has it, but no high dynamic range.
  if (!isHdr(info)) return { pixelFormat };
  return isRgb(pixelFormat)
    ? { pixelFormat, colorPrimaries, colorTransfer }
    : { pixelFormat, ...stated };
}

/** Whether video has the full range; H.264 is always sent with the limited range. */
function isFullRange({ pixelFormat, colorRange }: VideoInfo): boolean {
  return colorRange === "pc" || /^(yuvj|gray|ya\d|mono)/.test(pixelFormat);
}

function toRotation(degrees: number): VideoStream["rotation"] {
  return degrees === 90 || degrees === 180 || degrees === 270 ? degrees : undefined;
}

function frameRateOf({ frameRate }: VideoInfo, { fps }: MediaOptions): Rational | undefined {
  return fps === undefined ? frameRate : lowest(Math.round(fps * 1000), 1000);
}

function timeBaseOf(nut: NutStream, info: VideoInfo, options: MediaOptions): Rational {
  if (options.every !== undefined) return sequenceTimeBase(options.every);
  if (options.still) return nut.timeBase;
  if (options.fps === undefined) return coarsest(nut, info.timeBase);
  return coarsest(nut, lowest(1000, Math.round(options.fps * 1000)));
}

/** The source's time base if NUT's is a refinement of it, as FFmpeg makes them. */
function coarsest(nut: NutStream, timeBase: Rational): Rational {
  const ticks = (timeBase[0] * nut.timeBase[1]) / (timeBase[1] * nut.timeBase[0]);
  return Number.isInteger(ticks) ? timeBase : nut.timeBase;
}

function sequenceTimeBase(every: number): Rational {
  const isExact = (ticks: number) => Math.abs(every * ticks - Math.round(every * ticks)) < 1e-6;
  return [1, SEQUENCE_TICKS.find(isExact) ?? SEQUENCE_TICKS[1]];
}

/** Describes PCM without waiting for the NUT headers. */
export function toPcmStream(info: AudioInfo): AudioStream {
  const codec = pcmCodec(info);
  return {
    id: AUDIO_ID,
    type: "audio",
    codec,
    fourcc: PCM_FOURCC[codec],
    timeBase: [1, info.sampleRate],
    extradata: new Uint8Array(0),
    sampleRate: info.sampleRate,
    channels: info.channels,
  };
}

/** Describes compressed audio. */
export function toAudioStream(nut: NutStream, info: AudioInfo, codec: string): AudioStream {
  return {
    id: AUDIO_ID,
    type: "audio",
    codec,
    fourcc: nut.fourcc,
    timeBase: nut.timeBase,
    extradata: nut.extradata,
    sampleRate: nut.sampleRate ?? info.sampleRate,
    channels: nut.channels ?? info.channels,
  };
}

function lowest(numerator: number, denominator: number): Rational {
  const divisor = greatestDivisor(numerator, denominator);
  return [numerator / divisor, denominator / divisor];
}
