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
  shownFilters,
  statedOptions,
  turned,
  videoOf,
  videoTrim,
} from "../filters.ts";
import { isHdr, toneMapped } from "../../ffmpeg/tone_map.ts";
import { copiedStreams, hasEditList, type StreamCopyOptions } from "./containers.ts";
import { coverArguments, type CoverFile } from "./tags/cover.ts";
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

/** Types for programs that want the pixels as they are. */
const UNCHANGED = ["rawvideo", "y4m", "framemd5", "framehash", "framecrc"];

/** Types whose default encoder is x264. */
const X264_TYPES = ["mp4", "m4v", "mov", "mkv", "ts", "m2ts"];

/** Types whose default encoder keeps the fields of interlaced frames. */
const KEEPS_FIELDS = new Set([...X264_TYPES, "avi", "nut", "mpg", "mxf", ...UNCHANGED]);

/** Encoders that keep them. */
const FIELD_ENCODERS =
  /^((lib)?x264(rgb)?|h264|mpeg[24](video)?|ffv1|ffvhuff|huffyuv|utvideo|rawvideo|prores.*|dnxhd)$/;

/** Types that state a high dynamic range, for codecs with enough bits. */
const KEEPS_HDR = new Set([...X264_TYPES, "webm", ...UNCHANGED]);

/** HEVC, and encoders of it. */
const HEVC = /^hevc|265/;

/** Types whose default audio codec in FFmpeg is Vorbis, which few players take there. */
const WANTS_OPUS_OR_AAC = new Set(["mkv", "mka"]);

/** FFmpeg's encoder of Opus, which some builds lack; its own one is not finished. */
export const OPUS = "libopus";

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
  /** False to keep a high dynamic range, also for players that expect none. @default true */
  toneMap?: boolean;
  /** Encode audio with {@linkcode OPUS}, unless the user chose. @default false */
  opus?: boolean;
  /** The picture that stands for the media. */
  cover?: Pick<CoverFile, "path" | "codec">;
}

/** Options, and the streams that are copied. */
type Encoding = EncoderOptions & {
  copied: readonly StreamDescription[];
  /** @default false */
  hasCover?: boolean;
};

/** FFmpeg's arguments to encode NUT on standard input into an output. */
export function encoderArguments(
  { streams }: Pick<Description, "streams">,
  target: OutputTarget,
  options: EncoderOptions,
): string[] {
  const { still, lead = 0, beginning = 0, rotationBy, more = [] } = options;
  const copied = copiedStreams(streams, target, options);
  const { type, muxer } = target;
  const cover = options.cover &&
    coverArguments(options.cover, type, { ...options, streams, copied });
  return [
    // Without -xerror, FFmpeg reports success if the disk is full at the end of the file.
    ...["-v", "error", "-xerror", "-y"],
    ...(still ? [] : rotationOption(videoOf(copied), rotationBy)),
    ...nutInputArguments(streams, { lead: lead + beginning }),
    ...cover?.input ?? [],
    ...(isImageType(type) ? stillArguments(streams, target, { ...options, copied }) : [
      ...videoArguments(streams, target, { ...options, copied, hasCover: cover !== undefined }),
      ...cover?.output ?? [],
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
  if (chosen === "none") return ["-vn", ...audio];
  if (AUDIO_ONLY.has(type) && chosen === undefined) {
    return [...(options.hasCover ? [] : ["-vn"]), ...audio];
  }
  if (copied.includes(video)) {
    const name = videoTag(video.codec, type);
    const stated = [...statedOptions(video), ...rotationTag(video, rotationBy)];
    return ["-c:v", "copy", ...name, ...stated, ...audio];
  }
  const kept = whatIsKept(video, target, options);
  const recorded = kept.range ? video : toneMapped(video);
  const filters = [
    ...(lead > 0 ? videoTrim(0) : []),
    ...shownFilters(kept.fields ? { ...video, fieldOrder: undefined } : video, {
      toneMap: !kept.range,
    }),
    ...videoFilters(turned(recorded), type, chosen),
  ];
  return [
    ...videoEncoderArguments(target, chosen ?? encoderOfFineTime(target, video)),
    ...(kept.fields ? fieldArguments(video, type, chosen) : []),
    ...videoTag(chosen ?? "", type),
    ...audio,
    ...(filters.length > 0 ? ["-vf", filters.join(",")] : []),
    ...(setsTiming(options) ? [] : timingArguments(video, type, chosen)),
  ];
}

function isByX264(type: string, chosen: string | undefined): boolean {
  return chosen === undefined ? X264_TYPES.includes(type) : /264/.test(chosen);
}

/** Arguments that encode the fields of a frame each for itself. */
function fieldArguments(
  { fieldOrder }: VideoStream,
  type: string,
  chosen: string | undefined,
): string[] {
  if (fieldOrder === undefined) return [];
  // In its headers, x264 states that the top field is first, whatever its frames say.
  const order = isByX264(type, chosen) && fieldOrder.startsWith("b")
    ? ["-x264-params", "bff=1"]
    : [];
  return ["-flags:v", "+ildct+ilme", ...order];
}

/** Whether an encoded recording keeps the fields of a frame, and a high dynamic range. */
function whatIsKept(
  video: VideoStream,
  { type, watched }: OutputTarget,
  { codec: { video: chosen } = {}, toneMap = true }: Encoding,
): { fields: boolean; range: boolean } {
  const isWatched = watched !== undefined;
  const encodesFields = chosen === undefined ? KEEPS_FIELDS.has(type) : FIELD_ENCODERS.test(chosen);
  // H.264 of two fields has heights of four lines each.
  const isFit = !isByX264(type, chosen) || video.height % 4 === 0;
  return {
    fields: !isWatched && encodesFields && isFit,
    range: !isHdr(video) || !toneMap || !isWatched && KEEPS_HDR.has(type),
  };
}

/** The tag of packets in types based on MP4, if FFmpeg would choose one that not all players take. */
function videoTag(codec: string, type: string): string[] {
  if (WANTS_MP4_NAMES.has(type) && codec === "h264") return ["-tag:v", "avc1"];
  // Apple's players ignore HEVC under FFmpeg's own choice, hev1.
  return hasEditList(type) && HEVC.test(codec) ? ["-tag:v:0", "hvc1"] : [];
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
  { copied, lead = 0, codec: { audio: chosen } = {}, opus = false }: Encoding,
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
    ...audioEncoderArguments({ type, watched }, chosen ?? (opus ? OPUS : undefined)),
    ...(filters.length > 0 ? ["-af", filters.join(",")] : []),
  ];
}

function audioEncoderArguments(
  { type, watched }: Pick<OutputTarget, "type" | "watched">,
  chosen: string | undefined,
): string[] {
  if (chosen === "flac" && hasEditList(type)) return ["-c:a", chosen, ...FLAC_IN_MP4];
  if (chosen !== undefined) return ["-c:a", chosen];
  if (watched !== undefined || WANTS_OPUS_OR_AAC.has(type)) return DEFAULT_AAC;
  if (WANTS_48_KHZ.has(type)) return ["-ar", "48000"];
  return WANTS_AAC.has(type) ? ["-c:a", "aac"] : [];
}

/** Whether decoded audio was Opus in its file, and is best stored as such again. */
export function wantsOpus(
  streams: readonly StreamDescription[],
  { type, watched }: OutputTarget,
): boolean {
  return watched === undefined && WANTS_OPUS_OR_AAC.has(type) &&
    audioOf(streams)?.sourceCodec === "opus";
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
  { copied, lead = 0, codec = {}, toneMap }: Encoding,
): string[] {
  // Frames before the beginning are only decoded.
  const isLate = lead > 0;
  if (copied.length > 0) {
    // By the extension, FFmpeg would choose muxers for some types that change the packets.
    return ["-c:v", "copy", ...(isLate ? ["-copypriorss", "0"] : []), "-f", muxer ?? "image2"];
  }
  const video = videoOf(streams);
  const filters = [
    ...(isLate ? videoTrim(0) : []),
    ...(video === undefined ? [] : shownFilters(video, { toneMap })),
  ];
  const encoder = codec.video ?? (muxer === undefined ? undefined : imageEncoder(type));
  return [
    ...(encoder === undefined ? [] : ["-c:v", encoder]),
    ...(filters.length > 0 ? ["-vf", filters.join(",")] : []),
    ...(LOSSY_STILLS.has(type) ? ["-q:v", "2"] : []),
    ...(muxer === undefined ? [] : ["-f", muxer]),
  ];
}
