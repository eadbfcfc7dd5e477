/** Which files hold which packets just as they are. Pure. */

/** Which streams' packets an output holds as they are, and why others not. Pure. */
import type { StreamDescription, VideoStream } from "../../media/frame.ts";
import { type CodecChoice, isImageType, type OutputTarget } from "./target.ts";

/** FFmpeg's names of the codecs that a type of file takes and its players know. */
interface Codecs {
  video: readonly string[];
  audio: readonly string[];
}

const PCM_LITTLE = ["pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_u8"];
const PCM_BIG = ["pcm_s16be", "pcm_s24be", "pcm_s32be"];

const MP4: Codecs = {
  video: ["h264", "hevc", "av1", "vp9", "mpeg4"],
  audio: ["aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"],
};

const MOV: Codecs = {
  video: ["h264", "hevc", "mpeg4", "mjpeg", "prores", "dnxhd", "png"],
  audio: [
    "aac",
    "mp3",
    "ac3",
    "alac",
    ...PCM_LITTLE.filter((name) => name !== "pcm_u8"),
    ...PCM_BIG,
  ],
};

const MATROSKA: Codecs = {
  video: [
    ...["h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg"],
    ...["theora", "ffv1", "prores", "huffyuv", "ffvhuff"],
  ],
  audio: [
    ...["aac", "mp3", "mp2", "ac3", "eac3", "dts", "truehd", "opus", "vorbis", "flac", "alac"],
    ...PCM_LITTLE,
  ],
};

const TS: Codecs = {
  video: ["h264", "hevc", "mpeg2video", "mpeg1video", "mpeg4"],
  audio: ["aac", "mp3", "mp2", "ac3", "eac3", "opus"],
};

const OGG: Codecs = { video: ["theora", "vp8"], audio: ["vorbis", "opus", "flac"] };

/** Types that are no files, so that their names are no extensions. */
const STREAMED = new Set(["rtsp", "hls", "dash"]);

/** By extension. What stands in none is encoded anew. */
const CONTAINERS = new Map<string, Codecs>(Object.entries({
  mp4: MP4,
  m4v: { video: ["h264", "mpeg4"], audio: ["aac", "alac", "ac3"] },
  mov: MOV,
  mkv: MATROSKA,
  mka: MATROSKA,
  webm: { video: ["vp8", "vp9", "av1"], audio: ["opus", "vorbis"] },
  ts: TS,
  m2ts: TS,
  avi: {
    video: ["mjpeg", "mpeg4", "ffv1", "huffyuv", "ffvhuff", "png"],
    audio: ["mp3", "ac3", "mp2", "pcm_s16le", "pcm_s24le", "pcm_u8"],
  },
  flv: { video: ["h264"], audio: ["aac"] },
  f4v: { video: ["h264"], audio: ["aac"] },
  // For those who watch meanwhile: what all of their players know.
  rtsp: { video: ["h264", "hevc"], audio: ["aac", "opus"] },
  hls: { video: ["h264"], audio: ["aac", "mp3", "ac3"] },
  dash: { video: ["h264"], audio: ["aac"] },
  ogg: OGG,
  ogv: OGG,
  oga: { video: [], audio: OGG.audio },
  opus: { video: [], audio: ["opus"] },
  wav: { video: [], audio: [...PCM_LITTLE, "pcm_alaw", "pcm_mulaw"] },
  aiff: { video: [], audio: PCM_BIG },
  aif: { video: [], audio: PCM_BIG },
  m4a: { video: [], audio: ["aac", "alac", "ac3"] },
  aac: { video: [], audio: ["aac"] },
  mp3: { video: [], audio: ["mp3"] },
  mp2: { video: [], audio: ["mp2"] },
  ac3: { video: [], audio: ["ac3"] },
  flac: { video: [], audio: ["flac"] },
  // Pictures alone.
  h264: { video: ["h264"], audio: [] },
  hevc: { video: ["hevc"], audio: [] },
  y4m: { video: ["wrapped_avframe"], audio: [] },
  rawvideo: { video: ["rawvideo"], audio: [] },
  image2pipe: { video: ["mjpeg", "png"], audio: [] },
}));

/** Files of one picture, and the codec whose packets are such files, byte for byte. */
const IMAGE_CODECS = new Map([
  ...["jpg", "jpeg"].map((extension): [string, string] => [extension, "mjpeg"]),
  ...["tif", "tiff"].map((extension): [string, string] => [extension, "tiff"]),
  ...["png", "bmp", "webp", "ppm", "pgm", "pam", "qoi", "exr"]
    .map((extension): [string, string] => [extension, extension]),
]);

/** Those built like MP4: they can say from where on they are shown, and which way up. */
const EDIT_LIST_TYPES = new Set(["mp4", "m4v", "mov", "m4a"]);

/** AVI knows no order but that of decoding. */
const DECODE_ORDER_TYPES = new Set(["avi"]);

/**
 * Why a file of this type cannot hold a stream's packets just as they are, and be shown as it
 * should be; `undefined` where it can.
 *
 * @param extension in lower case, without the dot
 */
export function whyNotCopied(extension: string, stream: StreamDescription): string | undefined {
  // What NUT carries came in NUT.
  const taken = extension === "nut" ||
    CONTAINERS.get(extension)?.[stream.type].includes(stream.codec);
  if (!taken) return notStored(extension, stream);
  if (stream.type === "audio") return undefined;
  if (DECODE_ORDER_TYPES.has(extension) && (stream.decodeDelay ?? 0) > 0) {
    return `${shown(extension)} keeps no other order than that of showing`;
  }
  if (stream.rotation === undefined || EDIT_LIST_TYPES.has(extension)) return undefined;
  return `${shown(extension)} does not say which way up they are`;
}

/**
 * Why a file of one picture of this type is not, byte for byte, such a stream's packet; `undefined`
 * where it is.
 */
export function whyNotCopiedImage(extension: string, stream: VideoStream): string | undefined {
  return IMAGE_CODECS.get(extension) === stream.codec ? undefined : notStored(extension, stream);
}

function notStored(extension: string, { codec }: StreamDescription): string {
  return `${codec} is not stored in ${shown(extension)}`;
}

function shown(type: string): string {
  return STREAMED.has(type) ? type.toUpperCase() : `.${type}`;
}

/** Whether files of this type are for sound alone. */
export function isAudioOnly(extension: string): boolean {
  return CONTAINERS.get(extension)?.video.length === 0;
}

/** Whether files of this type are for pictures alone. */
export function isVideoOnly(extension: string): boolean {
  return CONTAINERS.get(extension)?.audio.length === 0;
}

/** Seconds that a file begins before its first picture, lest rounding leaves that one out. */
const SPARE = 0.001;

/**
 * Where a file has to begin that hides what lies before: together with the picture that is shown at
 * the beginning. FFmpeg's readers would show a later one from there on, and be out of sync by it.
 *
 * @param first seconds at which the first picture lies
 * @returns seconds, 0 or less; 0 also where pictures come at no even pace
 */
export function editListStart({ frameRate }: VideoStream, first: number): number {
  if (frameRate === undefined || first >= 0) return 0;
  const [numerator, denominator] = frameRate;
  // Timestamps may be rounded to milliseconds.
  const count = Math.floor((SPARE - first) * numerator / denominator);
  return Math.min(0, first + count * denominator / numerator - SPARE);
}

/** Whether players of this type leave out what is stored from before the beginning. */
export function hasEditList(extension: string): boolean {
  return EDIT_LIST_TYPES.has(extension);
}

/** What has to be known besides the streams and the target. */
export interface StreamCopyOptions {
  /** One picture is to be written. */
  still: boolean;
  /** The streams are not raw. */
  encoded?: boolean;
  /** What the user chooses. */
  codec?: CodecChoice;
}

/** The streams whose packets such an output holds as they are. */
export function copiedStreams(
  streams: readonly StreamDescription[],
  target: OutputTarget,
  { encoded = false, codec = {} }: StreamCopyOptions,
): StreamDescription[] {
  if (!encoded) return [];
  return streams.filter((stream) => {
    const chosen = codec[stream.type];
    if (chosen !== undefined) return chosen === "copy";
    return whyReencoded(stream, target) === undefined;
  });
}

/** What such an output does not hold as it is sent, and why, unless it was chosen: a sentence each. */
export function recodingNotes(
  streams: readonly StreamDescription[],
  target: OutputTarget,
  { still, codec = {} }: StreamCopyOptions,
): string[] {
  return streams.flatMap((stream) => {
    if (codec[stream.type] !== undefined) return [];
    const why = whyReencoded(stream, target);
    const { type } = target;
    const isLeftOut = stream.type === "video"
      ? isAudioOnly(type)
      : still || isImageType(type) || isVideoOnly(type);
    if (why === undefined || isLeftOut) return [];
    const what = stream.type === "audio" ? "sound is" : still ? "the picture is" : "pictures are";
    return [`${what} encoded anew: ${why}`];
  });
}

function whyReencoded(
  stream: StreamDescription,
  { type }: OutputTarget,
): string | undefined {
  const alone = isImageType(type) && stream.type === "video";
  return alone ? whyNotCopiedImage(type, stream) : whyNotCopied(type, stream);
}
