/** FFmpeg's arguments for turning frames, as NUT on its standard input, into an output. Pure. */

/** FFmpeg's arguments for pictures that are files of their own. Pure. */
import { keyframesEvery } from "../../ffmpeg/rendition.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import type { Description, StreamDescription, VideoStream } from "../../media/frame.ts";
import {
  exactFilters,
  fittingFilters,
  nutInputArguments,
  pictureOf,
  pictureTrim,
  soundTrim,
  turned,
  turnFilters,
} from "../filters.ts";
import { hidesBeginning, keptStreams } from "./containers.ts";
import {
  type CodecChoice,
  extensionOf,
  holdsOnePicture,
  keepsMoments,
  type OutputTarget,
  pictureEncoder,
  wantsEvenSizes,
} from "./target.ts";

/** Types that keep each frame's own timestamp, or none; others have a fixed frame rate. */
const KEEPS_FRAMES = new Set([
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
const FROM_THE_BEGINNING = "aresample=async=1:first_pts=0";

/** FFmpeg 5 calls FLAC in MP4 experimental, though players have known it for long. */
const FLAC_IN_MP4 = ["-strict", "experimental"];

/** The last packet, whose length NUT does not tell, would have none, and so not be played. */
const FLAC_LENGTHS = ["-bsf:a", "setts=duration=if(N\\,PTS-PREV_INPTS)"];

/** YUV4MPEG2 of more than 8 bits is an extension, which its readers mostly know. */
const DEEP_Y4M = ["-strict", "-1"];

/** Types for sound that FFmpeg would put pictures into all the same. */
const SOUND_ONLY = new Set(["m4a"]);

/** Frames a second up to which GIF players keep the time; anything faster they play very slowly. */
const GIF_FASTEST = 50;

/** Constant quality, quickly: players may have to wait for nothing but the network. */
const QUICK_H264 = ["-c:v", "libx264", "-preset", "veryfast"];

/** Nothing is held back for a better order of pictures. */
const WITHOUT_DELAY = ["-tune", "zerolatency"];

/** Seconds from keyframe to keyframe: what who joins has to wait for at the most. */
const KEYFRAME_INTERVAL = 2;

/** Enough for stereo. */
const USUAL_AAC = ["-c:a", "aac", "-b:a", "160k"];

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
type Encoding = EncoderOptions & { kept: readonly StreamDescription[] };

/** Arguments for writing to an output. */
export function encoderArguments(
  { streams }: Pick<Description, "streams">,
  target: OutputTarget,
  options: EncoderOptions,
): string[] {
  const { lead = 0, beginning = 0, more = [] } = options;
  const kept = keptStreams(streams, target, options);
  const { type, muxer } = target;
  return [
    // Without -xerror, FFmpeg reports success though the last of a file did not fit on the disk.
    ...["-v", "error", "-xerror", "-y"],
    ...rotationOption(kept, options),
    ...nutInputArguments(streams, { lead: lead + beginning }),
    ...(holdsOnePicture(type) ? stillArguments(streams, target, { ...options, kept }) : [
      ...videoArguments(streams, target, { ...options, kept }),
      // Packets from before the beginning are there for decoding, and have to go along.
      ...(lead > 0 && kept.length > 0 ? ["-copypriorss", "1"] : []),
      ...(muxer === undefined ? [] : ["-f", muxer]),
    ]),
    ...(target.options ?? []),
    ...more,
    target.name,
  ];
}

/** Says of an input which way up it is shown; FFmpeg counts against the clock, in the tag too. */
function rotationOption(
  kept: readonly StreamDescription[],
  { still, rotationBy }: EncoderOptions,
): string[] {
  const { rotation } = pictureOf(kept) ?? {};
  if (still || rotation === undefined || rotationBy !== "option") return [];
  return ["-display_rotation:v:0", `${360 - rotation}`];
}

function videoArguments(
  streams: readonly StreamDescription[],
  target: OutputTarget,
  options: Encoding,
): string[] {
  const picture = pictureOf(streams);
  const sound = soundArguments(streams, target, options);
  if (picture === undefined) return sound;
  const { type } = target;
  const { kept, lead = 0, rotationBy, codec: { video: chosen } = {} } = options;
  if (chosen === "none" || (SOUND_ONLY.has(type) && chosen === undefined)) return ["-vn", ...sound];
  if (kept.includes(picture)) {
    const { rotation } = picture;
    const tagged = rotation !== undefined && rotationBy === "tag";
    const tag = tagged ? ["-metadata:s:v:0", `rotate=${360 - rotation}`] : [];
    const name = WANTS_MP4_NAMES.has(type) && picture.codec === "h264" ? ["-tag:v", "avc1"] : [];
    return ["-c:v", "copy", ...name, ...tag, ...sound];
  }
  const filters = [
    ...(lead > 0 ? pictureTrim(0) : []),
    ...turnFilters(picture),
    ...filtersFor(turned(picture), type, chosen),
  ];
  return [
    ...pictureEncoderArguments(target, chosen),
    ...sound,
    ...(filters.length > 0 ? ["-vf", filters.join(",")] : []),
    ...(hasTimingOfItsOwn(options) ? [] : timingArguments(picture, type, chosen)),
  ];
}

/** Who chooses an encoder gets the pixel format of its own that is nearest to the pictures'. */
function filtersFor(picture: VideoStream, type: string, chosen: string | undefined): string[] {
  if (chosen === undefined || type === "y4m") return fittingFilters(picture, type);
  return wantsEvenSizes(chosen) ? exactFilters(picture) : [];
}

function pictureEncoderArguments(
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

function soundArguments(
  streams: readonly StreamDescription[],
  { type, watched }: OutputTarget,
  { kept, lead = 0, codec: { audio: chosen } = {} }: Encoding,
): string[] {
  const sound = streams.find((stream) => stream.type === "audio");
  if (chosen === "none") return ["-an"];
  if (sound !== undefined && kept.includes(sound)) {
    if (WITHOUT_TIMESTAMPS.has(type) && sound.codec.startsWith("pcm_")) {
      return ["-c:a", sound.codec, "-af", FROM_THE_BEGINNING];
    }
    const isFlacInMp4 = sound.codec === "flac" && hidesBeginning(type);
    const name = WANTS_MP4_NAMES.has(type) && sound.codec === "aac" ? ["-tag:a", "mp4a"] : [];
    return ["-c:a", "copy", ...name, ...(isFlacInMp4 ? [...FLAC_IN_MP4, ...FLAC_LENGTHS] : [])];
  }
  const filters = sound === undefined ? [] : [
    ...(lead > 0 ? soundTrim(0) : []),
    ...(WITHOUT_TIMESTAMPS.has(type) ? [FROM_THE_BEGINNING] : []),
  ];
  return [
    ...soundEncoderArguments({ type, watched }, chosen),
    ...(filters.length > 0 ? ["-af", filters.join(",")] : []),
  ];
}

function soundEncoderArguments(
  { type, watched }: Pick<OutputTarget, "type" | "watched">,
  chosen: string | undefined,
): string[] {
  if (chosen === "flac" && hidesBeginning(type)) return ["-c:a", chosen, ...FLAC_IN_MP4];
  if (chosen !== undefined) return ["-c:a", chosen];
  if (watched !== undefined) return USUAL_AAC;
  if (WANTS_48_KHZ.has(type)) return ["-ar", "48000"];
  return WANTS_AAC.has(type) ? ["-c:a", "aac"] : [];
}

/** Whether the user says at which rate pictures come, which any other word on it would confuse. */
function hasTimingOfItsOwn({ more = [] }: EncoderOptions): boolean {
  return more.some((argument) => /^-(r|fpsmax|fps_mode|vsync|enc_time_base)(:|$)/.test(argument));
}

function timingArguments(
  { timeBase, frameRate }: VideoStream,
  type: string,
  chosen: string | undefined,
): string[] {
  if (KEEPS_FRAMES.has(type)) {
    // Left to itself, FFmpeg takes the nearest moment of an even rate.
    if (chosen !== undefined && !keepsMoments(chosen)) return [];
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
  const kept = keptStreams(streams, target, { ...options, still: true });
  return [
    ...["-v", "error", "-xerror", "-y"],
    ...nutInputArguments(streams, { lead }),
    ...pictureArguments(streams, target, { ...options, kept }),
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
  options: StillOptions & { kept: readonly StreamDescription[] },
): string[] {
  const count = target.muxer === "image2pipe"
    ? ["-fps_mode", "passthrough"]
    : ["-frames:v", "1", "-update", "1"];
  return [...count, ...pictureArguments(streams, target, options)];
}

/** How pictures become files of their own. */
function pictureArguments(
  streams: readonly StreamDescription[],
  { type, muxer }: OutputTarget,
  { kept, lead = 0, codec = {} }: StillOptions & { kept: readonly StreamDescription[] },
): string[] {
  // What lies before the beginning is for decoding only.
  const isLate = lead > 0;
  if (kept.length > 0) {
    // Left to the name, FFmpeg would take writers for some types that change the packets.
    return ["-c:v", "copy", ...(isLate ? ["-copypriorss", "0"] : []), "-f", muxer ?? "image2"];
  }
  const filters = [...(isLate ? pictureTrim(0) : []), ...turnFilters(pictureOf(streams) ?? {})];
  const encoder = codec.video ?? (muxer === undefined ? undefined : pictureEncoder(type));
  return [
    ...(encoder === undefined ? [] : ["-c:v", encoder]),
    ...(filters.length > 0 ? ["-vf", filters.join(",")] : []),
    ...(LOSSY_STILLS.has(type) ? ["-q:v", "2"] : []),
    ...(muxer === undefined ? [] : ["-f", muxer]),
  ];
}
