/** FFmpeg's arguments for reading frames, as NUT on its standard input. Pure. */

/** FFmpeg's filters that show encoded streams as they are meant to be. Pure. */

/** FFmpeg's filters that give pictures a format and a size that a file, and its players, take. Pure. */
import type { StreamDescription, VideoStream } from "../media/frame.ts";

/** FFmpeg's option for a matrix is named unlike what it calls it itself. */
const MATRIX_OPTIONS = new Map([
  ["gbr", "rgb"],
  ...["bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "bt2020nc", "bt2020c", "ictcp"]
    .map((name): [string, string] => [name, name]),
]);

const RANGE_OPTIONS = new Set(["tv", "pc"]);

/**
 * FFmpeg's arguments that open standard input as the described streams. NUT does not carry the
 * colour range and matrix, so they are named here.
 *
 * @param lead seconds by which the timestamps of the input are too late: those from before the
 * beginning are negative again behind this
 * @param input what is opened instead of standard input
 */
export function nutInputArguments(
  streams: readonly StreamDescription[],
  { lead = 0, input = "pipe:0" }: { lead?: number; input?: string } = {},
): string[] {
  const { colorRange = "", colorSpace = "" } = videoOf(streams) ?? {};
  const matrix = MATRIX_OPTIONS.get(colorSpace);
  return [
    ...(RANGE_OPTIONS.has(colorRange) ? ["-color_range", colorRange] : []),
    ...(matrix === undefined ? [] : ["-colorspace", matrix]),
    ...(lead === 0 ? [] : ["-copyts", "-itsoffset", `-${lead}`]),
    ...["-f", "nut", "-i", input],
  ];
}

/** The stream of pictures; `undefined` where there is only sound. */
export function videoOf(streams: readonly StreamDescription[]): VideoStream | undefined {
  return streams.find((stream) => stream.type === "video");
}

/** FFmpeg's filters that turn pictures clockwise. */
const ROTATIONS = {
  90: ["transpose=clock"],
  180: ["hflip", "vflip"],
  270: ["transpose=cclock"],
} as const;

/** Slowest and fastest tempo that one `atempo` makes without leaving samples out. */
const TEMPO = { min: 0.5, max: 2 };

/** Filters that turn pictures the way they are shown; none where that is how they come. */
export function turnFilters({ rotation }: Pick<VideoStream, "rotation">): string[] {
  return rotation === undefined ? [] : [...ROTATIONS[rotation]];
}

/** The same stream as its pictures are when {@linkcode turnFilters} have turned them. */
export function turned(video: VideoStream): VideoStream {
  const { rotation, width, height, sampleAspectRatio: ratio } = video;
  if (rotation === undefined) return video;
  const upright = { ...video, rotation: undefined };
  if (rotation === 180) return upright;
  const sampleAspectRatio = ratio === undefined ? undefined : [ratio[1], ratio[0]] as const;
  return { ...upright, width: height, height: width, sampleAspectRatio };
}

/**
 * Filters that leave out all pictures from before a moment.
 *
 * @param start seconds by the timestamps that the filters see
 */
export function videoTrim(start: number): string[] {
  return [`trim=start=${start}`];
}

/**
 * Filters that leave out all sound from before a moment, to the sample.
 *
 * @param start seconds by the timestamps that the filters see
 */
export function audioTrim(start: number): string[] {
  return [`atrim=start=${start}`];
}

/**
 * Filters that play sound faster or slower, at the pitch it has.
 *
 * @param speed above 0, 1 being as it is
 */
export function tempoFilters(speed: number): string[] {
  const filters: string[] = [];
  let rest = speed;
  for (; rest > TEMPO.max; rest /= TEMPO.max) filters.push(`atempo=${TEMPO.max}`);
  for (; rest < TEMPO.min; rest /= TEMPO.min) filters.push(`atempo=${TEMPO.min}`);
  return rest === 1 ? filters : [...filters, `atempo=${Number(rest.toFixed(6))}`];
}

/** Types whose players mostly know H.264 with 4:2:0 sub-sampling and even sizes only. */
const H264_TYPES = new Set(
  ["mp4", "m4v", "mov", "3gp", "3g2", "flv", "ts", "m2ts", "f4v", "rtsp", "hls", "dash"],
);

/**
 * Converts to the usual range. Behind `format` alone, FFmpeg 7.1 and later keep the full one, which
 * the older ones convert, and which not all players know.
 */
const TO_LIMITED_RANGE = "scale=out_range=tv";

/** Pixel formats whose colours are coarser than the picture; in odd sizes H.264 refuses them. */
const SUBSAMPLED = /^(yuva?(410|411|420|422|440)p|nv|yuyv|uyvy|yvyu)/;

/** Pixel formats that YUV4MPEG2 has a name for. */
const Y4M_FORMATS = [
  ...["yuv420p", "yuv422p", "yuv444p", "yuv411p", "gray"],
  ...["yuv420p10", "yuv422p10", "yuv444p10", "yuv420p12", "yuv422p12", "yuv444p12"],
  ...["gray10", "gray12", "gray16", "yuv420p16", "yuv422p16", "yuv444p16"],
];

/** Filters for pictures in a file of this type, with the encoder that is usual for it. */
export function fittingFilters(video: VideoStream, type: string): string[] {
  if (H264_TYPES.has(type)) return playableFilters(video);
  if (type === "mkv") return exactFilters(video);
  if (type === "y4m") return [`format=${Y4M_FORMATS.join("|")}`];
  // Browsers know VP9 with 4:2:0 only; there may be alpha beside it.
  const is420 = (video.pixelFormat ?? "").startsWith("yuv420p");
  return type === "webm" && !is420 ? [...limitedRange(video), "format=yuv420p|yuva420p"] : [];
}

/** Formats and sizes stay as they are, but for those together that H.264 cannot have. */
export function exactFilters(video: VideoStream): string[] {
  const { pixelFormat = "" } = video;
  if (!isOdd(video) || !SUBSAMPLED.test(pixelFormat)) return [];
  return [`format=${withoutSubsampling(pixelFormat)}`];
}

/** 4:2:0 formats stay as they are, with all their bits; sizes grow to even by one row or column. */
function playableFilters(video: VideoStream): string[] {
  const { pixelFormat = "", width, height } = video;
  const is420 = pixelFormat.startsWith("yuv420p") || pixelFormat === "nv12";
  const playable = is420 ? pixelFormat : "yuv420p";
  if (isOdd(video)) {
    const [right, bottom] = [width % 2, height % 2];
    return [
      ...limitedRange(video),
      // In sub-sampled formats, padding would lose the last row and column.
      `format=${withoutSubsampling(pixelFormat)}`,
      `pad=${width + right}:${height + bottom}`,
      `fillborders=right=${right}:bottom=${bottom}:mode=smear`,
      `format=${playable}`,
    ];
  }
  return is420 ? limitedRange(video) : [...limitedRange(video), `format=${playable}`];
}

function limitedRange({ pixelFormat = "", colorRange }: VideoStream): string[] {
  return colorRange === "pc" || pixelFormat.startsWith("yuvj") ? [TO_LIMITED_RANGE] : [];
}

function isOdd({ width, height }: VideoStream): boolean {
  return width % 2 === 1 || height % 2 === 1;
}

/** The format of the same depth whose colours are as fine as the picture. */
function withoutSubsampling(pixelFormat: string): string {
  const [, depth = ""] = pixelFormat.match(/^yuva?4\d\dp(\d+[lb]e)$/) ?? [];
  return `yuv444p${depth}`;
}
