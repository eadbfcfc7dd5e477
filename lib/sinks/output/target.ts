/** Types of output by extension or format, and FFmpeg's options for them. */
import { UsageError } from "../../base/errors.ts";
import { nearest } from "../../base/suggest.ts";

/** Output of FFmpeg. */
export interface OutputTarget {
  /** FFmpeg's name of it: `file:x.mp4`, `pipe:1`, a URL. */
  name: string;
  /** Type that decides how it is written: an extension in lower case, or a name in its place. */
  type: string;
  /** FFmpeg's name of the format, if not that of the extension. */
  muxer?: string;
  /**
   * It is watched while it is written, live or in segments: as H.264 and AAC, with a keyframe every
   * two seconds. Live output must not be delayed.
   */
  watched?: "live" | "segments";
  /** Each picture is a file of its own. */
  isSequence?: boolean;
  options?: readonly string[];
}

/** Image types, and FFmpeg's encoders for them. */
const IMAGE_ENCODERS = new Map([
  ["jpg", "mjpeg"],
  ["jpeg", "mjpeg"],
  ["tif", "tiff"],
  ["tga", "targa"],
  ["jp2", "jpeg2000"],
  ["ras", "sunrast"],
  ["jxl", "libjxl"],
  ...["png", "bmp", "tiff", "ppm", "pgm", "pbm", "pam", "xbm", "xwd", "pcx", "sgi", "exr", "qoi"]
    .map((name): [string, string] => [name, name]),
  ["hdr", "hdr"],
]);

/** FFmpeg's formats by extensions that differ from their names. */
const MUXERS = new Map([
  ["y4m", "yuv4mpegpipe"],
  ["mkv", "matroska"],
  ["mka", "matroska"],
  ["ts", "mpegts"],
  ["m2ts", "mpegts"],
  ["m4v", "mp4"],
  ["m4a", "ipod"],
  ["aac", "adts"],
  ["wmv", "asf"],
  ["mpg", "mpeg"],
  ["aif", "aiff"],
  ["m3u8", "hls"],
  ["mpd", "dash"],
]);

/** Types by FFmpeg's names of formats that differ from them. */
const TYPES = new Map([
  ["yuv4mpegpipe", "y4m"],
  ["matroska", "mkv"],
  ["mpegts", "ts"],
  ["rtp_mpegts", "ts"],
  ["ipod", "m4a"],
  ["adts", "aac"],
]);

/** Types with an index at the beginning, unless they are fragmented. */
const LIKE_MP4 = new Set(["mp4", "mov", "3gp", "3g2", "m4a", "ismv", "f4v", "psp"]);

/** Fragments them, for outputs that cannot seek. */
const IN_FRAGMENTS = ["-movflags", "frag_keyframe+empty_moov+default_base_moof"];

/** Whether files of a type hold one image and no video. */
export function isImageType(type: string): boolean {
  return IMAGE_ENCODERS.has(type);
}

/** FFmpeg's encoder of an image type; `undefined` for other types. */
export function imageEncoder(type: string): string | undefined {
  return IMAGE_ENCODERS.get(type);
}

/**
 * Extension of a file name in lower case; `""` if it has none. The dot of a hidden file does not
 * count.
 */
export function extensionOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  return dot <= 0 ? "" : name.slice(dot + 1).toLowerCase();
}

/**
 * FFmpeg's name of a format, which may be given by its extension.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { muxerOf } from "./target.ts";
 *
 * assertEquals(muxerOf("y4m"), "yuv4mpegpipe");
 * assertEquals(muxerOf("mpegts"), "mpegts");
 * ```
 */
export function muxerOf(format: string): string {
  return MUXERS.get(format) ?? format;
}

/** Type of a format, as if it were an extension. */
export function typeOf(format: string): string {
  const muxer = muxerOf(format);
  return TYPES.get(muxer) ?? muxer;
}

/**
 * Target for a file.
 *
 * @param format FFmpeg's name of the format, if not by the extension
 */
export function fileTarget(path: string, format?: string): OutputTarget {
  const name = `file:${path}`;
  if (format === undefined) return { name, type: extensionOf(path) };
  const type = typeOf(format);
  return { name, type, muxer: isImageType(type) ? "image2" : muxerOf(format) };
}

/**
 * Target for an image sequence, whose files appear complete.
 *
 * @param pattern path in which `%d` or the like is the number
 * @param first number of the first file
 */
export function sequenceTarget(pattern: string, first = 1): OutputTarget {
  return {
    name: `file:${pattern}`,
    type: extensionOf(pattern),
    isSequence: true,
    options: [
      ...["-fps_mode", "passthrough", "-f", "image2", "-atomic_writing", "1"],
      ...(first === 1 ? [] : ["-start_number", String(first)]),
    ],
  };
}

/** Arguments of a type for outputs that cannot seek. */
export function unseekableOptions(type: string): readonly string[] {
  return LIKE_MP4.has(type) ? IN_FRAGMENTS : [];
}

/** Target for standard output. */
export function pipeTarget(format: string): OutputTarget {
  const type = typeOf(format);
  const muxer = isImageType(type) ? "image2pipe" : muxerOf(format);
  // Without this, FFmpeg buffers 32 kB before the reader gets any.
  return {
    name: "pipe:1",
    type,
    muxer,
    options: [...unseekableOptions(type), "-flush_packets", "1"],
  };
}

/** Reason for an unknown name, with the nearest known one, for a message. */
export function unknownName(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return near === undefined ? "FFmpeg has none of this name" : `did you mean ${near}?`;
}

/** Encoder of each stream type, `copy`, or `none`; `undefined` for the default. */
export interface CodecChoice {
  video?: string;
  audio?: string;
}

/** Encoders with few frame rates, or coarse time bases, only. */
const FIXED_RATE_ENCODERS =
  /^(mpeg[124](video)?|libxvid|h26[13]p?|msmpeg4(v2)?|wmv[12]|flv1?|dvvideo|dnxhd|libtheora|theora|mjpeg|.*_(nvenc|vaapi|qsv|v4l2m2m))$/;

/** Encoders that refuse odd sizes with chroma subsampling. */
const EVEN_SIZE_ENCODERS = /26[45]|hevc|avc/;

/**
 * Parses `VIDEO`, `VIDEO,AUDIO` or `,AUDIO`.
 *
 * @throws {UsageError} for any other form
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseCodecChoice } from "./target.ts";
 *
 * assertEquals(parseCodecChoice("libx265,copy"), { video: "libx265", audio: "copy" });
 * assertEquals(parseCodecChoice(",none"), { video: undefined, audio: "none" });
 * ```
 */
export function parseCodecChoice(text: string): CodecChoice {
  const [, video, audio] = text.match(/^([\w.-]*)(?:,([\w.-]*))?$/) ?? [];
  if (!video && !audio) {
    throw new UsageError(
      `Cannot use --codec "${text}": expected an encoder of pictures, sound, or both, such as ` +
        "libx265 or libvpx-vp9,libopus or ,flac",
    );
  }
  return { video: video || undefined, audio: audio || undefined };
}

/** Whether an encoder keeps timestamps at any frame rate. */
export function keepsTimestamps(encoder: string): boolean {
  return !FIXED_RATE_ENCODERS.test(encoder);
}

/** Whether an encoder needs even sizes with chroma subsampling. */
export function wantsEvenSizes(encoder: string): boolean {
  return EVEN_SIZE_ENCODERS.test(encoder);
}
