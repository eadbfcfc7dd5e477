/** FFmpeg's arguments for turning raw frames, as NUT on its standard input, into a file. Pure. */
import type { Description, StreamDescription, VideoStream } from "../core/frame.ts";

/** Containers that keep each frame's own timestamp; others have a fixed frame rate. */
const KEEPS_TIMESTAMPS = new Set(["mp4", "m4v", "mov", "mkv", "webm", "nut", "ts", "m2ts", "flv"]);

/** Containers whose players mostly know H.264 with 4:2:0 sub-sampling and even sizes only. */
const WANTS_420 = new Set(["mp4", "m4v", "mov", "flv", "ts", "m2ts"]);

/** Still formats that lose detail unless asked not to. */
const LOSSY_STILLS = new Set(["jpg", "jpeg"]);

/**
 * FFmpeg's arguments that open standard input as the described streams. NUT does not carry the
 * colour range and matrix, so they are named here.
 */
export function nutInputArguments(streams: readonly StreamDescription[]): string[] {
  const { colorRange, colorSpace } = pictureOf(streams) ?? {};
  return [
    ...(colorRange === undefined ? [] : ["-color_range", colorRange]),
    ...(colorSpace === undefined || colorSpace === "unknown" ? [] : ["-colorspace", colorSpace]),
    ...["-f", "nut", "-i", "pipe:0"],
  ];
}

/** Arguments for writing a file whose type is told by its extension. */
export function encoderArguments(
  { streams }: Pick<Description, "streams">,
  path: string,
  { still }: { still: boolean },
): string[] {
  const extension = path.slice(path.lastIndexOf(".") + 1).toLowerCase();
  return [
    ...["-v", "error", "-y"],
    ...nutInputArguments(streams),
    ...(still ? stillArguments(extension) : videoArguments(streams, extension)),
    `file:${path}`,
  ];
}

function stillArguments(extension: string): string[] {
  const quality = LOSSY_STILLS.has(extension) ? ["-q:v", "2"] : [];
  return ["-frames:v", "1", "-update", "1", ...quality];
}

function videoArguments(streams: readonly StreamDescription[], extension: string): string[] {
  const picture = pictureOf(streams);
  if (picture === undefined) return [];
  const filters = WANTS_420.has(extension) ? playableFilters(picture) : [];
  const [numerator, denominator] = picture.timeBase;
  return [
    ...(filters.length > 0 ? ["-vf", filters.join(",")] : []),
    ...(KEEPS_TIMESTAMPS.has(extension)
      ? ["-fps_mode", "passthrough", "-enc_time_base", `${numerator}/${denominator}`]
      : []),
  ];
}

/** 4:2:0 formats stay as they are, with all their bits; sizes grow to even by one row or column. */
function playableFilters({ pixelFormat = "", width, height }: VideoStream): string[] {
  const isOdd = width % 2 === 1 || height % 2 === 1;
  return [
    ...(isOdd ? ["pad=ceil(iw/2)*2:ceil(ih/2)*2"] : []),
    ...(pixelFormat.startsWith("yuv420p") || pixelFormat === "nv12" ? [] : ["format=yuv420p"]),
  ];
}

function pictureOf(streams: readonly StreamDescription[]): VideoStream | undefined {
  return streams.find((stream) => stream.type === "video");
}
