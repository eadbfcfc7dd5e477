/** FFmpeg's arguments that open one file, and nothing besides. Pure. */
import { NAMED_CODECS } from "./format_by_name.ts";
import { SERVED_FORMATS } from "./served_formats.ts";

/** What library media may make FFmpeg open: a file, and nothing by way of a network. */
const PROTOCOL_WHITELIST = "file";

/** Where FFmpeg finds a file that was opened for it, as descriptor 3. */
const OPENED_PATH = "/proc/self/fd/3";

/** Extensions by which FFmpeg's image2 demuxer knows images (libavformat/img2.c), but for GIF's. */
const IMAGE_EXTENSION = new RegExp(
  "\\.(" +
    "png|jpe?g|jps|mpo|jls|ljpg|bmp|tiff?|webp|p[bgnp]m|p[afh]m|tga|exr|dpx|jp2|j2[ck]|jpc|jxl|" +
    "pcx|sgi|ras|rs|sun|sunras|xbm|xpm|xwd|qoi|pic|pct|pict|pix|dds|cri|vbn|im1|im8|im24|im32|y|" +
    "svgz?|dng|mng|mpg[124]-img|pcd|pgmyuv|ptx|timg|img|xface" +
    ")$",
  "i",
);

/** Characters by which image2 takes a name for that of a numbered series, or for a pattern. */
const PATTERN = /[%*?{]/;

/** The demuxer that takes names for patterns, unless told not to. */
const NAMED_IMAGES = ["-f", "image2", "-pattern_type", "none"];

/** What is known of a file's format. */
export interface KnownFormat {
  /** FFmpeg's names of the container format, separated by commas. */
  format: string;
  video?: { codec: string };
}

/**
 * FFmpeg's arguments that open one library file, whatever characters its path has.
 *
 * @param known what it is, where that is known by now: then FFmpeg guesses no more
 */
export function inputArguments(path: string, known?: KnownFormat): string[] {
  return [
    ...["-protocol_whitelist", PROTOCOL_WHITELIST],
    ...(known === undefined ? guessArguments(path) : knownArguments(known)),
    ...["-i", fileUrl(path)],
  ];
}

/** Pixels that FFmpeg adds to the width and the height of pictures where it sets aside memory. */
const MARGIN = { width: 128, height: 64 };

/**
 * FFmpeg's arguments, in front of an input, that bound the pictures it decodes.
 *
 * @param known size of the file's pictures, in pixels, where that was found out
 */
export function pixelLimit(
  maxPixels = Infinity,
  known?: { width: number; height: number },
): string[] {
  if (maxPixels === Infinity) return [];
  const isWithin = known !== undefined && known.width * known.height <= maxPixels;
  const needed = isWithin ? (known.width + MARGIN.width) * (known.height + MARGIN.height) : 0;
  return ["-max_pixels", `${Math.max(maxPixels, needed)}`];
}

/** The input's address by which FFmpeg finds the file of this path that was opened for it. */
export function openedUrl(url: string, path: string): string {
  return url === fileUrl(path) ? fileUrl(OPENED_PATH) : url;
}

/** What FFmpeg says, without where the file lies. */
export function withoutPath(said: string, path: string): string {
  return [path, OPENED_PATH].reduce(
    (rest, name) =>
      rest.replaceAll(`${fileUrl(name)}: `, "").replaceAll(fileUrl(name), "the file")
        .replaceAll(name, "the file"),
    said,
  );
}

/** FFmpeg decides before it opens what a format names, so that lists of other files do no harm. */
function guessArguments(path: string): string[] {
  const isPattern = PATTERN.test(path) && IMAGE_EXTENSION.test(path);
  return [
    ...["-format_whitelist", SERVED_FORMATS.join(",")],
    ...(isPattern ? NAMED_IMAGES : []),
  ];
}

function knownArguments({ format, video }: KnownFormat): string[] {
  const [name] = format.split(",");
  if (name !== "image2") return ["-f", name];
  const isNamed = video !== undefined && NAMED_CODECS.includes(video.codec);
  return [...NAMED_IMAGES, ...(isNamed ? ["-c:v", video.codec] : [])];
}

function fileUrl(path: string): string {
  return `file:${path}`;
}
