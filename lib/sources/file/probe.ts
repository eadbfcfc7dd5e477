/** Finds out with ffprobe what a file is. */
import { deadline, onAbort } from "../../base/async.ts";
import { messageOf, ProcessError, type ProcessFailure, RequestError } from "../../base/errors.ts";
import type { Process } from "../../ffmpeg/process.ts";
import { type Confinement, outOfMemory, startConfined } from "../../ffmpeg/sandbox.ts";
import { stderrReason } from "../../ffmpeg/stderr.ts";
import type { Rational } from "../../media/frame.ts";
import {
  type Extent,
  formatByName,
  inputArguments,
  mediaDuration,
  type NamedFormat,
  pixelLimit,
} from "./formats.ts";

/** A file's video stream. */
export interface VideoInfo {
  codec: string;
  /** Pixels, as shown: rotation applied. */
  width: number;
  /** Pixels, as shown: rotation applied. */
  height: number;
  pixelFormat: string;
  /** Seconds a tick of the container's timestamps. */
  timeBase: Rational;
  /** Frames a second, as the container states it. */
  frameRate?: Rational;
  /** Degrees clockwise that the container asks for: 0, 90, 180 or 270. */
  rotation: number;
  colorRange?: string;
  colorSpace?: string;
  /** Frames by which decode order and presentation order differ; absent for none. */
  decodeDelay?: number;
}

/** A file's audio stream. */
export interface AudioInfo {
  codec: string;
  sampleRate: number;
  channels: number;
  /** FFmpeg's name of the decoder's sample format, such as `fltp`. */
  sampleFormat: string;
}

/** A file as ffprobe describes it. */
export interface MediaInfo {
  kind: "image" | "video" | "audio";
  /** FFmpeg's names of the container format, separated by commas. */
  format: string;
  /** Seconds; absent for images, and if the file does not say. */
  duration?: number;
  video?: VideoInfo;
  audio?: AudioInfo;
  /** Number of further streams by FFmpeg's types; absent if there are none. */
  further?: Record<string, number>;
}

/** A refusal that is not due to the file's data: the next attempt may succeed. */
export class PassingError extends RequestError {}

/** Milliseconds that ffprobe may take; then it is killed, and the next request tries again. */
const PROBE_TIMEOUT = 20_000;

/** Largest output of ffprobe in bytes; files with thousands of streams stay below. */
const MAX_OUTPUT = 16 * 2 ** 20;

/**
 * Largest error code of the operating system. FFmpeg's own codes, which are four letters, are far
 * above (libavutil/error.h). Both are reported as negative numbers.
 */
const MAX_SYSTEM_ERROR = 4095;

/** `EINVAL`, the one of them that FFmpeg's demuxers return for invalid data. */
const INVALID_ARGUMENT = 22;

/** FFmpeg's message about a frame that exceeds `-max_pixels`. */
const TOO_LARGE = /Picture size (\d+x\d+) exceeds specified max pixel count/;

/** FFmpeg's message about a format that is not on the whitelist. */
const REFUSED = /^\[(\S+) @ (?:0x)?[0-9a-f]+\] Format not on whitelist/mi;

/**
 * Highest probe score, of 100, of a file that FFmpeg recognises by the extension or by the few bytes of
 * the simplest image formats (libavformat/img2dec.c).
 */
const NAME_SCORE = 52;

/** Pixel format and size in the output of the filter `showinfo`. */
const SHOWINFO = / fmt:(\w+) .*? s:(\d+)x(\d+) /;

/** Options of {@linkcode probe}. */
export type ProbeOptions = Pick<Confinement, "folder" | "maxMemory"> & {
  /** Largest number of pixels; larger frames are not decoded. */
  maxPixels?: number;
  /** @default 20_000 milliseconds */
  timeout?: number;
};

/**
 * Finds out what a file is.
 *
 * @throws {RequestError} `media_error` if it is no media, or of a format that is not served
 * @throws {PassingError} `media_error` if that could not be found out this time
 */
export async function probe(
  path: string,
  name: string,
  options: ProbeOptions = {},
): Promise<MediaInfo> {
  const { maxPixels = Infinity } = options;
  const { output, stderr } = await identify({ ...options, path, name });
  const { streams = [], format = {} } = output;
  const formatName = format.format_name ?? "";
  const videoStream = streams.find((stream) =>
    stream.codec_type === "video" && stream.disposition?.attached_pic !== 1
  );
  const audioStream = streams.find((stream) => stream.codec_type === "audio");
  const video = videoStream && toVideo(videoStream);
  const audio = audioStream && toAudio(audioStream);
  const claimed = video === undefined
    ? videoStream && stderr.match(TOO_LARGE)?.[1]
    : video.width * video.height > maxPixels && `${video.width}x${video.height}`;
  if (claimed) throw tooLarge(name, claimed, maxPixels);
  if (video === undefined && audio === undefined) {
    throw new RequestError("media_error", `Cannot serve "${name}": no picture and no sound in it`);
  }
  const kind = video === undefined ? "audio" : isStill(formatName) ? "image" : "video";
  const parts = [videoStream, audioStream].filter((stream) => stream !== undefined).map(toExtent);
  const duration = kind === "image"
    ? undefined
    : mediaDuration(formatName, toExtent(format), parts);
  const others = streams.filter((stream) => stream !== videoStream && stream !== audioStream);
  const further = others.length === 0 ? undefined : countTypes(others);
  return { kind, format: formatName, duration, video, audio, further };
}

/** @throws {PassingError} if it is not the output of ffprobe */
function parseOutput(output: string, name: string): ProbeOutput {
  try {
    const parsed: unknown = JSON.parse(output);
    if (typeof parsed === "object" && parsed !== null) return parsed;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const reason = "ffprobe's output is not JSON";
  throw new PassingError("media_error", `Cannot read "${name}": ${reason}`);
}

function tooLarge(name: string, claimed: string, maxPixels: number): RequestError {
  return new RequestError(
    "media_error",
    `Cannot serve "${name}": its pictures have ${claimed} pixels, expected at most ${maxPixels} ` +
      "in all",
  );
}

function unserved(name: string, format: string): RequestError {
  return new RequestError(
    "media_error",
    `Cannot serve "${name}": its format is ${format}, expected an image, a video or sound`,
  );
}

function countTypes(streams: readonly ProbeStream[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { codec_type: type = "unknown", disposition } of streams) {
    // Cover art is no video.
    const name = disposition?.attached_pic === 1 ? "cover" : type;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

type ProbeTarget = ProbeOptions & { path: string; name: string };

interface ProbeResult {
  output: ProbeOutput;
  stderr: string;
}

/** Identifies a file by its content; if that says little, by the extension, as FFmpeg does. */
async function identify(target: ProbeTarget): Promise<ProbeResult> {
  const named = formatByName(target.path);
  if (named === undefined) return await runFfprobe(target);
  let guessed: ProbeResult | undefined;
  try {
    guessed = await runFfprobe(target);
    if ((guessed.output.format?.probe_score ?? 0) > NAME_SCORE) return guessed;
  } catch (error) {
    if (!(error instanceof RequestError) || error instanceof PassingError) throw error;
  }
  try {
    return await (named.codec === undefined
      ? runFfprobe({ ...target, named })
      : decodeImage(target, named));
  } catch (error) {
    if (guessed === undefined || !(error instanceof RequestError)) throw error;
    return guessed;
  }
}

async function runFfprobe(
  { named, ...target }: ProbeTarget & { named?: NamedFormat },
): Promise<ProbeResult> {
  const { stdout, stderr } = await run("ffprobe", [
    ...["-v", "error", "-show_error", "-show_format", "-show_streams", "-of", "json"],
    ...pixelLimit(target.maxPixels),
    ...inputArguments(target.path, named && { format: named.demuxer }),
  ], target);
  return { output: parseOutput(stdout, target.name), stderr };
}

/** Decodes an image whose decoder has to be named: ffprobe cannot identify it. */
async function decodeImage(
  target: ProbeTarget,
  { demuxer, codec = "" }: NamedFormat,
): Promise<ProbeResult> {
  const { stderr } = await run("ffmpeg", [
    ...["-nostdin", "-hide_banner", "-nostats", ...pixelLimit(target.maxPixels)],
    ...inputArguments(target.path, { format: demuxer, video: { codec } }),
    ...["-vf", "showinfo=checksum=0", "-frames:v", "1", "-f", "null", "-"],
  ], target);
  const [, pixelFormat, width, height] = stderr.match(SHOWINFO) ?? [];
  const stream = {
    ...{ codec_type: "video", codec_name: codec, pix_fmt: pixelFormat, time_base: "1/25" },
    ...{ width: Number(width), height: Number(height) },
  };
  const streams = pixelFormat === undefined ? [] : [stream];
  return { output: { format: { format_name: demuxer }, streams }, stderr: "" };
}

/** Runs one of FFmpeg's programs on a file and returns its output. */
async function run(
  program: "ffmpeg" | "ffprobe",
  args: readonly string[],
  { path, name, ...options }: ProbeTarget,
): Promise<{ stdout: string; stderr: string }> {
  const { timeout = PROBE_TIMEOUT } = options;
  const late = new AbortController();
  using _limit = deadline(timeout, () => late.abort());
  const { signal } = late;
  await using child = startConfined(program, args, { ...options, path, signal });
  const stdout = await readOutput(child, signal);
  try {
    return { stdout, stderr: await child.finished() };
  } catch (cause) {
    if (!(cause instanceof ProcessError)) throw cause;
    const { stderr } = cause.failure;
    const claimed = stderr.match(TOO_LARGE)?.[1];
    if (claimed !== undefined) throw tooLarge(name, claimed, options.maxPixels ?? Infinity);
    const refused = stderr.match(REFUSED)?.[1];
    if (refused !== undefined) throw unserved(name, refused);
    const tooMuch = outOfMemory(stderr, options.maxMemory);
    const reason = signal.aborted
      ? `FFmpeg found nothing in it within ${timeout / 1000} s`
      : tooMuch ?? stderrReason(stderr, path) ?? messageOf(cause);
    const isLasting = !signal.aborted &&
      (tooMuch !== undefined || isAboutData(cause.failure, stdout));
    const Refusal = isLasting ? RequestError : PassingError;
    throw new Refusal("media_error", `Cannot read "${name}": ${reason}`, { cause });
  }
}

/** Reads the output of a program, which is killed if that is too large. */
async function readOutput(child: Process, signal: AbortSignal): Promise<string> {
  const reader = child.stdout.getReader();
  // Some other process may hold the pipe open.
  using _listener = onAbort(signal, () => void reader.cancel());
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  while (size <= MAX_OUTPUT) {
    const { value: chunk } = await reader.read();
    if (chunk === undefined) return await new Blob(chunks).text();
    chunks.push(chunk.slice());
    size += chunk.byteLength;
  }
  child.kill();
  await reader.cancel();
  return "";
}

/** Whether ffprobe reported that the file's data is bad. */
function isAboutData({ signal }: ProcessFailure, output: string): boolean {
  if (signal !== null) return false;
  try {
    const code = (JSON.parse(output) as ProbeOutput).error?.code ?? 0;
    return -code > MAX_SYSTEM_ERROR || -code === INVALID_ARGUMENT;
  } catch (error) {
    // It ended before it had written all of its output.
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Demuxers of still images are named after the codec, `png_pipe`, or `image2`. */
function isStill(format: string): boolean {
  return format.endsWith("_pipe") || format === "image2" || format === "ico" ||
    format === "image2pipe";
}

/** The part of ffprobe's JSON that is used; every field may be missing. */
interface ProbeOutput {
  error?: { code?: number };
  format?: {
    format_name?: string;
    /** FFmpeg's certainty, of 100. */
    probe_score?: number;
    start_time?: string;
    duration?: string;
  };
  streams?: ProbeStream[];
}

interface ProbeStream {
  codec_type?: string;
  codec_name?: string;
  width?: number;
  height?: number;
  pix_fmt?: string;
  time_base?: string;
  start_time?: string;
  duration?: string;
  avg_frame_rate?: string;
  r_frame_rate?: string;
  color_range?: string;
  color_space?: string;
  has_b_frames?: number;
  sample_rate?: string;
  channels?: number;
  sample_fmt?: string;
  disposition?: { attached_pic?: number };
  tags?: { rotate?: string };
  side_data_list?: { rotation?: number }[];
}

function toVideo(stream: ProbeStream): VideoInfo | undefined {
  const { width, height, pix_fmt: pixelFormat } = stream;
  const timeBase = toRational(stream.time_base);
  if (!width || !height || pixelFormat === undefined || timeBase === undefined) return undefined;
  const rotation = toRotation(stream);
  const turned = rotation === 90 || rotation === 270;
  return {
    codec: stream.codec_name ?? "unknown",
    width: turned ? height : width,
    height: turned ? width : height,
    pixelFormat,
    timeBase,
    frameRate: toRational(stream.avg_frame_rate) ?? toRational(stream.r_frame_rate),
    rotation,
    colorRange: stream.color_range,
    colorSpace: stream.color_space,
    decodeDelay: stream.has_b_frames || undefined,
  };
}

function toAudio(stream: ProbeStream): AudioInfo | undefined {
  const sampleRate = toPositive(stream.sample_rate);
  if (sampleRate === undefined || !stream.channels) return undefined;
  return {
    codec: stream.codec_name ?? "unknown",
    sampleRate,
    channels: stream.channels,
    sampleFormat: stream.sample_fmt ?? "s16",
  };
}

/** The angle of the display matrix is counter-clockwise, that of the old tag clockwise. */
function toRotation(stream: ProbeStream): number {
  const matrix = stream.side_data_list?.find((data) => typeof data.rotation === "number");
  const clockwise = matrix ? -(matrix.rotation ?? 0) : Number(stream.tags?.rotate ?? 0);
  return Number.isFinite(clockwise) ? ((Math.round(clockwise / 90) * 90) % 360 + 360) % 360 : 0;
}

/** Reads `30000/1001`; `undefined` for `0/0` and the like, which mean unknown. */
function toRational(text: string | undefined): Rational | undefined {
  const [numerator, denominator] = (text ?? "").split("/").map(Number);
  return numerator > 0 && denominator > 0 ? [numerator, denominator] : undefined;
}

function toExtent(
  { start_time: text, duration }: { start_time?: string; duration?: string },
): Extent {
  const start = Number(text);
  return { start: Number.isFinite(start) ? start : undefined, duration: toPositive(duration) };
}

function toPositive(text: string | undefined): number | undefined {
  const value = Number(text);
  return value > 0 && Number.isFinite(value) ? value : undefined;
}
