/** FFmpeg's arguments for turning a library file into NUT, one stream at a time. Pure. */
import { conversionFor } from "../../ffmpeg/pixel_formats.ts";
import { pictureArguments, soundArguments } from "../../ffmpeg/rendition.ts";
import type { Rational } from "../../media/frame.ts";
import { inputArguments } from "./formats.ts";
import type { MediaFile } from "./library.ts";
import type { MediaOptions, TrackPlan } from "./plan.ts";
import type { AudioInfo, MediaInfo } from "./probe.ts";
import {
  isClockless,
  isJumping,
  planCopying,
  planDecoding,
  planShowing,
  type SeekPlan,
} from "./seek.ts";

/** Time base of single pictures, which have no time. */
const STILL_TIME_BASE: Rational = [1, 25];

const STILL_TIMING = { timeBase: STILL_TIME_BASE };

/** Frames a second where nothing is said of it: what FFmpeg takes then. */
const STILL_RATE: Rational = [25, 1];

/** Seconds a tick while a picture out of a video is looked for. */
const SEARCH_TIME_BASE: Rational = [1, 1_000_000];

/** Seconds; the filter `fps` cuts what it is told down to microseconds, after some arithmetic. */
const HALF_TICK = 0.5e-6;

/** Seconds between the pictures of a series of which only the first is wanted: any long time. */
const ENDLESS = 10_000;

/**
 * How long the last picture of a series is shown at the most: not for as long as the header of a
 * file that was cut off says.
 */
const LAST_SHOWN = "stop_duration=30";

/** Part of a series' period; what users write down of a period is rounded. */
const PRECISION = 1e-6;

/** Seconds by which packets are moved so that none lies before 0, besides those of the start. */
const SPARE_LEAD = 10;

/**
 * Formats that tell when packets are decoded, but not of all when they are shown: that follows from
 * the packets behind them.
 */
const HALF_TIMED = new Set(["avi", "mpeg", "mpegts"]);

/** Seconds for which the packets of the stream beside a single picture are read. */
const COMPANION_TIME = 1;

/**
 * How stills are converted, where they are. It takes more time than FFmpeg's own way, in which two
 * neighbours share a colour: a JPEG comes three times nearer to what other decoders make of it.
 */
const CAREFUL = "bicubic+accurate_rnd+full_chroma_int";

/** A file, what is wanted of it, and what its streams are sent as. */
export interface TrackInput {
  file: MediaFile;
  options: MediaOptions;
  plan: TrackPlan;
}

/**
 * Seconds that FFmpeg adds to the timestamps of compressed streams, since NUT has none below 0:
 * whoever reads them takes it off again.
 */
export function leadOf({ start = 0 }: MediaOptions): number {
  return Math.ceil(start) + SPARE_LEAD;
}

/** Arguments for the pictures of a file, each with the source's own timestamp. */
export function videoArguments({ file, options, plan }: TrackInput): string[] {
  const { info } = file;
  if (options.still) return stillArguments({ file, options, plan });
  const encoding = plan.video ?? "raw";
  if (encoding === "copy") return copyArguments({ file, options, plan }, "V");
  const seek = planDecoding(info.format, options.start ?? 0, info.video);
  return [
    ...["-nostdin", "-v", "error"],
    ...inputTiming(seek, options),
    ...inputArguments(file.path, info),
    ...["-map", "0:V:0"],
    ...pictureArguments({ ...options, encoding }, { ...sourceOf(info), filters: beginAt(seek) }),
    ...(encoding === "raw" ? [] : moved(leadOf(options))),
    ...["-f", "nut", "pipe:1"],
    ...companionArguments("a", info),
  ];
}

/** Arguments for the sound of a file. */
export function audioArguments({ file, options, plan }: TrackInput): string[] {
  const { info } = file;
  if (plan.audio === "copy") return copyArguments({ file, options, plan }, "a");
  const seek = planDecoding(info.format, options.start ?? 0);
  const codec = plan.audio === "flac" ? "flac" : info.audio ? pcmCodec(info.audio) : "pcm_s16le";
  return [
    ...["-nostdin", "-v", "error"],
    ...inputTiming(seek, options),
    ...inputArguments(file.path, info),
    ...["-map", "0:a:0", ...(seek.rest > 0 ? ["-ss", toDecimal(seek.rest)] : [])],
    ...soundArguments({ encoding: plan.audio === "aac" ? "h264" : "raw" }, codec),
    ...(plan.audio === "pcm" ? [] : moved(leadOf(options))),
    ...["-f", "nut", "pipe:1"],
    ...companionArguments("V", info),
  ];
}

/** PCM that keeps every bit of integer samples; lossy codecs' floating point becomes 16 bits. */
export function pcmCodec({ sampleFormat }: AudioInfo): string {
  return sampleFormat.startsWith("s32") || sampleFormat.startsWith("s64")
    ? "pcm_s32le"
    : "pcm_s16le";
}

/**
 * Pictures of a series; `undefined` for as many as there are.
 *
 * @param total seconds that the media lasts, where that is known
 */
export function seriesLength(
  { every, start = 0, duration = Infinity }: MediaOptions,
  total = Infinity,
): number | undefined {
  if (every === undefined) return 1;
  const length = Math.min(duration, total - start);
  return length === Infinity ? undefined : Math.max(1, Math.ceil(length / every - PRECISION));
}

/**
 * Pictures that stand for themselves. Out of a video, they are found by the filter `fps`, at whose
 * every tick stands the last picture that had begun by then.
 */
function stillArguments({ file: { path, info }, options, plan }: TrackInput): string[] {
  const encoding = plan.video ?? "raw";
  const { start = 0, every = ENDLESS } = options;
  const isImage = info.kind === "image";
  const { seek, rest } = planShowing(info.format, start, info.video ?? STILL_TIMING);
  const count = seriesLength(options, info.duration);
  const input = isImage ? [] : ["-noaccurate_seek", ...(seek > 0 ? ["-ss", toDecimal(seek)] : [])];
  const filters = [
    ...clockOf(info),
    // The last picture is shown until its end, and where sound lasts longer, until that.
    ...(count === undefined
      ? []
      : [`tpad=stop_mode=clone:${options.every ? LAST_SHOWN : "stop=-1"}`]),
    `settb=${SEARCH_TIME_BASE.join("/")}`,
    `fps=1/${toDecimal(every)}:start_time=${(rest + HALF_TICK).toFixed(7)}:round=up`,
  ];
  const timeBase = isImage ? STILL_TIME_BASE : SEARCH_TIME_BASE;
  // Pictures that stand for themselves have no rate, neither of frames nor of bits.
  const rendition = { ...options, encoding, fps: undefined, bitrate: undefined };
  const companionTime = count === 1 ? rest + COMPANION_TIME : undefined;
  return [
    ...["-nostdin", "-v", "error"],
    // Several threads decode several frames, which only keeps the first one waiting.
    ...(isImage || start === 0 ? ["-threads", "1"] : []),
    ...input,
    ...inputArguments(path, info),
    ...["-map", "0:V:0"],
    ...pictureArguments(rendition, {
      ...sourceOf(info),
      timeBase,
      filters: isImage ? [] : filters,
    }),
    ...(count === undefined ? [] : ["-frames:v", `${count}`]),
    ...(encoding === "copy" ? [] : ["-sws_flags", CAREFUL]),
    ...(encoding === "raw" ? [] : moved(leadOf({}))),
    ...["-f", "nut", "pipe:1"],
    ...(isImage ? [] : companionArguments("a", info, companionTime)),
  ];
}

/** A stream's own packets, from the keyframe before the start on, or earlier. */
function copyArguments({ file: { path, info }, options }: TrackInput, stream: "a" | "V"): string[] {
  const { start = 0, duration } = options;
  const { seek, rest } = planCopying(info.format, start, stream === "V" ? info.video : undefined);
  const kind = stream === "V" ? "v" : "a";
  return [
    ...["-nostdin", "-v", "error"],
    ...(HALF_TIMED.has(info.format) ? ["-fflags", "+genpts"] : []),
    ...(seek > 0 ? ["-ss", toDecimal(seek)] : []),
    ...(duration === undefined ? [] : ["-t", toDecimal(rest + duration)]),
    ...inputArguments(path, info),
    ...["-map", `0:${stream}:0`, `-c:${kind}`, "copy"],
    ...moved(leadOf(options) - rest),
    ...["-f", "nut", "pipe:1"],
    ...companionArguments(stream === "V" ? "a" : "V", info),
  ];
}

function sourceOf({ video, kind }: MediaInfo) {
  return {
    timeBase: video === undefined || kind === "image" ? STILL_TIME_BASE : video.timeBase,
    frameRate: kind === "image" ? undefined : video?.frameRate,
    conversion: video && conversionFor(video.pixelFormat),
    pixelFormat: video?.pixelFormat,
    colorSpace: video?.colorSpace,
  };
}

/** Moments for pictures of formats that have none: as many a second as there are said to be. */
function clockOf({ format, video }: MediaInfo): string[] {
  const [numerator, denominator] = video?.frameRate ?? STILL_RATE;
  return isClockless(format) ? [`setpts=N*${denominator}/(${numerator}*TB)`] : [];
}

/** FFmpeg would move timestamps below 0 by itself, each stream by its own. */
function moved(seconds: number): string[] {
  return ["-avoid_negative_ts", "disabled", "-output_ts_offset", toDecimal(seconds)];
}

/** Before the input, both are exact for pictures and samples, and count from its beginning. */
function inputTiming({ seek, rest }: SeekPlan, { duration }: MediaOptions): string[] {
  return [
    ...(seek > 0 ? ["-ss", toDecimal(seek)] : []),
    ...(duration === undefined ? [] : ["-t", toDecimal(rest + duration)]),
  ];
}

/**
 * Filters that cut off what is read only for decoding, before all others, so that those count
 * from the start.
 */
function beginAt({ rest }: SeekPlan): string[] {
  if (rest === 0) return [];
  return [`trim=start=${toDecimal(rest)}`, `setpts=PTS-round(${toDecimal(rest)}/TB)`];
}

/** Seconds as FFmpeg reads them, to the microsecond: it knows no exponents. */
function toDecimal(seconds: number): string {
  return seconds.toFixed(6);
}

function companionArguments(
  stream: "a" | "V",
  { video, audio, format }: MediaInfo,
  seconds?: number,
): string[] {
  const both = video !== undefined && audio !== undefined;
  if (!both || !isJumping(format)) return [];
  const limit = seconds === undefined ? [] : ["-t", toDecimal(seconds)];
  return ["-map", `0:${stream}:0`, ...limit, "-c", "copy", "-f", "null", "-"];
}
