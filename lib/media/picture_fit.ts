/** FFmpeg's filters that give pictures a format and a size that a file, and its players, take. Pure. */
import type { VideoStream } from "../core/frame.ts";

/** Types whose players mostly know H.264 with 4:2:0 sub-sampling and even sizes only. */
const WANTS_420 = new Set(
  ["mp4", "m4v", "mov", "3gp", "3g2", "flv", "ts", "m2ts", "f4v", "rtsp", "hls", "dash"],
);

/**
 * Converts to the usual range. Behind `format` alone, FFmpeg 7.1 and later keep the full one, which
 * the older ones convert, and which not all players know.
 */
const TO_USUAL_RANGE = "scale=out_range=tv";

/** Pixel formats whose colours are coarser than the picture; in odd sizes H.264 refuses them. */
const SUB_SAMPLED = /^(yuva?(410|411|420|422|440)p|nv|yuyv|uyvy|yvyu)/;

/** Pixel formats that YUV4MPEG2 has a name for. */
const OF_Y4M = [
  ...["yuv420p", "yuv422p", "yuv444p", "yuv411p", "gray"],
  ...["yuv420p10", "yuv422p10", "yuv444p10", "yuv420p12", "yuv422p12", "yuv444p12"],
  ...["gray10", "gray12", "gray16", "yuv420p16", "yuv422p16", "yuv444p16"],
];

/** Filters for pictures in a file of this type, with the encoder that is usual for it. */
export function fittingFilters(picture: VideoStream, type: string): string[] {
  if (WANTS_420.has(type)) return playableFilters(picture);
  if (type === "mkv") return exactFilters(picture);
  if (type === "y4m") return [`format=${OF_Y4M.join("|")}`];
  // Browsers know VP9 with 4:2:0 only; there may be alpha beside it.
  const is420 = (picture.pixelFormat ?? "").startsWith("yuv420p");
  return type === "webm" && !is420 ? [...inUsualRange(picture), "format=yuv420p|yuva420p"] : [];
}

/** Formats and sizes stay as they are, but for those together that H.264 cannot have. */
export function exactFilters(picture: VideoStream): string[] {
  const { pixelFormat = "" } = picture;
  if (!isOdd(picture) || !SUB_SAMPLED.test(pixelFormat)) return [];
  return [`format=${notSubSampled(pixelFormat)}`];
}

/** 4:2:0 formats stay as they are, with all their bits; sizes grow to even by one row or column. */
function playableFilters(picture: VideoStream): string[] {
  const { pixelFormat = "", width, height } = picture;
  const is420 = pixelFormat.startsWith("yuv420p") || pixelFormat === "nv12";
  const playable = is420 ? pixelFormat : "yuv420p";
  if (isOdd(picture)) {
    const [right, bottom] = [width % 2, height % 2];
    return [
      ...inUsualRange(picture),
      // In sub-sampled formats, padding would lose the last row and column.
      `format=${notSubSampled(pixelFormat)}`,
      `pad=${width + right}:${height + bottom}`,
      `fillborders=right=${right}:bottom=${bottom}:mode=smear`,
      `format=${playable}`,
    ];
  }
  return is420 ? inUsualRange(picture) : [...inUsualRange(picture), `format=${playable}`];
}

function inUsualRange({ pixelFormat = "", colorRange }: VideoStream): string[] {
  return colorRange === "pc" || pixelFormat.startsWith("yuvj") ? [TO_USUAL_RANGE] : [];
}

function isOdd({ width, height }: VideoStream): boolean {
  return width % 2 === 1 || height % 2 === 1;
}

/** The format of the same depth whose colours are as fine as the picture. */
function notSubSampled(pixelFormat: string): string {
  const [, depth = ""] = pixelFormat.match(/^yuva?4\d\dp(\d+[lb]e)$/) ?? [];
  return `yuv444p${depth}`;
}
