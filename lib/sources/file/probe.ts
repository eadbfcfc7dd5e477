import { deadline } from "../../base/async.ts";
import { messageOf, ProcessError, type ProcessFailure, RequestError } from "../../base/errors.ts";
import type { Process } from "../../ffmpeg/process.ts";
import { type Confinement, outOfMemory, startConfined } from "../../ffmpeg/sandbox.ts";
import { stderrReason } from "../../ffmpeg/stderr.ts";
import type { Rational } from "../../media/frame.ts";
import { type Extent, mediaDuration } from "./duration.ts";
import { formatByName, inputArguments, type NamedFormat, pixelLimit } from "./formats.ts";

/** What a file's video stream is. */
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
  /** Frames by which the order of decoding and that of showing differ; absent for none. */
  decodeDelay?: number;
}

/** What a file's sound is. */
export interface AudioInfo {
  codec: string;
  sampleRate: number;
  channels: number;
  /** FFmpeg's name of the form its decoder gives samples in, such as `fltp`. */
  sampleFormat: string;
}

/** What FFmpeg says of a file. */
export interface MediaInfo {
  kind: "image" | "video" | "audio";
  /** FFmpeg's names of the container format, separated by commas. */
  format: string;
  /** Seconds; absent for images, and where the file does not say. */
  duration?: number;
  video?: VideoInfo;
  audio?: AudioInfo;
  /** Streams besides these two, how many of each of FFmpeg's types; absent where there are none. */
  further?: Record<string, number>;
}

/** A refusal for no fault of the file's data: the next try may go well with the same file. */
export class PassingError extends RequestError {}

/** Milliseconds after which a file that still tells nothing counts as broken. */
const PROBE_DEADLINE = 20_000;

/** Bytes of what ffprobe says that are read; files with thousands of streams stay below. */
const MAX_OUTPUT = 16 * 2 ** 20;

/**
 * Codes of the operating system's errors are below this, FFmpeg's own, which are four letters, far
 * above (libavutil/error.h); both are told as negative numbers.
 */
const MAX_SYSTEM_ERROR = 4095;

/** `EINVAL`, the one of them that FFmpeg's demuxers give for data that makes no sense. */
const INVALID_ARGUMENT = 22;

/** What FFmpeg says of a picture that is larger than it may be. */
const TOO_LARGE = /Picture size (\d+x\d+) exceeds specified max pixel count/;

/** What FFmpeg says of a format that it is not to open: which one. */
const REFUSED = /^\[(\S+) @ (?:0x)?[0-9a-f]+\] Format not on whitelist/mi;

/**
 * The most, of 100, by which FFmpeg still goes by a name: what it gives a name's extension, and the
 * few bytes of the plainest pictures (libavformat/img2dec.c).
 */
const NAME_SCORE = 52;

/** What the filter `showinfo` says of a picture: its pixel format and size. */
const SHOWN = / fmt:(\w+) .*? s:(\d+)x(\d+) /;

/** What a file may be and take, and where it has to lie. */
export type ProbeOptions = Pick<Confinement, "folder" | "maxMemory"> & {
  /** Pixels of a picture; larger ones are not decoded to find out more. */
  maxPixels?: number;
  /** Milliseconds that it may take; 20 s unless told. */
  timeout?: number;
};

/**
 * Asks FFmpeg what a file is.
 *
 * @throws {RequestError} `media_error` where it is no media, or none that is served
 * @throws {PassingError} `media_error` where that could not be found out this time
 */
export async function probe(
  path: string,
  name: string,
  options: ProbeOptions = {},
): Promise<MediaInfo> {
  const { maxPixels = Infinity } = options;
  const { told, complaints } = await ask({ ...options, path, name });
  const { streams = [], format = {} } = told;
  const formatName = format.format_name ?? "";
  const picture = streams.find((stream) =>
    stream.codec_type === "video" && stream.disposition?.attached_pic !== 1
  );
  const sound = streams.find((stream) => stream.codec_type === "audio");
  const video = picture && toVideo(picture);
  const audio = sound && toAudio(sound);
  const claimed = video === undefined
    ? picture && complaints.match(TOO_LARGE)?.[1]
    : video.width * video.height > maxPixels && `${video.width}x${video.height}`;
  if (claimed) throw tooLarge(name, claimed, maxPixels);
  if (video === undefined && audio === undefined) {
    throw new RequestError("media_error", `Cannot serve "${name}": no picture and no sound in it`);
  }
  const kind = video === undefined ? "audio" : isStill(formatName) ? "image" : "video";
  const parts = [picture, sound].filter((stream) => stream !== undefined).map(toExtent);
  const duration = kind === "image"
    ? undefined
    : mediaDuration(formatName, toExtent(format), parts);
  const others = streams.filter((stream) => stream !== picture && stream !== sound);
  const further = others.length === 0 ? undefined : countTypes(others);
  return { kind, format: formatName, duration, video, audio, further };
}

/** @throws {PassingError} where it is not what ffprobe says */
function parseOutput(output: string, name: string): ProbeOutput {
  try {
    const parsed: unknown = JSON.parse(output);
    if (typeof parsed === "object" && parsed !== null) return parsed;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const reason = "ffprobe gave an answer that makes no sense";
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
    // Cover art is no stream of pictures.
    const name = disposition?.attached_pic === 1 ? "cover" : type;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** A file, and how it may be looked into. */
type Asked = ProbeOptions & { path: string; name: string };

/** What FFmpeg says of a file, and what it complains about besides. */
interface Told {
  told: ProbeOutput;
  complaints: string;
}

/** Goes by the content; where that tells little, as FFmpeg itself does, by the extension. */
async function ask(asked: Asked): Promise<Told> {
  const named = formatByName(asked.path);
  if (named === undefined) return await askFfprobe(asked);
  let guessed: Told | undefined;
  try {
    guessed = await askFfprobe(asked);
    if ((guessed.told.format?.probe_score ?? 0) > NAME_SCORE) return guessed;
  } catch (error) {
    if (!(error instanceof RequestError) || error instanceof PassingError) throw error;
  }
  try {
    return await (named.codec === undefined
      ? askFfprobe({ ...asked, named })
      : decodePicture(asked, named));
  } catch (error) {
    if (guessed === undefined || !(error instanceof RequestError)) throw error;
    return guessed;
  }
}

async function askFfprobe({ named, ...asked }: Asked & { named?: NamedFormat }): Promise<Told> {
  const { output, complaints } = await run("ffprobe", [
    ...["-v", "error", "-show_error", "-show_format", "-show_streams", "-of", "json"],
    ...pixelLimit(asked.maxPixels),
    ...inputArguments(asked.path, named && { format: named.demuxer }),
  ], asked);
  return { told: parseOutput(output, asked.name), complaints };
}

/** Of pictures whose decoder has to be named, ffprobe can tell nothing: they are decoded instead. */
async function decodePicture(asked: Asked, { demuxer, codec = "" }: NamedFormat): Promise<Told> {
  const { complaints } = await run("ffmpeg", [
    ...["-nostdin", "-hide_banner", "-nostats", ...pixelLimit(asked.maxPixels)],
    ...inputArguments(asked.path, { format: demuxer, video: { codec } }),
    ...["-vf", "showinfo=checksum=0", "-frames:v", "1", "-f", "null", "-"],
  ], asked);
  const [, pixelFormat, width, height] = complaints.match(SHOWN) ?? [];
  const picture = {
    ...{ codec_type: "video", codec_name: codec, pix_fmt: pixelFormat, time_base: "1/25" },
    ...{ width: Number(width), height: Number(height) },
  };
  const streams = pixelFormat === undefined ? [] : [picture];
  return { told: { format: { format_name: demuxer }, streams }, complaints: "" };
}

/** Has one of FFmpeg's programs look into a file, and gives what it wrote. */
async function run(
  program: "ffmpeg" | "ffprobe",
  args: readonly string[],
  { path, name, ...options }: Asked,
): Promise<{ output: string; complaints: string }> {
  const { timeout = PROBE_DEADLINE } = options;
  const late = new AbortController();
  using _limit = deadline(timeout, () => late.abort());
  const { signal } = late;
  await using child = startConfined(program, args, { ...options, path, signal });
  const output = await readOutput(child, signal);
  try {
    return { output, complaints: await child.finished() };
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
      (tooMuch !== undefined || isAboutData(cause.failure, output));
    const Refusal = isLasting ? RequestError : PassingError;
    throw new Refusal("media_error", `Cannot read "${name}": ${reason}`, { cause });
  }
}

/** Reads what ffprobe says, and ends it where that is too much. */
async function readOutput(child: Process, signal: AbortSignal): Promise<string> {
  const reader = child.stdout.getReader();
  // Whatever else may hold the other end of the pipe.
  const stop = () => void reader.cancel();
  signal.addEventListener("abort", stop);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  try {
    while (size <= MAX_OUTPUT) {
      const { value: chunk } = await reader.read();
      if (chunk === undefined) return await new Blob(chunks).text();
      chunks.push(chunk.slice());
      size += chunk.byteLength;
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
  child.kill();
  await reader.cancel();
  return "";
}

/** Whether ffprobe ended by itself because the file's data is bad, and said so. */
function isAboutData({ signal }: ProcessFailure, output: string): boolean {
  if (signal !== null) return false;
  try {
    const code = (JSON.parse(output) as ProbeOutput).error?.code ?? 0;
    return -code > MAX_SYSTEM_ERROR || -code === INVALID_ARGUMENT;
  } catch (error) {
    // It gave up before it wrote all of its answer.
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Demuxers of still images are named after the codec, `png_pipe`, or `image2`. */
function isStill(format: string): boolean {
  return format.endsWith("_pipe") || format === "image2" || format === "ico" ||
    format === "image2pipe";
}

/** The part of ffprobe's JSON that is looked at; every field may be missing. */
interface ProbeOutput {
  error?: { code?: number };
  format?: {
    format_name?: string;
    /** How sure FFmpeg is, of 100. */
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

/** FFmpeg tells the display matrix's angle counter-clockwise; the old tag counts clockwise. */
function toRotation(stream: ProbeStream): number {
  const matrix = stream.side_data_list?.find((data) => typeof data.rotation === "number");
  const clockwise = matrix ? -(matrix.rotation ?? 0) : Number(stream.tags?.rotate ?? 0);
  return Number.isFinite(clockwise) ? ((Math.round(clockwise / 90) * 90) % 360 + 360) % 360 : 0;
}

/** Reads `30000/1001`; `0/0` and the like, which stand for unknown, give `undefined`. */
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
