/** FFmpeg's arguments for turning frames, as NUT on its standard input, into a file. Pure. */
import type { Description, StreamDescription, VideoStream } from "../core/frame.ts";
import { hidesBeginning, isForSound, whyNotPacket, whyNotPackets } from "./container_codecs.ts";
import type { RotationBy } from "./ffmpeg_options.ts";
import { pictureTrim, soundTrim, turned, turnFilters } from "./presentation_filters.ts";

/** Containers that keep each frame's own timestamp; others have a fixed frame rate. */
const KEEPS_TIMESTAMPS = new Set(
  ["mp4", "m4v", "mov", "3gp", "3g2", "mkv", "webm", "nut", "ts", "m2ts", "flv"],
);

/** Containers whose players mostly know H.264 with 4:2:0 sub-sampling and even sizes only. */
const WANTS_420 = new Set(["mp4", "m4v", "mov", "3gp", "3g2", "flv", "ts", "m2ts"]);

/** Pixel formats whose colours are coarser than the picture; in odd sizes H.264 refuses them. */
const SUB_SAMPLED = /^(yuva?(410|411|420|422|440)p|nv|yuyv|uyvy|yvyu)/;

/** Containers whose usual codec, MPEG-2 or H.263, knows a few frame rates or sizes only. */
const WANTS_H264 = new Set(["ts", "m2ts", "flv", "3gp", "3g2"]);

/** Containers whose usual codec for sound, AMR, most FFmpegs cannot write. */
const WANTS_AAC = new Set(["3gp", "3g2"]);

/** Containers in which everything begins at once and goes on without gaps. */
const WITHOUT_TIMESTAMPS = new Set(["avi"]);

/** FFmpeg's filter that puts silence where there is no sound, from the beginning on. */
const FROM_THE_BEGINNING = "aresample=async=1:first_pts=0";

/**
 * FFmpeg 5 calls it experimental, though players have known it for long; and the last packet, whose
 * length NUT does not tell, would have none, and so not be played.
 */
const FLAC_IN_MP4 = ["-strict", "experimental", "-bsf:a", "setts=duration=if(N\\,PTS-PREV_INPTS)"];

/** Containers for sound that FFmpeg would put pictures into all the same. */
const SOUND_ONLY = new Set(["m4a"]);

/** Still formats that lose detail unless asked not to. */
const LOSSY_STILLS = new Set(["jpg", "jpeg"]);

/** File types of one picture a file. */
const ONE_PICTURE = new Set([
  ...["png", "jpg", "jpeg", "bmp", "tif", "tiff", "tga", "ppm", "pgm", "pbm", "pam"],
  ...["jp2", "xbm", "xwd", "pcx", "sgi", "ras", "exr", "qoi", "jxl", "hdr"],
]);

/** Frames a second up to which GIF players keep the time; anything faster they play very slowly. */
const GIF_FASTEST = 50;

/** FFmpeg's option for a matrix is named unlike what it calls it itself. */
const MATRIX_OPTIONS = new Map([
  ["gbr", "rgb"],
  ...["bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "bt2020nc", "bt2020c", "ictcp"]
    .map((name): [string, string] => [name, name]),
]);

const RANGE_OPTIONS = new Set(["tv", "pc"]);

/** Whether files of this name hold one picture, and no video. */
export function holdsOnePicture(path: string): boolean {
  return ONE_PICTURE.has(extensionOf(path));
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

/** What {@linkcode encoderArguments} has to know besides the streams. */
export interface EncoderOptions {
  /** One picture is to be written. */
  still: boolean;
  /** The streams are not raw: their packets are stored as they are wherever the file takes them. */
  encoded?: boolean;
  /** Whole seconds by which the timestamps of the input are too late. */
  lead?: number;
  /**
   * Seconds from the beginning, 0 or less, at which the file begins instead; only for packets that
   * are stored as they are.
   */
  beginning?: number;
  /** How this FFmpeg is told of a rotation; only for packets that are stored as they are. */
  rotationBy?: RotationBy;
}

/**
 * FFmpeg's arguments that open standard input as the described streams. NUT does not carry the
 * colour range and matrix, so they are named here.
 *
 * @param lead seconds by which the timestamps of the input are too late: those from before the
 * beginning are negative again behind this
 */
export function nutInputArguments(
  streams: readonly StreamDescription[],
  { lead = 0 }: { lead?: number } = {},
): string[] {
  const { colorRange = "", colorSpace = "" } = pictureOf(streams) ?? {};
  const matrix = MATRIX_OPTIONS.get(colorSpace);
  return [
    ...(RANGE_OPTIONS.has(colorRange) ? ["-color_range", colorRange] : []),
    ...(matrix === undefined ? [] : ["-colorspace", matrix]),
    ...(lead === 0 ? [] : ["-copyts", "-itsoffset", `-${lead}`]),
    ...["-f", "nut", "-i", "pipe:0"],
  ];
}

/** The streams whose packets a file of this name holds as they are. */
export function keptStreams(
  streams: readonly StreamDescription[],
  path: string,
  { still, encoded = false }: Pick<EncoderOptions, "still" | "encoded">,
): StreamDescription[] {
  if (!encoded) return [];
  return streams.filter((stream) => whyEncodedAnew(stream, path, still) === undefined);
}

/** What a file of this name does not hold as it is sent, and why: a sentence each. */
export function recodingNotes(
  streams: readonly StreamDescription[],
  path: string,
  { still }: Pick<EncoderOptions, "still">,
): string[] {
  return streams.flatMap((stream) => {
    const why = whyEncodedAnew(stream, path, still);
    const isLeftOut = stream.type === "video" ? isForSound(extensionOf(path)) : still;
    if (why === undefined || isLeftOut) return [];
    const what = stream.type === "audio" ? "sound is" : still ? "the picture is" : "pictures are";
    return [`${what} encoded anew: ${why}`];
  });
}

function whyEncodedAnew(
  stream: StreamDescription,
  path: string,
  still: boolean,
): string | undefined {
  const extension = extensionOf(path);
  const alone = still && holdsOnePicture(path) && stream.type === "video";
  return alone ? whyNotPacket(extension, stream) : whyNotPackets(extension, stream);
}

/** Arguments for writing a file whose type is told by its extension. */
export function encoderArguments(
  { streams }: Pick<Description, "streams">,
  path: string,
  options: EncoderOptions,
): string[] {
  const { still, lead = 0, beginning = 0 } = options;
  const kept = keptStreams(streams, path, options);
  return [
    // Without -xerror, FFmpeg reports success though the last of a file did not fit on the disk.
    ...["-v", "error", "-xerror", "-y"],
    ...rotationOption(kept, options),
    ...nutInputArguments(streams, { lead: lead + beginning }),
    ...(still && holdsOnePicture(path) ? stillArguments(streams, extensionOf(path), kept) : [
      ...videoArguments(streams, extensionOf(path), { kept, ...options }),
      // Packets from before the beginning are there for decoding, and have to go along.
      ...(lead > 0 && kept.length > 0 ? ["-copypriorss", "1"] : []),
    ]),
    `file:${path}`,
  ];
}

/**
 * Arguments for writing a series of pictures, a file each, which appear whole.
 *
 * @param pattern where `%d` or the like stands for the number, which begins with 1
 */
export function seriesArguments(
  { streams }: Pick<Description, "streams">,
  pattern: string,
  options: Pick<EncoderOptions, "encoded" | "lead">,
): string[] {
  const { lead = 0 } = options;
  const kept = keptStreams(streams, pattern, { ...options, still: true });
  return [
    ...["-v", "error", "-xerror", "-y"],
    ...nutInputArguments(streams, { lead }),
    ...pictureArguments(streams, extensionOf(pattern), kept),
    ...["-fps_mode", "passthrough", "-f", "image2", "-atomic_writing", "1", `file:${pattern}`],
  ];
}

function stillArguments(
  streams: readonly StreamDescription[],
  extension: string,
  kept: readonly StreamDescription[],
): string[] {
  return ["-frames:v", "1", "-update", "1", ...pictureArguments(streams, extension, kept)];
}

/** How pictures become files of their own. */
function pictureArguments(
  streams: readonly StreamDescription[],
  extension: string,
  kept: readonly StreamDescription[],
): string[] {
  // Left to the name, FFmpeg would take writers for some types that change the packets.
  if (kept.length > 0) return ["-c:v", "copy", "-f", "image2"];
  const filters = turnFilters(pictureOf(streams) ?? {});
  return [
    ...(filters.length > 0 ? ["-vf", filters.join(",")] : []),
    ...(LOSSY_STILLS.has(extension) ? ["-q:v", "2"] : []),
  ];
}

/** Says of an input which way up it is shown; FFmpeg counts against the clock, in the tag too. */
function rotationOption(
  kept: readonly StreamDescription[],
  { still, rotationBy }: EncoderOptions,
): string[] {
  const { rotation } = pictureOf(kept) ?? {};
  if (still || rotation === undefined || rotationBy !== "option") return [];
  return ["-display_rotation:v:0", `${360 - rotation}`];
}

function videoArguments(
  streams: readonly StreamDescription[],
  extension: string,
  options: EncoderOptions & { kept: readonly StreamDescription[] },
): string[] {
  const picture = pictureOf(streams);
  const sound = soundArguments(streams, extension, options);
  if (picture === undefined) return sound;
  if (SOUND_ONLY.has(extension)) return ["-vn", ...sound];
  const { kept, lead = 0, rotationBy } = options;
  if (kept.includes(picture)) {
    const { rotation } = picture;
    const tagged = rotation !== undefined && rotationBy === "tag";
    const tag = tagged ? ["-metadata:s:v:0", `rotate=${360 - rotation}`] : [];
    return ["-c:v", "copy", ...tag, ...sound];
  }
  const filters = [
    ...(lead > 0 ? pictureTrim(0) : []),
    ...turnFilters(picture),
    ...filtersFor(turned(picture), extension),
  ];
  return [
    ...(WANTS_H264.has(extension) ? ["-c:v", "h264"] : []),
    ...sound,
    ...(filters.length > 0 ? ["-vf", filters.join(",")] : []),
    ...timingArguments(picture, extension),
  ];
}

function soundArguments(
  streams: readonly StreamDescription[],
  extension: string,
  { kept, lead = 0 }: EncoderOptions & { kept: readonly StreamDescription[] },
): string[] {
  const sound = streams.find((stream) => stream.type === "audio");
  if (sound !== undefined && kept.includes(sound)) {
    if (WITHOUT_TIMESTAMPS.has(extension) && sound.codec.startsWith("pcm_")) {
      return ["-c:a", sound.codec, "-af", FROM_THE_BEGINNING];
    }
    const isFlacInMp4 = sound.codec === "flac" && hidesBeginning(extension);
    return ["-c:a", "copy", ...(isFlacInMp4 ? FLAC_IN_MP4 : [])];
  }
  const filters = sound === undefined ? [] : [
    ...(lead > 0 ? soundTrim(0) : []),
    ...(WITHOUT_TIMESTAMPS.has(extension) ? [FROM_THE_BEGINNING] : []),
  ];
  return [
    ...(WANTS_AAC.has(extension) ? ["-c:a", "aac"] : []),
    ...(filters.length > 0 ? ["-af", filters.join(",")] : []),
  ];
}

function timingArguments({ timeBase, frameRate }: VideoStream, extension: string): string[] {
  if (KEEPS_TIMESTAMPS.has(extension)) {
    return ["-fps_mode", "passthrough", "-enc_time_base:v", timeBase.join("/")];
  }
  const isSlow = frameRate !== undefined && frameRate[0] / frameRate[1] <= GIF_FASTEST;
  if (extension !== "gif" || isSlow) return [];
  return ["-fps_mode", "vfr", "-enc_time_base:v", `1/${GIF_FASTEST}`];
}

function filtersFor(picture: VideoStream, extension: string): string[] {
  if (WANTS_420.has(extension)) return playableFilters(picture);
  if (extension === "mkv") return exactFilters(picture);
  // Browsers know VP9 with 4:2:0 only; there may be alpha beside it.
  const is420 = (picture.pixelFormat ?? "").startsWith("yuv420p");
  return extension === "webm" && !is420 ? ["format=yuv420p|yuva420p"] : [];
}

/** 4:2:0 formats stay as they are, with all their bits; sizes grow to even by one row or column. */
function playableFilters(picture: VideoStream): string[] {
  const { pixelFormat = "", width, height } = picture;
  const is420 = pixelFormat.startsWith("yuv420p") || pixelFormat === "nv12";
  const playable = is420 ? pixelFormat : "yuv420p";
  if (isOdd(picture)) {
    const [right, bottom] = [width % 2, height % 2];
    return [
      // In sub-sampled formats, padding would lose the last row and column.
      `format=${notSubSampled(pixelFormat)}`,
      `pad=${width + right}:${height + bottom}`,
      `fillborders=right=${right}:bottom=${bottom}:mode=smear`,
      `format=${playable}`,
    ];
  }
  return is420 ? [] : [`format=${playable}`];
}

/** Formats and sizes stay as they are, but for those together that H.264 cannot have. */
function exactFilters(picture: VideoStream): string[] {
  const { pixelFormat = "" } = picture;
  if (!isOdd(picture) || !SUB_SAMPLED.test(pixelFormat)) return [];
  return [`format=${notSubSampled(pixelFormat)}`];
}

function isOdd({ width, height }: VideoStream): boolean {
  return width % 2 === 1 || height % 2 === 1;
}

/** The format of the same depth whose colours are as fine as the picture. */
function notSubSampled(pixelFormat: string): string {
  const [, depth = ""] = pixelFormat.match(/^yuva?4\d\dp(\d+[lb]e)$/) ?? [];
  return `yuv444p${depth}`;
}

function pictureOf(streams: readonly StreamDescription[]): VideoStream | undefined {
  return streams.find((stream) => stream.type === "video");
}
