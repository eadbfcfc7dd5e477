/** Whether the pictures of a file are an image or a video. */
import { ANIMATED_WEBP_RELEASE } from "../../../ffmpeg/version.ts";

/** Arguments of ffprobe that count packets, as far as needed to tell a video. */
const COUNTING: readonly string[] = ["-count_packets", "-read_intervals", "%+#2"];

/** Demuxers of animations, and of the pictures of cameras, which may hold one picture only. */
const MAYBE_STILL = new Set(["gif", "apng", "webp_anim", "jpegxl_anim", "mjpeg"]);

/** Extensions of files whose packets have to be counted, most likely. */
const COUNTED_NAMES = /\.(gif|apng|avif|hei[cf]|mjpe?g)$/i;

/** Brands of ISO files that hold images, and sequences of them (ISO/IEC 23008-12, 10; AVIF, 6). */
const IMAGE_BRANDS = new Set([
  ...["avif", "avis", "mif1", "mif2", "msf1"],
  ...["heic", "heix", "heim", "heis", "hevc", "hevx"],
]);

/** A format as ffprobe describes it. */
export interface FormatFacts {
  /** FFmpeg's names of the container format, separated by commas. */
  format_name?: string;
  tags?: { major_brand?: string };
}

/** A stream as ffprobe describes it, whose packets it has counted. */
export interface CountedStream {
  codec_type?: string;
  nb_read_packets?: string;
}

/**
 * Arguments of ffprobe that make it count packets at once if the name of a file lets expect that they
 * have to be counted, since a process costs more.
 */
export function countingArguments(name: string): readonly string[] {
  return COUNTED_NAMES.test(name) ? COUNTING : [];
}

/**
 * Whether the pictures of a file are an image: by the format, or because there is only one.
 *
 * @param count gives the streams with counted packets, by ffprobe and further arguments if need be
 */
export async function isStill(
  { format_name: name = "", tags }: FormatFacts,
  count: (args: readonly string[]) => Promise<readonly CountedStream[] | undefined>,
): Promise<boolean> {
  // Demuxers of still images are named after the codec, `png_pipe`, or `image2`.
  if (name.endsWith("_pipe") || ["image2", "ico", "image2pipe"].includes(name)) return true;
  const hasImages = name.split(",").includes("mp4") && IMAGE_BRANDS.has(tags?.major_brand ?? "");
  if (!MAYBE_STILL.has(name) && !hasImages) return false;
  const pictures = (await count(COUNTING))?.find(({ codec_type: type }) => type === "video");
  return pictures?.nb_read_packets === "1";
}

/**
 * Why there is nothing in a file that can be served.
 *
 * @param codec FFmpeg's name of that of its pictures; absent if it has none
 */
export function emptiness(codec?: string): string {
  if (codec === undefined) return "no picture and no sound in it";
  const advice = codec === "webp"
    ? `; animations need FFmpeg ${ANIMATED_WEBP_RELEASE} or later`
    : "";
  return `it is damaged, or the installed FFmpeg cannot decode its pictures (${codec})${advice}`;
}
