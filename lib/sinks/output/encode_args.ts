/** FFmpeg's arguments for an output: copied streams, encoders, filters. */
import { keyframesEvery } from "../../ffmpeg/rendition.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import type { Description, StreamDescription, VideoStream } from "../../media/frame.ts";
import {
  audioOf,
  audioTrim,
  exactFilters,
  fittingFilters,
  FLAC_DURATIONS,
  FLAC_IN_MP4,
  nutInputArguments,
  rotationOption,
  rotationTag,
  turned,
  turnFilters,
  videoOf,
  videoTrim,
} from "../filters.ts";
import { copiedStreams, hasEditList, type StreamCopyOptions } from "./containers.ts";
import {
  imageEncoder,
  isImageType,
  keepsTimestamps,
  type OutputTarget,
  wantsEvenSizes,
} from "./target.ts";

/** Types that store a timestamp for each frame, or none; others have a fixed frame rate. */
const KEEPS_TIMESTAMPS = new Set([
  ...["mp4", "m4v", "mov", "3gp", "3g2", "mkv", "webm", "nut", "ts", "m2ts", "flv", "f4v"],
  ...["rtsp", "hls", "dash", "rawvideo", "image2pipe", "framemd5", "framehash", "framecrc"],
]);

/** Types whose default codec, MPEG-2 or H.263, supports few frame rates or sizes. */
const WANTS_H264 = new Set(["ts", "m2ts", "flv", "f4v", "3gp", "3g2"]);

/** Denominator of the finest time base that MPEG-4 has, the default codec of NUT. */
const FINEST_MPEG4 = 65_535;

/** Types whose default audio codec, AMR, is missing in most FFmpeg builds. */
const WANTS_AAC = new Set(["3gp", "3g2"]);

/** Types with one sample rate only. */
const WANTS_48_KHZ = new Set(["mxf"]);

/** Types that take the codec tags of NUT for MP4 tags, and then refuse them. */
const WANTS_MP4_NAMES = new Set(["dash"]);

/** Types without timestamps: all streams begin at once and have no gaps. */
const WITHOUT_TIMESTAMPS = new Set(["avi"]);

/** Filter that inserts silence in gaps, and before the first sample. */
const FILL_SILENCE = "aresample=async=1:first_pts=0";

/** YUV4MPEG2 with more than 8 bits is an extension, which most readers support. */
const DEEP_Y4M = ["-strict", "-1"];

/** Audio types into which FFmpeg would also write video. */
const AUDIO_ONLY = new Set(["m4a"]);

/** Highest frame rate that GIF players keep; they play faster ones very slowly. */
const GIF_FASTEST = 50;

/** Constant quality, encoded fast, so that players wait for the network only. */
const QUICK_H264 = ["-c:v", "libx264", "-preset", "veryfast"];

/** Encodes without frame reordering or look-ahead. */
const WITHOUT_DELAY = ["-tune", "zerolatency"];

/** Keyframe interval in seconds; the longest a late joiner waits. */
const KEYFRAME_INTERVAL = 2;

/** Enough for stereo. */
const DEFAULT_AAC = ["-c:a", "aac", "-b:a", "160k"];

/** Options of {@linkcode encoderArguments}. */
export interface EncoderOptions extends StreamCopyOptions {
  /** Whole seconds by which the input timestamps are shifted. */
  lead?: number;
  /** Start of the file in seconds, 0 or less; for copied packets only. */
  beginning?: number;
  /** How this FFmpeg takes a rotation; for copied packets only. */
  rotationBy?: FfmpegDialect["rotationBy"];
  /** Additional output arguments of the user, which win. */
  more?: readonly string[];
}

/** Options, and the streams that are copied. */
type Encoding = EncoderOptions & { copied: readonly StreamDescription[] };

/** FFmpeg's arguments to encode NUT on standard input into an output. */
export function encoderArguments(
  { streams }: Pick<Description, "streams">,
  target: OutputTarget,
  options: EncoderOptions,
): string[] {
  const { still, lead = 0, beginning = 0, rotationBy, more = [] } = options;
  const copied = copiedStreams(streams, target, options);
  const { type, muxer } = target;
  return [
    // Without -xerror, FFmpeg reports success if the disk is full at the end of the file.
    ...["-v", "error", "-xerror", "-y"],
    ...(still ? [] : rotationOption(videoOf(copied), rotationBy)),
    ...nutInputArguments(streams, { lead: lead + beginning }),
    ...(isImageType(type) ? stillArguments(streams, target, { ...options, copied }) : [
      ...videoArguments(streams, target, { ...options, copied }),
      // Packets before the beginning are needed for decoding.
      ...(lead > 0 && copied.length > 0 ? ["-copypriorss", "1"] : []),
      ...(muxer === undefined ? [] : ["-f", muxer]),
    ]),
    ...(target.options ?? []),
    ...more,
    target.name,
  ];
}

function videoArguments(
  streams: readonly StreamDescription[],
  target: OutputTarget,
  options: Encoding,
): string[] {
  const video = videoOf(streams);
  const audio = audioArguments(streams, target, options);
  if (video === undefined) return audio;
  const { type } = target;
  const { copied, lead = 0, rotationBy, codec: { video: chosen } = {} } = options;
  if (chosen === "none" || (AUDIO_ONLY.has(type) && chosen === undefined)) return ["-vn", ...audio];
  if (copied.includes(video)) {
    const name = WANTS_MP4_NAMES.has(type) && video.codec === "h264" ? ["-tag:v", "avc1"] : [];
    return ["-c:v", "copy", ...name, ...rotationTag(video, rotationBy), ...audio];
  }
  const filters = [
    ...(lead > 0 ? videoTrim(0) : []),
    ...turnFilters(video),
    ...videoFilters(turned(video), type, chosen),
  ];
  return [
    ...videoEncoderArguments(target, chosen ?? encoderOfFineTime(target, video)),
    ...audio,
    ...(filters.length > 0 ? ["-vf", filters.join(",")] : []),
    ...(setsTiming(options) ? [] : timingArguments(video, type, chosen)),
  ];
}

/** A chosen encoder gets its pixel format that is closest to the input. */
function videoFilters(video: VideoStream, type: string, chosen: string | undefined): string[] {
  if (chosen === undefined || type === "y4m") return fittingFilters(video, type);
  return wantsEvenSizes(chosen) ? exactFilters(video) : [];
}

/** The encoder of a file whose default encoder has no time base as fine as that of the pictures. */
function encoderOfFineTime(
  { type, watched }: OutputTarget,
  { timeBase }: VideoStream,
): string | undefined {
  const isFine = type === "nut" && watched === undefined && timeBase[1] > FINEST_MPEG4;
  return isFine ? "h264" : undefined;
}

function videoEncoderArguments(
  { type, watched }: OutputTarget,
  chosen: string | undefined,
): string[] {
  const keyframes = watched === undefined ? [] : keyframesEvery(KEYFRAME_INTERVAL);
  if (chosen !== undefined) return ["-c:v", chosen, ...keyframes];
  if (watched !== undefined) {
    return [...QUICK_H264, ...(watched === "live" ? WITHOUT_DELAY : []), ...keyframes];
  }
  if (type === "y4m") return DEEP_Y4M;
  return WANTS_H264.has(type) ? ["-c:v", "h264"] : [];
}

function audioArguments(
  streams: readonly StreamDescription[],
  { type, watched }: OutputTarget,
  { copied, lead = 0, codec: { audio: chosen } = {} }: Encoding,
): string[] {
  const audio = audioOf(streams);
  if (chosen === "none") return ["-an"];
  if (audio !== undefined && copied.includes(audio)) {
    if (WITHOUT_TIMESTAMPS.has(type) && audio.codec.startsWith("pcm_")) {
      return ["-c:a", audio.codec, "-af", FILL_SILENCE];
    }
    const isFlacInMp4 = audio.codec === "flac" && hasEditList(type);
    const name = WANTS_MP4_NAMES.has(type) && audio.codec === "aac" ? ["-tag:a", "mp4a"] : [];
    return ["-c:a", "copy", ...name, ...(isFlacInMp4 ? [...FLAC_IN_MP4, ...FLAC_DURATIONS] : [])];
  }
  const filters = audio === undefined ? [] : [
    ...(lead > 0 ? audioTrim(0) : []),
    ...(WITHOUT_TIMESTAMPS.has(type) ? [FILL_SILENCE] : []),
  ];
  return [
    ...audioEncoderArguments({ type, watched }, chosen),
    ...(filters.length > 0 ? ["-af", filters.join(",")] : []),
  ];
}

function audioEncoderArguments(
  { type, watched }: Pick<OutputTarget, "type" | "watched">,
  chosen: string | undefined,
): string[] {
  if (chosen === "flac" && hasEditList(type)) return ["-c:a", chosen, ...FLAC_IN_MP4];
  if (chosen !== undefined) return ["-c:a", chosen];
  if (watched !== undefined) return DEFAULT_AAC;
  if (WANTS_48_KHZ.has(type)) return ["-ar", "48000"];
  return WANTS_AAC.has(type) ? ["-c:a", "aac"] : [];
}

/** Whether the user's arguments set a frame rate or timing. */
function setsTiming({ more = [] }: EncoderOptions): boolean {
  return more.some((argument) => /^-(r|fpsmax|fps_mode|vsync|enc_time_base)(:|$)/.test(argument));
}

function timingArguments(
  { timeBase, frameRate }: VideoStream,
  type: string,
  chosen: string | undefined,
): string[] {
  if (KEEPS_TIMESTAMPS.has(type)) {
    // By default, FFmpeg rounds timestamps to a constant frame rate.
    if (chosen !== undefined && !keepsTimestamps(chosen)) return [];
    return ["-fps_mode", "passthrough", "-enc_time_base:v", timeBase.join("/")];
  }
  const isSlow = frameRate !== undefined && frameRate[0] / frameRate[1] <= GIF_FASTEST;
  if (type !== "gif" || isSlow) return [];
  return ["-fps_mode", "vfr", "-enc_time_base:v", `1/${GIF_FASTEST}`];
}

/** Lossy image types, written in high quality. */
const LOSSY_STILLS = new Set(["jpg", "jpeg"]);

/**
 * Arguments for one image file, an image sequence, or images in a pipe, without input and output.
 */
function stillArguments(
  streams: readonly StreamDescription[],
  target: OutputTarget,
  options: Encoding,
): string[] {
  const count = target.isSequence
    ? []
    : target.muxer === "image2pipe"
    ? ["-fps_mode", "passthrough"]
    : ["-frames:v", "1", "-update", "1"];
  return [...count, ...imageArguments(streams, target, options)];
}

/** Arguments for the codec and format of images. */
function imageArguments(
  streams: readonly StreamDescription[],
  { type, muxer }: OutputTarget,
  { copied, lead = 0, codec = {} }: Encoding,
): string[] {
  // Frames before the beginning are only decoded.
  const isLate = lead > 0;
  if (copied.length > 0) {
    // By the extension, FFmpeg would choose muxers for some types that change the packets.
    return ["-c:v", "copy", ...(isLate ? ["-copypriorss", "0"] : []), "-f", muxer ?? "image2"];
  }
  const filters = [...(isLate ? videoTrim(0) : []), ...turnFilters(videoOf(streams) ?? {})];
  const encoder = codec.video ?? (muxer === undefined ? undefined : imageEncoder(type));
  return [
    ...(encoder === undefined ? [] : ["-c:v", encoder]),
    ...(filters.length > 0 ? ["-vf", filters.join(",")] : []),
    ...(LOSSY_STILLS.has(type) ? ["-q:v", "2"] : []),
    ...(muxer === undefined ? [] : ["-f", muxer]),
  ];
}
