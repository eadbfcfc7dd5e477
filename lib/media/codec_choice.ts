/** The encoders that a user chooses, and what has to be known of them. Pure. */
import { UsageError } from "../core/errors.ts";

/** What becomes of pictures and sound: an encoder, `copy`, or `none`; absent for the usual one. */
export interface CodecChoice {
  video?: string;
  audio?: string;
}

/** Encoders that know a few frame rates, or coarse time bases, only. */
const OF_FEW_RATES =
  /^(mpeg[124](video)?|libxvid|h26[13]p?|msmpeg4(v2)?|wmv[12]|flv1?|dvvideo|dnxhd|libtheora|theora|mjpeg|.*_(nvenc|vaapi|qsv|v4l2m2m))$/;

/** Encoders that refuse odd sizes where colours are coarser than the picture. */
const OF_EVEN_SIZES = /26[45]|hevc|avc/;

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
export function keepsMoments(encoder: string): boolean {
  return !OF_FEW_RATES.test(encoder);
}

/** Whether an encoder wants even sizes where colours are coarser than the picture. */
export function wantsEvenSizes(encoder: string): boolean {
  return OF_EVEN_SIZES.test(encoder);
}
