/** What FFmpeg is told of where it writes to: files and pipes, and what type they are of. Pure. */

/** The encoders that a user chooses, and what has to be known of them. Pure. */
import { UsageError } from "../../base/errors.ts";
import { nearest } from "../../base/suggest.ts";

/** Where FFmpeg writes to. */
export interface OutputTarget {
  /** As FFmpeg is told: `file:x.mp4`, `pipe:1`, an address. */
  name: string;
  /** What decides how it is written: an extension in lower case, or what stands for one. */
  type: string;
  /** FFmpeg's name of the format; absent where the extension tells it. */
  muxer?: string;
  /**
   * Somebody watches while it is written, from the middle on, or in pieces: with H.264 and AAC,
   * and a keyframe every two seconds. In real time, so that it must not be late, or not.
   */
  watched?: "live" | "segments";
  /** Arguments for the format. */
  options?: readonly string[];
}

/** File types of one picture a file, and FFmpeg's encoder where its name differs. */
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

/** Extensions by which formats are called, unlike FFmpeg calls them. */
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

/** The extension that stands for a format, where it is not FFmpeg's name of it. */
const TYPES = new Map([
  ["yuv4mpegpipe", "y4m"],
  ["matroska", "mkv"],
  ["mpegts", "ts"],
  ["rtp_mpegts", "ts"],
  ["ipod", "m4a"],
  ["adts", "aac"],
]);

/** Types that begin with a table of what comes, unless they are cut into fragments. */
const LIKE_MP4 = new Set(["mp4", "mov", "3gp", "3g2", "m4a", "ismv", "f4v", "psp"]);

/** Such files as they can be written where nobody can go back: in fragments. */
const IN_FRAGMENTS = ["-movflags", "frag_keyframe+empty_moov+default_base_moof"];

/** Whether a file of this type holds one picture, and no video. */
export function isImageType(type: string): boolean {
  return IMAGE_ENCODERS.has(type);
}

/** FFmpeg's encoder for a type of one picture a file; `undefined` for other types. */
export function imageEncoder(type: string): string | undefined {
  return IMAGE_ENCODERS.get(type);
}

/**
 * The letters behind the last dot of a file's name, in lower case; `""` where there is none, or
 * only the one of a hidden file.
 */
export function extensionOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  return dot <= 0 ? "" : name.slice(dot + 1).toLowerCase();
}

/**
 * FFmpeg's name of a format that may be called by its extension.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { muxerOf } from "./output_target.ts";
 *
 * assertEquals(muxerOf("y4m"), "yuv4mpegpipe");
 * assertEquals(muxerOf("mpegts"), "mpegts");
 * ```
 */
export function muxerOf(format: string): string {
  return MUXERS.get(format) ?? format;
}

/** What decides how a format is written, as an extension does for a file. */
export function typeOf(format: string): string {
  const muxer = muxerOf(format);
  return TYPES.get(muxer) ?? muxer;
}

/**
 * A file.
 *
 * @param format overrides its extension
 */
export function fileTarget(path: string, format?: string): OutputTarget {
  const name = `file:${path}`;
  if (format === undefined) return { name, type: extensionOf(path) };
  const type = typeOf(format);
  return { name, type, muxer: isImageType(type) ? "image2" : muxerOf(format) };
}

/** Arguments for a type where nobody can go back in what is written. */
export function unseekableOptions(type: string): readonly string[] {
  return LIKE_MP4.has(type) ? IN_FRAGMENTS : [];
}

/** Standard output. */
export function pipeTarget(format: string): OutputTarget {
  const type = typeOf(format);
  const muxer = isImageType(type) ? "image2pipe" : muxerOf(format);
  // Whoever reads on should not wait until FFmpeg has 32 kB together.
  return {
    name: "pipe:1",
    type,
    muxer,
    options: [...unseekableOptions(type), "-flush_packets", "1"],
  };
}

/** Why a name is none of those that FFmpeg knows, with one that may be meant; for a message. */
export function unknownName(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return near === undefined ? "FFmpeg has none of this name" : `did you mean ${near}?`;
}

/** What becomes of pictures and sound: an encoder, `copy`, or `none`; absent for the usual one. */
export interface CodecChoice {
  video?: string;
  audio?: string;
}

/** Encoders that know a few frame rates, or coarse time bases, only. */
const FIXED_RATE_ENCODERS =
  /^(mpeg[124](video)?|libxvid|h26[13]p?|msmpeg4(v2)?|wmv[12]|flv1?|dvvideo|dnxhd|libtheora|theora|mjpeg|.*_(nvenc|vaapi|qsv|v4l2m2m))$/;

/** Encoders that refuse odd sizes where colours are coarser than the picture. */
const EVEN_SIZE_ENCODERS = /26[45]|hevc|avc/;

/**
 * Reads `VIDEO`, `VIDEO,AUDIO` or `,AUDIO`.
 *
 * @throws {UsageError} where it is none of them
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseCodecChoice } from "./codec_choice.ts";
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

/** Whether an encoder stores each picture at whatever moment it has. */
export function keepsTimestamps(encoder: string): boolean {
  return !FIXED_RATE_ENCODERS.test(encoder);
}

/** Whether an encoder wants even sizes where colours are coarser than the picture. */
export function wantsEvenSizes(encoder: string): boolean {
  return EVEN_SIZE_ENCODERS.test(encoder);
}
