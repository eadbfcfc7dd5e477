/** FFmpeg's arguments for turning a library file into raw frames in NUT. Pure. */
import type { Rational } from "../core/frame.ts";
import type { MediaFile } from "./library.ts";
import { conversionFor } from "./pixel_format.ts";
import { type AudioInfo, inputArguments } from "./probe.ts";

/** What is wanted of a file. Absent fields leave it as it is. */
export interface RawOptions {
  /** Only the first picture. */
  still?: boolean;
  /** False to leave sound out. */
  audio?: boolean;
  /** FFmpeg's name of the pixel format. */
  pixelFormat?: string;
  /** Pixels; where only one of the two is given, the aspect is kept. */
  width?: number;
  /** Pixels. */
  height?: number;
  /** FFmpeg's name of the matrix by which colours are read, whatever the source states. */
  colorMatrix?: string;
  /** Seconds from the beginning. */
  start?: number;
  /** Seconds. */
  duration?: number;
}

/** Time base of stills, which have no time. */
const STILL_TIME_BASE: Rational = [1, 25];

/**
 * Demuxers of formats whose timestamps may jump. FFmpeg moves their timestamps by what it finds
 * in the streams that are in use, so that picture and sound read apart would both begin at zero;
 * each reader therefore also uses, and throws away, the packets of the other.
 */
const JUMPING_FORMATS = new Set(["mpegts", "mpeg", "ogg", "rm", "asf"]);

/**
 * How stills are converted, where they are. It takes more time than FFmpeg's own way, in which two
 * neighbours share a colour: a JPEG comes three times nearer to what other decoders make of it.
 */
const CAREFUL = "bicubic+accurate_rnd+full_chroma_int";

/** Arguments for all pictures of a file, each with the source's own timestamp. */
export function rawVideoArguments({ path, info }: MediaFile, options: RawOptions): string[] {
  const { video, kind } = info;
  const [numerator, denominator] = video === undefined || kind === "image"
    ? STILL_TIME_BASE
    : video.timeBase;
  const filter = scaleFilter(options);
  const pixelFormat = options.pixelFormat ?? (video && conversionFor(video.pixelFormat));
  const companion = options.still ? [] : companionArguments("a", info);
  return [
    ...(kind === "image" ? stillInput(path) : timedInput(path, options)),
    // The encoder only copies; with threads of its own it would hold a frame back for each.
    ...["-map", "0:V:0", "-c:v", "rawvideo", "-threads", "1"],
    ...(filter === undefined ? [] : ["-vf", filter]),
    ...(pixelFormat === undefined ? [] : ["-pix_fmt", pixelFormat]),
    ...(options.still ? ["-frames:v", "1", "-sws_flags", CAREFUL] : []),
    ...["-fps_mode", "passthrough", "-enc_time_base", `${numerator}/${denominator}`],
    ...["-f", "nut", "pipe:1"],
    ...companion,
  ];
}

/** Arguments for all sound of a file as PCM. */
export function rawAudioArguments({ path, info }: MediaFile, options: RawOptions): string[] {
  return [
    ...timedInput(path, options),
    ...["-map", "0:a:0", "-c:a", info.audio === undefined ? "pcm_s16le" : pcmCodec(info.audio)],
    ...["-f", "nut", "pipe:1"],
    ...companionArguments("V", info),
  ];
}

/** PCM that keeps every bit of integer samples; lossy codecs' floating point becomes 16 bits. */
export function pcmCodec({ sampleFormat }: AudioInfo): string {
  return sampleFormat.startsWith("s32") || sampleFormat.startsWith("s64")
    ? "pcm_s32le"
    : "pcm_s16le";
}

/** An image has no time, so no part of it can be chosen. */
function stillInput(path: string): string[] {
  return ["-nostdin", "-v", "error", "-threads", "1", ...inputArguments(path)];
}

function timedInput(path: string, { still, start = 0, duration }: RawOptions): string[] {
  return [
    ...["-nostdin", "-v", "error"],
    // Several threads decode several frames, which only keeps the first one waiting.
    ...(still && start === 0 ? ["-threads", "1"] : []),
    // Before the input, both are exact for pictures and samples, and count from its beginning.
    ...(start > 0 ? ["-ss", toDecimal(start)] : []),
    ...(duration === undefined ? [] : ["-t", toDecimal(duration)]),
    ...inputArguments(path),
  ];
}

/** Seconds as FFmpeg reads them, to the microsecond: it knows no exponents. */
function toDecimal(seconds: number): string {
  return seconds.toFixed(6);
}

function companionArguments(stream: "a" | "V", { video, audio, format }: MediaFile["info"]) {
  const both = video !== undefined && audio !== undefined;
  if (!both || !JUMPING_FORMATS.has(format)) return [];
  return ["-map", `0:${stream}:0`, "-c", "copy", "-f", "null", "-"];
}

function scaleFilter({ width, height, colorMatrix }: RawOptions): string | undefined {
  const size = width === undefined && height === undefined
    ? []
    : [`${width ?? -1}:${height ?? -1}`];
  const matrix = colorMatrix === undefined ? [] : [`in_color_matrix=${colorMatrix}`];
  const settings = [...size, ...matrix];
  return settings.length === 0 ? undefined : `scale=${settings.join(":")}`;
}
