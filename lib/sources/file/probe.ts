/** Finds out with ffprobe what a file is. */
import { deadline } from "../../base/async.ts";
import { messageOf, ProcessError, type ProcessFailure, RequestError } from "../../base/errors.ts";
import { readOutput } from "../../ffmpeg/process.ts";
import { type Confinement, outOfMemory, startConfined } from "../../ffmpeg/sandbox.ts";
import { INVALID_DATA, stderrReason } from "../../ffmpeg/stderr.ts";
import type { MediaTrack } from "../../media/frame.ts";
import {
  alphaDecoder,
  type AlphaDecoding,
  type AudioInfo,
  isCover,
  preferred,
  type ProbeOutput,
  type ProbeStream,
  toAudio,
  toExtent,
  toMediaTracks,
  toVideo,
  type VideoInfo,
} from "./ffprobe_streams.ts";
import {
  formatByName,
  inputArguments,
  mediaDuration,
  type NamedFormat,
  pixelLimit,
} from "./formats.ts";
import { countingArguments, emptiness, isStill } from "./listing/kind.ts";

/** A file as ffprobe describes it. */
export interface MediaInfo {
  kind: "image" | "video" | "audio";
  /** FFmpeg's names of the container format, separated by commas. */
  format: string;
  /** Seconds; absent for images, and if the file does not say. */
  duration?: number;
  video?: VideoInfo;
  audio?: AudioInfo;
  /** All audio streams that can be decoded, if there are several. */
  audioTracks?: readonly AudioInfo[];
  /** The streams of video, audio and subtitles in the order of the file; absent for images. */
  tracks?: readonly MediaTrack[];
  /** Number of further streams by FFmpeg's types; absent if there are none. */
  further?: Record<string, number>;
  /** The file states all of it and begins at 0, so that FFmpeg need not look at frames beforehand. */
  isStated?: true;
}

/** A file that is not served. */
export class FileError extends RequestError {
  /** Why, without the name: the predicate of a sentence about the file, or a reason. */
  readonly reason: string;

  constructor(
    name: string,
    reason: string,
    { action = "read", ...options }: ErrorOptions & { action?: "read" | "serve" } = {},
  ) {
    super("media_error", `Cannot ${action} "${name}": ${reason}`, options);
    this.reason = reason;
  }
}

/** A refusal that is not due to the file's data: the next attempt may succeed. */
export class PassingError extends FileError {}

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

/**
 * Codes of files that are wrong, or end too early: `AVERROR_INVALIDDATA` and `AVERROR_EOF`, which are
 * the letters "INDA" and "EOF " (libavutil/error.h), and `EIO`, also for the latter.
 */
const DAMAGE = [0x41444e49, 0x20464f45, INVALID_ARGUMENT, 5];

/** The reason if FFmpeg gives none. */
const UNKNOWN_DATA = "it is damaged, or of a format that this FFmpeg does not know";

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
  /** Ends it. */
  signal?: AbortSignal;
};

/**
 * Finds out what a file is.
 *
 * @throws {RequestError} `media_error` if it is no media, or of a format that is not served
 * @throws {PassingError} `media_error` if that could not be found out this time
 * @throws the reason of the signal
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
  const videos = streams.filter((stream) => stream.codec_type === "video" && !isCover(stream));
  const audios = streams.filter((stream) => stream.codec_type === "audio");
  const videoStream = preferred(videos, (stream) => ({
    size: (stream.width ?? 0) * (stream.height ?? 0),
    isDefault: stream.disposition?.default === 1,
  }));
  const audioStream = preferred(audios, (stream) => ({
    size: stream.channels ?? 0,
    isDefault: stream.disposition?.default === 1,
  }));
  const video = videoStream && toVideo(videoStream, videos.indexOf(videoStream));
  const audioTracks = audios.map(toAudio);
  const audio = audioStream && audioTracks[audios.indexOf(audioStream)];
  const claimed = video === undefined
    ? videoStream && stderr.match(TOO_LARGE)?.[1]
    : video.width * video.height > maxPixels && `${video.width}x${video.height}`;
  if (claimed) throw tooLarge(name, claimed, maxPixels);
  if (video === undefined && audio === undefined) {
    const reason = emptiness(videoStream?.codec_name);
    throw new FileError(name, reason, { action: "serve" });
  }
  const isImage = await isStill(format, async (args) => {
    if (streams.some(({ nb_read_packets: count }) => count !== undefined)) return streams;
    const named = { demuxer: formatName.split(",")[0] };
    return (await runFfprobe({ ...options, path, name, named, args })).output.streams;
  });
  const kind = video === undefined ? "audio" : isImage ? "image" : "video";
  const parts = [videoStream, audioStream].filter((stream) => stream !== undefined).map(toExtent);
  const duration = kind === "image"
    ? undefined
    : mediaDuration(formatName, toExtent(format), parts);
  const others = streams.filter((stream) => stream !== videoStream && stream !== audioStream);
  const further = others.length === 0 ? undefined : countTypes(others);
  const decoder = videoStream && alphaDecoder(videoStream);
  if (video !== undefined && decoder !== undefined) {
    const input = { ...options, path, name, format: formatName };
    video.alpha = await findAlpha(input, { decoder, number: video.number });
  }
  return {
    ...{ kind, format: formatName, duration, video, audio, further },
    audioTracks: audios.length > 1 ? audioTracks.filter((info) => info !== undefined) : undefined,
    tracks: kind === "image" ? undefined : toMediaTracks(streams),
  };
}

/** @throws {PassingError} if it is not the output of ffprobe */
function parseOutput(output: string, name: string): ProbeOutput {
  try {
    const parsed: unknown = JSON.parse(output);
    if (typeof parsed === "object" && parsed !== null) return parsed;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new PassingError(name, "ffprobe's output is not JSON");
}

function tooLarge(name: string, claimed: string, maxPixels: number): RequestError {
  const reason = `its pictures have ${claimed} pixels, expected at most ${maxPixels} in all`;
  return new FileError(name, reason, { action: "serve" });
}

function unserved(name: string, format: string): RequestError {
  const reason = `its format is ${format}, expected an image, a video or sound`;
  return new FileError(name, reason, { action: "serve" });
}

function countTypes(streams: readonly ProbeStream[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const stream of streams) {
    // Cover art is no video.
    const name = isCover(stream) ? "cover" : stream.codec_type ?? "unknown";
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
  const args = countingArguments(target.name);
  if (named === undefined) return await runFfprobe({ ...target, args });
  let guessed: ProbeResult | undefined;
  try {
    guessed = await runFfprobe({ ...target, args });
    if ((guessed.output.format?.probe_score ?? 0) > NAME_SCORE) return guessed;
  } catch (error) {
    if (!(error instanceof RequestError) || error instanceof PassingError) throw error;
  }
  try {
    return await (named.codec === undefined
      ? runFfprobe({ ...target, named, args })
      : decodeImage(target, named));
  } catch (error) {
    if (guessed === undefined || !(error instanceof RequestError)) throw error;
    return guessed;
  }
}

async function runFfprobe(
  { named, args = [], ...target }: ProbeTarget & { named?: NamedFormat; args?: readonly string[] },
): Promise<ProbeResult> {
  const { stdout, stderr } = await run("ffprobe", [
    ...["-v", "error", "-show_error", "-show_format", "-show_streams", "-of", "json", ...args],
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
  const input = inputArguments(target.path, { format: demuxer, video: { codec } });
  const [, pixelFormat, width, height] = await showFirst(target, input);
  const stream = {
    ...{ codec_type: "video", codec_name: codec, pix_fmt: pixelFormat, time_base: "1/25" },
    ...{ width: Number(width), height: Number(height) },
  };
  const streams = pixelFormat === undefined ? [] : [stream];
  return { output: { format: { format_name: demuxer }, streams }, stderr: "" };
}

/**
 * Tries a decoder that keeps transparency.
 *
 * @returns `undefined` if FFmpeg lacks it, or it gives none
 */
async function findAlpha(
  { format, ...target }: ProbeTarget & { format: string },
  { decoder, number = 0 }: { decoder: string; number?: number },
): Promise<AlphaDecoding | undefined> {
  const input = ["-c:v", decoder, ...inputArguments(target.path, { format })];
  try {
    const [, pixelFormat = ""] = await showFirst(target, [...input, "-map", `0:V:${number}`]);
    return pixelFormat.startsWith("yuva") ? { decoder, pixelFormat } : undefined;
  } catch (error) {
    if (error instanceof RequestError) return undefined;
    throw error;
  }
}

/** Decodes the first picture, and gives what {@linkcode SHOWINFO} finds of it. */
async function showFirst(target: ProbeTarget, input: readonly string[]): Promise<string[]> {
  const { stderr } = await run("ffmpeg", [
    ...["-nostdin", "-hide_banner", "-nostats", ...pixelLimit(target.maxPixels), ...input],
    ...["-vf", "showinfo=checksum=0", "-frames:v", "1", "-f", "null", "-"],
  ], target);
  return [...stderr.match(SHOWINFO) ?? []];
}

/** Runs one of FFmpeg's programs on a file and returns its output. */
async function run(
  program: "ffmpeg" | "ffprobe",
  args: readonly string[],
  { path, name, ...options }: ProbeTarget,
): Promise<{ stdout: string; stderr: string }> {
  const { timeout = PROBE_TIMEOUT, signal: ended } = options;
  const late = new AbortController();
  using _limit = deadline(timeout, () => late.abort());
  const signal = AbortSignal.any(ended === undefined ? [late.signal] : [late.signal, ended]);
  await using child = startConfined(program, args, { ...options, path, signal });
  const stdout = await readOutput(child, { signal, max: MAX_OUTPUT }) ?? "";
  try {
    return { stdout, stderr: await child.finished() };
  } catch (cause) {
    ended?.throwIfAborted();
    if (!(cause instanceof ProcessError)) throw cause;
    const { stderr } = cause.failure;
    const claimed = stderr.match(TOO_LARGE)?.[1];
    if (claimed !== undefined) throw tooLarge(name, claimed, options.maxPixels ?? Infinity);
    const refused = stderr.match(REFUSED)?.[1];
    if (refused !== undefined) throw unserved(name, refused);
    const tooMuch = outOfMemory(stderr, options.maxMemory);
    const code = errorCode(cause.failure, stdout);
    const reason = signal.aborted
      ? `FFmpeg found nothing in it within ${timeout / 1000} s`
      : tooMuch ?? dataReason(stderrReason(stderr, path), code) ?? messageOf(cause);
    const isAboutData = code > MAX_SYSTEM_ERROR || code === INVALID_ARGUMENT;
    const isLasting = !signal.aborted && (tooMuch !== undefined || isAboutData);
    const Refusal = isLasting ? FileError : PassingError;
    throw new Refusal(name, reason, { cause });
  }
}

/** The number that ffprobe reports for its failure; 0 if it reports none. */
function errorCode({ signal }: ProcessFailure, output: string): number {
  if (signal !== null) return 0;
  try {
    return -((JSON.parse(output) as ProbeOutput).error?.code ?? 0);
  } catch (error) {
    // It ended before it had written all of its output.
    if (error instanceof SyntaxError) return 0;
    throw error;
  }
}

/** @param said what FFmpeg says of a file that it cannot read */
function dataReason(said: string | undefined, code: number): string | undefined {
  if (said === INVALID_DATA) return UNKNOWN_DATA;
  return said !== undefined && DAMAGE.includes(code)
    ? `it is damaged, or not complete (${said})`
    : said;
}
