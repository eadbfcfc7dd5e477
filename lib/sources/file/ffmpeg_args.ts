/** FFmpeg's arguments for converting one stream of a library file to NUT. */
import { decodingArguments, type Hardware } from "../../ffmpeg/encoders.ts";
import { conversionFor } from "../../ffmpeg/pixel_formats.ts";
import { pictureArguments, soundArguments } from "../../ffmpeg/rendition.ts";
import type { Encoding, Rational } from "../../media/frame.ts";
import { inputArguments } from "./formats.ts";
import type { MediaFile } from "./library.ts";
import type { MediaOptions, TrackPlan } from "./plan.ts";
import type { AudioInfo } from "./ffprobe_streams.ts";
import type { MediaInfo } from "./probe.ts";
import {
  isClockless,
  isJumping,
  planCopying,
  planDecoding,
  planShowing,
  type SeekPlan,
} from "./seek.ts";

/** Time base of images, which have no time. */
const STILL_TIME_BASE: Rational = [1, 25];

const STILL_TIMING = { timeBase: STILL_TIME_BASE };

/** Frames a second if the file does not say: FFmpeg's default. */
const STILL_RATE: Rational = [25, 1];

/** Seconds a tick while a still of a video is searched for. */
const SEARCH_TIME_BASE: Rational = [1, 1_000_000];

/** Seconds; the filter `fps` truncates its start time to microseconds, after some arithmetic. */
const HALF_TICK = 0.5e-6;

/** Seconds between images if only the first is wanted: any long time. */
const LONG_INTERVAL = 10_000;

/** Limit of the time for which the last image is repeated: the header of a truncated file is wrong. */
const MAX_LAST_IMAGE = "stop_duration=30";

/** Part of an interval to which intervals are rounded that users write. */
const PRECISION = 1e-6;

/** Seconds, beside the start, by which packets are shifted so that no timestamp is below 0. */
const MIN_LEAD = 10;

/** Formats with decode timestamps, but presentation timestamps for some packets only. */
const FORMATS_WITHOUT_PTS = new Set(["avi", "mpeg", "mpegts"]);

/** Seconds of the other stream that are read with a still. */
const COMPANION_TIME = 1;

/**
 * Scaler flags for stills. Slower than FFmpeg's default, by which neighbours share a colour: a JPEG
 * comes three times nearer to the output of other decoders.
 */
const STILL_SCALER = "bicubic+accurate_rnd+full_chroma_int";

/** A file, the request, and the plan for it. */
export interface TrackInput {
  file: MediaFile;
  options: MediaOptions;
  plan: TrackPlan;
  /** How video is decoded and encoded. @default SOFTWARE */
  hardware?: Hardware;
}

/** Seconds that FFmpeg adds to the timestamps of compressed streams, since NUT has none below 0. */
export function leadOf({ start = 0 }: MediaOptions): number {
  return Math.ceil(start) + MIN_LEAD;
}

/** Arguments for the video of a file, with the timestamps of the source. */
export function videoArguments({ file, options, plan, hardware }: TrackInput): string[] {
  const { info } = file;
  if (options.still) return stillArguments({ file, options, plan, hardware });
  const encoding = plan.video ?? "raw";
  if (encoding === "copy") return copyArguments({ file, options, plan }, "V");
  const seek = planDecoding(info.format, options.start ?? 0, info.video);
  return [
    ...["-nostdin", "-v", "error"],
    ...inputTiming(seek, options),
    ...decodingArguments(hardware),
    // FFmpeg looks at frames before it decodes them, which takes a tenth of the time to the first.
    ...(info.isStated && encoding === "raw" ? ["-nofind_stream_info"] : []),
    ...alphaArguments(info, encoding),
    ...inputArguments(file.path, info),
    ...["-map", mapOf(info, "V")],
    ...pictureArguments({ ...options, encoding }, {
      ...sourceOf(info),
      length: lengthOf(options, info.duration),
      hardware,
      filters: trimFilters(seek),
    }),
    ...(encoding === "raw" ? [] : shifted(leadOf(options))),
    ...["-f", "nut", "pipe:1"],
    ...companionArguments("a", info),
  ];
}

/** Arguments for the audio of a file. */
export function audioArguments({ file, options, plan }: TrackInput): string[] {
  const { info } = file;
  if (plan.audio === "copy") return copyArguments({ file, options, plan }, "a");
  const seek = planDecoding(info.format, options.start ?? 0);
  const codec = plan.audio === "flac" ? "flac" : info.audio ? pcmCodec(info.audio) : "pcm_s16le";
  return [
    ...["-nostdin", "-v", "error"],
    ...inputTiming(seek, options),
    ...inputArguments(file.path, info),
    ...["-map", mapOf(info, "a"), ...(seek.rest > 0 ? ["-ss", toDecimal(seek.rest)] : [])],
    ...soundArguments({ encoding: plan.audio === "aac" ? "h264" : "raw" }, codec),
    ...(plan.audio === "pcm" ? [] : shifted(leadOf(options))),
    ...["-f", "nut", "pipe:1"],
    ...companionArguments("V", info),
  ];
}

/** The PCM codec that keeps all bits of integer samples; floating point becomes 16 bits. */
export function pcmCodec({ sampleFormat }: AudioInfo): string {
  return sampleFormat.startsWith("s32") || sampleFormat.startsWith("s64")
    ? "pcm_s32le"
    : "pcm_s16le";
}

/**
 * Number of images of a sequence; `undefined` for as many as there are.
 *
 * @param total seconds that the media lasts, if known
 */
export function sequenceLength(
  options: MediaOptions,
  total?: number,
): number | undefined {
  const { every } = options;
  if (every === undefined) return 1;
  const length = lengthOf(options, total);
  return length === Infinity ? undefined : Math.max(1, Math.ceil(length / every - PRECISION));
}

/** Seconds of a part; `Infinity` if they are not known. */
function lengthOf(
  { start = 0, duration = Infinity }: MediaOptions,
  total = Infinity,
): number {
  return Math.min(duration, total - start);
}

/**
 * Arguments for stills. The filter `fps` selects those of a video: at each of its ticks, it gives the
 * latest frame that has begun by then.
 */
function stillArguments({ file: { path, info }, options, plan, hardware }: TrackInput): string[] {
  const encoding = plan.video ?? "raw";
  const { start = 0, every = LONG_INTERVAL } = options;
  const isImage = info.kind === "image";
  const { seek, rest } = planShowing(info.format, start, info.video ?? STILL_TIMING);
  const count = sequenceLength(options, info.duration);
  const input = isImage ? [] : ["-noaccurate_seek", ...(seek > 0 ? ["-ss", toDecimal(seek)] : [])];
  const filters = [
    ...clockOf(info),
    // The last frame is shown until its end, or until that of longer audio.
    ...(count === undefined
      ? []
      : [`tpad=stop_mode=clone:${options.every ? MAX_LAST_IMAGE : "stop=-1"}`]),
    `settb=${SEARCH_TIME_BASE.join("/")}`,
    `fps=1/${toDecimal(every)}:start_time=${(rest + HALF_TICK).toFixed(7)}:round=up`,
  ];
  const timeBase = isImage ? STILL_TIME_BASE : SEARCH_TIME_BASE;
  // Stills have neither a frame rate nor a bitrate.
  const rendition = { ...options, encoding, fps: undefined, bitrate: undefined };
  const companionTime = count === 1 ? rest + COMPANION_TIME : undefined;
  return [
    ...["-nostdin", "-v", "error"],
    // With several threads, FFmpeg decodes several frames before it gives the first one.
    ...(isImage || start === 0 ? ["-threads", "1"] : []),
    ...input,
    ...(isImage ? [] : decodingArguments(hardware)),
    ...alphaArguments(info, encoding),
    ...inputArguments(path, info),
    ...["-map", mapOf(info, "V")],
    ...pictureArguments(rendition, {
      ...sourceOf(info),
      hardware,
      timeBase,
      filters: isImage ? [] : filters,
    }),
    ...(count === undefined ? [] : ["-frames:v", `${count}`]),
    ...(encoding === "copy" ? [] : ["-sws_flags", STILL_SCALER]),
    ...(encoding === "raw" ? [] : shifted(leadOf({}))),
    ...["-f", "nut", "pipe:1"],
    ...(isImage ? [] : companionArguments("a", info, companionTime)),
  ];
}

/** Arguments that copy packets, from the keyframe before the start or an earlier one on. */
function copyArguments({ file: { path, info }, options }: TrackInput, stream: "a" | "V"): string[] {
  const { start = 0, duration } = options;
  const { seek, rest } = planCopying(info.format, start, stream === "V" ? info.video : undefined);
  const kind = stream === "V" ? "v" : "a";
  return [
    ...["-nostdin", "-v", "error"],
    ...(FORMATS_WITHOUT_PTS.has(info.format) ? ["-fflags", "+genpts"] : []),
    ...(seek > 0 ? ["-ss", toDecimal(seek)] : []),
    ...(duration === undefined ? [] : ["-t", toDecimal(rest + duration)]),
    ...inputArguments(path, info),
    ...["-map", mapOf(info, stream), `-c:${kind}`, "copy"],
    ...shifted(leadOf(options) - rest),
    ...["-f", "nut", "pipe:1"],
    ...companionArguments(stream === "V" ? "a" : "V", info),
  ];
}

/** The decoder that keeps transparency, which only raw frames have. */
function alphaArguments({ video }: MediaInfo, encoding: Encoding): string[] {
  return video?.alpha !== undefined && encoding === "raw" ? ["-c:v", video.alpha.decoder] : [];
}

/** FFmpeg's name of the chosen stream of a type. */
function mapOf({ video, audio }: MediaInfo, stream: "a" | "V"): string {
  return `0:${stream}:${(stream === "a" ? audio : video)?.number ?? 0}`;
}

function sourceOf({ video, kind }: MediaInfo) {
  return {
    timeBase: video === undefined || kind === "image" ? STILL_TIME_BASE : video.timeBase,
    frameRate: kind === "image" ? undefined : video?.frameRate,
    conversion: video && conversionFor(video.pixelFormat),
    pixelFormat: video?.pixelFormat,
    colorRange: video?.colorRange,
    colorSpace: video?.colorSpace,
    colorPrimaries: video?.colorPrimaries,
    colorTransfer: video?.colorTransfer,
    fieldOrder: video?.fieldOrder,
  };
}

/** Filter that gives timestamps to frames of formats without, by the frame rate. */
function clockOf({ format, video }: MediaInfo): string[] {
  const [numerator, denominator] = video?.frameRate ?? STILL_RATE;
  return isClockless(format) ? [`setpts=N*${denominator}/(${numerator}*TB)`] : [];
}

/** Shifts timestamps; FFmpeg itself would shift those below 0, each stream differently. */
function shifted(seconds: number): string[] {
  return ["-avoid_negative_ts", "disabled", "-output_ts_offset", toDecimal(seconds)];
}

/** As input options, both are exact, and count from the beginning of the input. */
function inputTiming({ seek, rest }: SeekPlan, { duration }: MediaOptions): string[] {
  return [
    ...(seek > 0 ? ["-ss", toDecimal(seek)] : []),
    ...(duration === undefined ? [] : ["-t", toDecimal(rest + duration)]),
  ];
}

/** Filters that drop what is read for decoding only; first, so that others count from the start. */
function trimFilters({ rest }: SeekPlan): string[] {
  if (rest === 0) return [];
  return [`trim=start=${toDecimal(rest)}`, `setpts=PTS-round(${toDecimal(rest)}/TB)`];
}

/** Seconds in FFmpeg's notation, to the microsecond: it reads no exponents. */
function toDecimal(seconds: number): string {
  return seconds.toFixed(6);
}

/** Reads and discards the other stream as well, see {@linkcode isJumping}. */
function companionArguments(
  stream: "a" | "V",
  info: MediaInfo,
  seconds?: number,
): string[] {
  const { video, audio, format } = info;
  const both = video !== undefined && audio !== undefined;
  if (!both || !isJumping(format)) return [];
  const limit = seconds === undefined ? [] : ["-t", toDecimal(seconds)];
  return ["-map", mapOf(info, stream), ...limit, "-c", "copy", "-f", "null", "-"];
}
