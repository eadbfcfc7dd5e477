/** FFmpeg's arguments for turning frames, as NUT on its standard input, into an output. Pure. */

/** FFmpeg's arguments for pictures that are files of their own. Pure. */
import { keyframesEvery } from "../../ffmpeg/rendition.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import type { Description, StreamDescription, VideoStream } from "../../media/frame.ts";
import {
  audioTrim,
  exactFilters,
  fittingFilters,
  nutInputArguments,
  turned,
  turnFilters,
  videoOf,
  videoTrim,
} from "../filters.ts";
import { copiedStreams, hasEditList } from "./containers.ts";
import {
  type CodecChoice,
  extensionOf,
  imageEncoder,
  isImageType,
  keepsTimestamps,
  type OutputTarget,
  wantsEvenSizes,
} from "./target.ts";

/** Types that keep each frame's own timestamp, or none; others have a fixed frame rate. */
const KEEPS_TIMESTAMPS = new Set([
  ...["mp4", "m4v", "mov", "3gp", "3g2", "mkv", "webm", "nut", "ts", "m2ts", "flv", "f4v"],
  ...["rtsp", "hls", "dash", "rawvideo", "image2pipe", "framemd5", "framehash", "framecrc"],
]);

/** Types whose usual codec, MPEG-2 or H.263, knows a few frame rates or sizes only. */
const WANTS_H264 = new Set(["ts", "m2ts", "flv", "f4v", "3gp", "3g2"]);

/** Types whose usual codec for sound, AMR, most FFmpegs cannot write. */
const WANTS_AAC = new Set(["3gp", "3g2"]);

/** Types that know one rate of samples only. */
const WANTS_48_KHZ = new Set(["mxf"]);

/** Types that take NUT's names of codecs for MP4's own, and then refuse them. */
const WANTS_MP4_NAMES = new Set(["dash"]);

/** Types in which everything begins at once and goes on without gaps. */
const WITHOUT_TIMESTAMPS = new Set(["avi"]);

/** FFmpeg's filter that puts silence where there is no sound, from the beginning on. */
const FILL_SILENCE = "aresample=async=1:first_pts=0";

/** FFmpeg 5 calls FLAC in MP4 experimental, though players have known it for long. */
const FLAC_IN_MP4 = ["-strict", "experimental"];

/** The last packet, whose length NUT does not tell, would have none, and so not be played. */
const FLAC_LENGTHS = ["-bsf:a", "setts=duration=if(N\\,PTS-PREV_INPTS)"];

/** YUV4MPEG2 of more than 8 bits is an extension, which its readers mostly know. */
const DEEP_Y4M = ["-strict", "-1"];

/** Types for sound that FFmpeg would put pictures into all the same. */
const AUDIO_ONLY = new Set(["m4a"]);

/** Frames a second up to which GIF players keep the time; anything faster they play very slowly. */
const GIF_FASTEST = 50;

/** Constant quality, quickly: players may have to wait for nothing but the network. */
const QUICK_H264 = ["-c:v", "libx264", "-preset", "veryfast"];

/** Nothing is held back for a better order of pictures. */
const WITHOUT_DELAY = ["-tune", "zerolatency"];

/** Seconds from keyframe to keyframe: what who joins has to wait for at the most. */
const KEYFRAME_INTERVAL = 2;

/** Enough for stereo. */
const DEFAULT_AAC = ["-c:a", "aac", "-b:a", "160k"];

/** What {@linkcode encoderArguments} has to know besides the streams. */
export interface EncoderOptions {
  /** One picture is to be written. */
  still: boolean;
  /** The streams are not raw: their packets are stored as they are wherever the file takes them. */
  encoded?: boolean;
  /** Whole seconds by which the timestamps of the input are too late. */
  lead?: number;
  /**
   * Seconds from the beginning, 0 or less, at which the file begins instead; only for packets that
   * are stored as they are.
   */
  beginning?: number;
  /** How this FFmpeg is told of a rotation; only for packets that are stored as they are. */
  rotationBy?: FfmpegDialect["rotationBy"];
  /** Encoders that the user chooses. */
  codec?: CodecChoice;
  /** Arguments of the user's own, which win. */
  more?: readonly string[];
}

/** Options and what follows from them. */
type Encoding = EncoderOptions & { copied: readonly StreamDescription[] };

/** Arguments for writing to an output. */
export function encoderArguments(
  { streams }: Pick<Description, "streams">,
  target: OutputTarget,
  options: EncoderOptions,
): string[] {
  const { lead = 0, beginning = 0, more = [] } = options;
  const copied = copiedStreams(streams, target, options);
  const { type, muxer } = target;
  return [
    // Without -xerror, FFmpeg reports success though the last of a file did not fit on the disk.
    ...["-v", "error", "-xerror", "-y"],
    ...rotationOption(copied, options),
    ...nutInputArguments(streams, { lead: lead + beginning }),
    ...(isImageType(type) ? stillArguments(streams, target, { ...options, copied }) : [
      ...videoArguments(streams, target, { ...options, copied }),
      // Packets from before the beginning are there for decoding, and have to go along.
      ...(lead > 0 && copied.length > 0 ? ["-copypriorss", "1"] : []),
      ...(muxer === undefined ? [] : ["-f", muxer]),
    ]),
    ...(target.options ?? []),
    ...more,
    target.name,
  ];
}

/** Says of an input which way up it is shown; FFmpeg counts against the clock, in the tag too. */
function rotationOption(
  copied: readonly StreamDescription[],
  { still, rotationBy }: EncoderOptions,
): string[] {
  const { rotation } = videoOf(copied) ?? {};
  if (still || rotation === undefined || rotationBy !== "option") return [];
  return ["-display_rotation:v:0", `${360 - rotation}`];
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
    const { rotation } = video;
    const tagged = rotation !== undefined && rotationBy === "tag";
    const tag = tagged ? ["-metadata:s:v:0", `rotate=${360 - rotation}`] : [];
    const name = WANTS_MP4_NAMES.has(type) && video.codec === "h264" ? ["-tag:v", "avc1"] : [];
    return ["-c:v", "copy", ...name, ...tag, ...audio];
  }
  const filters = [
    ...(lead > 0 ? videoTrim(0) : []),
    ...turnFilters(video),
    ...videoFilters(turned(video), type, chosen),
  ];
  return [
    ...videoEncoderArguments(target, chosen),
    ...audio,
    ...(filters.length > 0 ? ["-vf", filters.join(",")] : []),
    ...(setsTiming(options) ? [] : timingArguments(video, type, chosen)),
  ];
}

/** Who chooses an encoder gets the pixel format of its own that is nearest to the pictures'. */
function videoFilters(video: VideoStream, type: string, chosen: string | undefined): string[] {
  if (chosen === undefined || type === "y4m") return fittingFilters(video, type);
  return wantsEvenSizes(chosen) ? exactFilters(video) : [];
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
  const audio = streams.find((stream) => stream.type === "audio");
  if (chosen === "none") return ["-an"];
  if (audio !== undefined && copied.includes(audio)) {
    if (WITHOUT_TIMESTAMPS.has(type) && audio.codec.startsWith("pcm_")) {
      return ["-c:a", audio.codec, "-af", FILL_SILENCE];
    }
    const isFlacInMp4 = audio.codec === "flac" && hasEditList(type);
    const name = WANTS_MP4_NAMES.has(type) && audio.codec === "aac" ? ["-tag:a", "mp4a"] : [];
    return ["-c:a", "copy", ...name, ...(isFlacInMp4 ? [...FLAC_IN_MP4, ...FLAC_LENGTHS] : [])];
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

/** Whether the user says at which rate pictures come, which any other word on it would confuse. */
function setsTiming({ more = [] }: EncoderOptions): boolean {
  return more.some((argument) => /^-(r|fpsmax|fps_mode|vsync|enc_time_base)(:|$)/.test(argument));
}

function timingArguments(
  { timeBase, frameRate }: VideoStream,
  type: string,
  chosen: string | undefined,
): string[] {
  if (KEEPS_TIMESTAMPS.has(type)) {
    // Left to itself, FFmpeg takes the nearest moment of an even rate.
    if (chosen !== undefined && !keepsTimestamps(chosen)) return [];
    return ["-fps_mode", "passthrough", "-enc_time_base:v", timeBase.join("/")];
  }
  const isSlow = frameRate !== undefined && frameRate[0] / frameRate[1] <= GIF_FASTEST;
  if (type !== "gif" || isSlow) return [];
  return ["-fps_mode", "vfr", "-enc_time_base:v", `1/${GIF_FASTEST}`];
}

/** Still formats that lose detail unless asked not to. */
const LOSSY_STILLS = new Set(["jpg", "jpeg"]);

/** What {@linkcode stillArguments} and {@linkcode imageSequenceArguments} have to know. */
export type StillOptions = Pick<EncoderOptions, "encoded" | "lead" | "codec" | "more">;

/**
 * Arguments for writing a series of pictures, a file each, which appear whole.
 *
 * @param pattern where `%d` or the like stands for the number, which begins with 1
 */
export function imageSequenceArguments(
  { streams }: Pick<Description, "streams">,
  pattern: string,
  options: StillOptions,
): string[] {
  const { lead = 0, more = [] } = options;
  const target = { name: `file:${pattern}`, type: extensionOf(pattern) };
  const copied = copiedStreams(streams, target, { ...options, still: true });
  return [
    ...["-v", "error", "-xerror", "-y"],
    ...nutInputArguments(streams, { lead }),
    ...imageArguments(streams, target, { ...options, copied }),
    ...["-fps_mode", "passthrough", "-f", "image2", "-atomic_writing", "1", ...more, target.name],
  ];
}

/**
 * Arguments for writing one picture into one file, or all that come into a pipe, one behind the
 * other; but for the input and the output's name.
 */
export function stillArguments(
  streams: readonly StreamDescription[],
  target: OutputTarget,
  options: StillOptions & { copied: readonly StreamDescription[] },
): string[] {
  const count = target.muxer === "image2pipe"
    ? ["-fps_mode", "passthrough"]
    : ["-frames:v", "1", "-update", "1"];
  return [...count, ...imageArguments(streams, target, options)];
}

/** How pictures become files of their own. */
function imageArguments(
  streams: readonly StreamDescription[],
  { type, muxer }: OutputTarget,
  { copied, lead = 0, codec = {} }: StillOptions & { copied: readonly StreamDescription[] },
): string[] {
  // What lies before the beginning is for decoding only.
  const isLate = lead > 0;
  if (copied.length > 0) {
    // Left to the name, FFmpeg would take writers for some types that change the packets.
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
