/** FFmpeg's arguments that several sinks need: input, rotation, trim, tempo, size. */
import { deinterlaceFilters } from "../ffmpeg/rendition.ts";
import { demosaicFilters } from "../ffmpeg/raw_fourccs.ts";
import { isHdr, toneMapFilters, type WantedSize } from "../ffmpeg/tone_map.ts";
import type { FfmpegDialect } from "../ffmpeg/version.ts";
import type { AudioStream, StreamDescription, VideoStream } from "../media/frame.ts";

/** Values of `-colorspace` by FFmpeg's names of the matrices, which differ. */
const MATRIX_OPTIONS = new Map([
  ["gbr", "rgb"],
  ...["bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "bt2020nc", "bt2020c", "ictcp"]
    .map((name): [string, string] => [name, name]),
]);

const RANGE_OPTIONS = new Set(["tv", "pc"]);

/** Values of `-color_primaries`, which are FFmpeg's names. */
const PRIMARIES = new Set(["bt709", "bt470bg", "smpte170m", "bt2020", "smpte431", "smpte432"]);

/**
 * FFmpeg's arguments for NUT input with the described streams. NUT carries neither colours nor the
 * order of fields, so they are options.
 *
 * @param lead seconds by which the timestamps are shifted; FFmpeg shifts them back
 * @param input what to open instead of standard input
 */
export function nutInputArguments(
  streams: readonly StreamDescription[],
  { lead = 0, input = "pipe:0" }: { lead?: number; input?: string } = {},
): string[] {
  const video = videoOf(streams);
  const isRaw = video?.codec === "rawvideo";
  return [
    ...(video === undefined ? [] : colorOptions(video)),
    // Other decoders find it in their packets.
    ...(isRaw && video.fieldOrder !== undefined ? ["-field_order", video.fieldOrder] : []),
    ...(lead === 0 ? [] : ["-copyts", "-itsoffset", `-${lead}`]),
    ...["-f", "nut", "-i", input],
  ];
}

function colorOptions(
  { colorRange = "", colorSpace = "", colorPrimaries = "", colorTransfer }: VideoStream,
): string[] {
  const matrix = MATRIX_OPTIONS.get(colorSpace);
  return [
    ...(RANGE_OPTIONS.has(colorRange) ? ["-color_range", colorRange] : []),
    ...(matrix === undefined ? [] : ["-colorspace", matrix]),
    ...(PRIMARIES.has(colorPrimaries) ? ["-color_primaries", colorPrimaries] : []),
    ...(colorTransfer !== undefined && isHdr({ colorTransfer })
      ? ["-color_trc", colorTransfer]
      : []),
  ];
}

/**
 * FFmpeg's output options for copied packets that do not state their colours or fields themselves, so
 * that the container does.
 */
export function statedOptions(video: VideoStream): string[] {
  const { fieldOrder } = video;
  return [
    ...(isHdr(video) ? colorOptions(video) : []),
    ...(fieldOrder === undefined ? [] : ["-field_order", fieldOrder]),
  ];
}

/** The video stream; `undefined` if there is only audio. */
export function videoOf(streams: readonly StreamDescription[]): VideoStream | undefined {
  return streams.find((stream) => stream.type === "video");
}

/** The audio stream; `undefined` if there is only video. */
export function audioOf(streams: readonly StreamDescription[]): AudioStream | undefined {
  return streams.find((stream) => stream.type === "audio");
}

/** FFmpeg 5 calls FLAC in MP4 experimental. */
export const FLAC_IN_MP4 = ["-strict", "experimental"];

/** NUT has no packet durations; without one, the last FLAC packet would not be played. */
export const FLAC_DURATIONS = ["-bsf:a", "setts=duration=if(N\\,PTS-PREV_INPTS)"];

/**
 * Option in front of the input that keeps the rotation of copied packets, if this FFmpeg has one.
 * FFmpeg counts counterclockwise.
 */
export function rotationOption(
  { rotation }: Pick<VideoStream, "rotation"> = {},
  rotationBy: FfmpegDialect["rotationBy"] | undefined,
): string[] {
  const isUsed = rotation !== undefined && rotationBy === "option";
  return isUsed ? ["-display_rotation:v:0", `${360 - rotation}`] : [];
}

/** Tag of the output for the same, if this FFmpeg has no option for it. */
export function rotationTag(
  { rotation }: Pick<VideoStream, "rotation">,
  rotationBy: FfmpegDialect["rotationBy"] | undefined,
): string[] {
  const isUsed = rotation !== undefined && rotationBy === "tag";
  return isUsed ? ["-metadata:s:v:0", `rotate=${360 - rotation}`] : [];
}

/** Filters by clockwise rotation, degrees. */
const ROTATIONS = {
  90: ["transpose=clock"],
  180: ["hflip", "vflip"],
  270: ["transpose=cclock"],
} as const;

/** Tempo range in which one `atempo` drops no samples. */
const TEMPO = { min: 0.5, max: 2 };

/** Filters that apply the rotation of a stream, and turn Bayer patterns into RGB before. */
export function turnFilters(
  { rotation, pixelFormat }: Pick<VideoStream, "rotation" | "pixelFormat">,
): string[] {
  return [
    ...demosaicFilters(pixelFormat),
    ...(rotation === undefined ? [] : ROTATIONS[rotation]),
  ];
}

/** Options of {@linkcode shownFilters}. */
export interface ShownOptions {
  /** False to show a high dynamic range as it is. @default true */
  toneMap?: boolean;
  /** Size to which the pictures are scaled afterwards, pixels. @default their own */
  size?: WantedSize;
}

/** Filters that show a stream: progressive, in the usual dynamic range, and upright. */
export function shownFilters(
  video: VideoStream,
  { toneMap = true, size }: ShownOptions = {},
): string[] {
  return [
    ...deinterlaceFilters(video.fieldOrder, { isMarked: video.codec !== "rawvideo" }),
    ...(toneMap ? toneMapFilters(video, size) : []),
    ...turnFilters(video),
  ];
}

/** Describes a stream behind its {@linkcode turnFilters}. */
export function turned(video: VideoStream): VideoStream {
  const { rotation, width, height, sampleAspectRatio: ratio } = video;
  if (rotation === undefined) return video;
  const upright = { ...video, rotation: undefined };
  if (rotation === 180) return upright;
  const sampleAspectRatio = ratio === undefined ? undefined : [ratio[1], ratio[0]] as const;
  return { ...upright, width: height, height: width, sampleAspectRatio };
}

/**
 * Filters that drop video before a time.
 *
 * @param start seconds, in the timestamps that the filters see
 */
export function videoTrim(start: number): string[] {
  return [`trim=start=${start}`];
}

/**
 * Filters that drop audio before a time, exact to the sample.
 *
 * @param start seconds, in the timestamps that the filters see
 */
export function audioTrim(start: number): string[] {
  return [`atrim=start=${start}`];
}

/**
 * Filters that change the tempo of audio but not its pitch.
 *
 * @param speed above 0; 1 is unchanged
 */
export function tempoFilters(speed: number): string[] {
  const filters: string[] = [];
  let rest = speed;
  for (; rest > TEMPO.max; rest /= TEMPO.max) filters.push(`atempo=${TEMPO.max}`);
  for (; rest < TEMPO.min; rest /= TEMPO.min) filters.push(`atempo=${TEMPO.min}`);
  return rest === 1 ? filters : [...filters, `atempo=${Number(rest.toFixed(6))}`];
}

/** Types whose players mostly support only H.264 with 4:2:0 and even sizes. */
const H264_TYPES = new Set(
  ["mp4", "m4v", "mov", "3gp", "3g2", "flv", "ts", "m2ts", "f4v", "rtsp", "hls", "dash"],
);

/**
 * Converts to limited range. Behind `format` alone, FFmpeg 7.1 and later keep the full range, which
 * older versions convert and not all players support.
 */
const TO_LIMITED_RANGE = "scale=out_range=tv";

/** Pixel formats with chroma subsampling; H.264 refuses them in odd sizes. */
const SUBSAMPLED = /^(yuva?(410|411|420|422|440)p|nv|yuyv|uyvy|yvyu)/;

/** Pixel formats of YUV4MPEG2. */
const Y4M_FORMATS = [
  ...["yuv420p", "yuv422p", "yuv444p", "yuv411p", "gray"],
  ...["yuv420p10", "yuv422p10", "yuv444p10", "yuv420p12", "yuv422p12", "yuv444p12"],
  ...["gray10", "gray12", "gray16", "yuv420p16", "yuv422p16", "yuv444p16"],
];

/** Filters that make video fit a file type and its default encoder. */
export function fittingFilters(video: VideoStream, type: string): string[] {
  if (H264_TYPES.has(type)) return playableFilters(video);
  if (type === "mkv") return exactFilters(video);
  if (type === "y4m") return [`format=${Y4M_FORMATS.join("|")}`];
  // Browsers play VP9 with 4:2:0 only; alpha is allowed.
  const is420 = (video.pixelFormat ?? "").startsWith("yuv420p");
  return type === "webm" && !is420 ? [...limitedRange(video), "format=yuv420p|yuva420p"] : [];
}

/**
 * Keeps formats and sizes, except subsampled formats of odd sizes, which H.264 does not support.
 */
export function exactFilters(video: VideoStream): string[] {
  const { pixelFormat = "" } = video;
  if (!isOdd(video) || !SUBSAMPLED.test(pixelFormat)) return [];
  return [`format=${withoutSubsampling(pixelFormat)}`];
}

/** Keeps 4:2:0 formats with their depth; odd sizes grow by one row or column. */
function playableFilters(video: VideoStream): string[] {
  const { pixelFormat = "", width, height } = video;
  const is420 = pixelFormat.startsWith("yuv420p") || pixelFormat === "nv12";
  const playable = is420 ? pixelFormat : "yuv420p";
  if (isOdd(video)) {
    const [right, bottom] = [width % 2, height % 2];
    return [
      ...limitedRange(video),
      // Padding a subsampled format would lose the last row and column.
      `format=${withoutSubsampling(pixelFormat)}`,
      `pad=${width + right}:${height + bottom}`,
      `fillborders=right=${right}:bottom=${bottom}:mode=smear`,
      `format=${playable}`,
    ];
  }
  return is420 ? limitedRange(video) : [...limitedRange(video), `format=${playable}`];
}

function limitedRange({ codec, pixelFormat, colorRange }: VideoStream): string[] {
  // JPEGs have the full range, whichever of its formats they turn out to have.
  const isFull = colorRange === "pc" || (pixelFormat?.startsWith("yuvj") ?? codec === "mjpeg");
  return isFull ? [TO_LIMITED_RANGE] : [];
}

function isOdd({ width, height }: VideoStream): boolean {
  return width % 2 === 1 || height % 2 === 1;
}

/** The 4:4:4 format of the same depth. */
function withoutSubsampling(pixelFormat: string): string {
  const [, depth = ""] = pixelFormat.match(/^yuva?4\d\dp(\d+[lb]e)$/) ?? [];
  return `yuv444p${depth}`;
}
