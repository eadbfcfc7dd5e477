/** Streams that a container stores unchanged, and the reasons to re-encode others. */
import type { StreamDescription, VideoStream } from "../../media/frame.ts";
import { type CodecChoice, isImageType, type OutputTarget } from "./target.ts";

/** Codecs that a file type supports and its players play, by FFmpeg's names. */
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

/** Types that are no file extensions. */
const STREAMED = new Set(["rtsp", "hls", "dash"]);

/** By extension. Other codecs are re-encoded. */
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
  // Watched while they are written: codecs that all players support.
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
  // Video only.
  h264: { video: ["h264"], audio: [] },
  hevc: { video: ["hevc"], audio: [] },
  y4m: { video: ["wrapped_avframe"], audio: [] },
  rawvideo: { video: ["rawvideo"], audio: [] },
  image2pipe: { video: ["mjpeg", "png"], audio: [] },
}));

/** Image types, and the codec whose packets are such files byte for byte. */
const IMAGE_CODECS = new Map([
  ...["jpg", "jpeg"].map((extension): [string, string] => [extension, "mjpeg"]),
  ...["tif", "tiff"].map((extension): [string, string] => [extension, "tiff"]),
  ...["png", "bmp", "webp", "ppm", "pgm", "pam", "qoi", "exr"]
    .map((extension): [string, string] => [extension, extension]),
]);

/** Types based on MP4, which store an edit list and a rotation. */
const EDIT_LIST_TYPES = new Set(["mp4", "m4v", "mov", "m4a"]);

/**
 * Languages by ISO 639-2 under the names by which FFmpeg finds QuickTime's numbers of them
 * (libavformat/isom.c): it stores no other languages in that type.
 */
const QUICKTIME_LANGUAGES = new Map([
  ...[["fra", "fre"], ["deu", "ger"], ["nld", "dut"], ["ell", "gre"], ["isl", "ice"]],
  ...[["zho", "chi"], ["sqi", "alb"], ["mkd", "mac"], ["hye", "arm"], ["kat", "geo"]],
  ...[["bod", "tib"], ["mya", "bur"], ["msa", "may"], ["rum", "ron"], ["cze", "ces"]],
  ...[["slo", "slk"], ["swe", "sve"]],
].map(([language, name]): [string, string] => [language, name]));

/** Types that store frames in decode order only. */
const DECODE_ORDER_TYPES = new Set(["avi"]);

/**
 * Reason why a file type cannot store a stream's packets unchanged; `undefined` if it can.
 *
 * @param extension lower case, without the dot
 */
export function whyNotCopied(extension: string, stream: StreamDescription): string | undefined {
  // All streams arrive as NUT.
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

/** Reason why a stream's packets are no files of an image type; `undefined` if they are. */
export function whyNotCopiedImage(extension: string, stream: VideoStream): string | undefined {
  return IMAGE_CODECS.get(extension) === stream.codec ? undefined : notStored(extension, stream);
}

function notStored(extension: string, { codec }: StreamDescription): string {
  return `${codec} is not stored in ${shown(extension)}`;
}

function shown(type: string): string {
  return STREAMED.has(type) ? type.toUpperCase() : `.${type}`;
}

/** Whether a file type stores only audio. */
export function isAudioOnly(extension: string): boolean {
  return CONTAINERS.get(extension)?.video.length === 0;
}

/** Whether a file type stores only video. */
export function isVideoOnly(extension: string): boolean {
  return CONTAINERS.get(extension)?.audio.length === 0;
}

/**
 * Seconds by which a file begins before its first picture, so that rounding does not hide the
 * picture.
 */
const SPARE = 0.001;

/**
 * Start of an edit list that hides the frames before the beginning: the timestamp of the picture
 * shown at the beginning. FFmpeg's readers would otherwise show a later one there, and be out of
 * sync.
 *
 * @param first timestamp of the first picture, seconds
 * @returns seconds, 0 or less; 0 if the frame rate is not constant
 */
export function editListStart({ frameRate }: VideoStream, first: number): number {
  if (frameRate === undefined || first >= 0) return 0;
  const [numerator, denominator] = frameRate;
  // Timestamps may be rounded to milliseconds.
  const count = Math.floor((SPARE - first) * numerator / denominator);
  return Math.min(0, first + count * denominator / numerator - SPARE);
}

/** Whether a file type stores an edit list, by which players skip frames before the beginning. */
export function hasEditList(extension: string): boolean {
  return EDIT_LIST_TYPES.has(extension);
}

/** Streams whose languages are named as FFmpeg wants them for a file type. */
export function withStoredLanguages(
  streams: readonly StreamDescription[],
  extension: string,
): readonly StreamDescription[] {
  return streams.map((stream) => ({
    ...stream,
    language: storedLanguage(stream.language, extension),
  }));
}

/** A language as FFmpeg wants it for a file type. */
export function storedLanguage(
  language: string | undefined,
  extension: string,
): string | undefined {
  if (extension !== "mov" || language === undefined) return language;
  return QUICKTIME_LANGUAGES.get(language) ?? language;
}

/** Options of {@linkcode copiedStreams}. */
export interface StreamCopyOptions {
  /** One image is written. */
  still: boolean;
  /** The streams are encoded. @default false */
  encoded?: boolean;
  /** Codecs that the user chose. */
  codec?: CodecChoice;
}

/** Streams whose packets an output stores unchanged. */
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

/** Sentences about the streams that an output re-encodes though the user chose no codec. */
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
    return [`${what} re-encoded: ${why}`];
  });
}

function whyReencoded(
  stream: StreamDescription,
  { type }: OutputTarget,
): string | undefined {
  const alone = isImageType(type) && stream.type === "video";
  return alone ? whyNotCopiedImage(type, stream) : whyNotCopied(type, stream);
}
