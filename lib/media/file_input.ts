/** FFmpeg's arguments that open one file, and nothing besides. Pure. */
import { SERVED_FORMATS } from "./served_formats.ts";

/** What library media may make FFmpeg open: a file, and nothing by way of a network. */
const PROTOCOL_WHITELIST = "file";

/** Where FFmpeg finds a file that was opened for it, as descriptor 3. */
const OPENED_PATH = "/proc/self/fd/3";

/**
 * Formats that FFmpeg does not know by their content, by the extension of their files. Its name is
 * no longer there to tell when a file is opened for FFmpeg.
 */
const BY_EXTENSION = new Map([
  ["g722", "g722"],
  ["gsm", "gsm"],
  ["pam", "pam_pipe"],
  ["sbc", "sbc"],
  ["svg", "svg_pipe"],
  ["svgz", "svg_pipe"],
]);

/**
 * Says why FFmpeg makes nothing of a file of a format that it knows by its name alone, and of which
 * no demuxer can be told.
 *
 * @param stderr what FFmpeg wrote to its standard error
 */
export function nameless(path: string, stderr: string): string | undefined {
  return /\.tga$/i.test(path) && /Invalid (data|argument)/.test(stderr)
    ? "FFmpeg knows TGA by its name alone, which does not count here, expected a PNG of it"
    : undefined;
}

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

/**
 * FFmpeg's arguments that open one library file, whatever characters its path has.
 *
 * @param format FFmpeg's names of the format, where it is known by now: then FFmpeg guesses no more
 */
export function inputArguments(path: string, format?: string): string[] {
  return [
    ...["-protocol_whitelist", PROTOCOL_WHITELIST],
    ...(format === undefined ? guessArguments(path) : knownArguments(format)),
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
  const byExtension = BY_EXTENSION.get(path.slice(path.lastIndexOf(".") + 1).toLowerCase());
  return [
    ...["-format_whitelist", SERVED_FORMATS.join(",")],
    ...(isPattern ? NAMED_IMAGES : byExtension === undefined ? [] : ["-f", byExtension]),
  ];
}

function knownArguments(format: string): string[] {
  const [name] = format.split(",");
  return name === "image2" ? NAMED_IMAGES : ["-f", name];
}

function fileUrl(path: string): string {
  return `file:${path}`;
}
