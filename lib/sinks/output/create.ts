/** Chooses the sink of an output: file, image sequence, playlist, URL or pipe. */
import { UsageError } from "../../base/errors.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import { messagesPath, RecordingWithMessages } from "../data/recording.ts";
import { type Presentation, type Sink, summaryOf } from "../sink.ts";
import { SuccessiveSink } from "../successive_sink.ts";
import { checkCodecs, checkFormat } from "./ffmpeg_names.ts";
import { FileSink } from "./file.ts";
import { checkImageSequence, ImageSequenceSink } from "./image_sequence.ts";
import { checkOutput, furtherName, statOf } from "./overwrite.ts";
import { FormattedPipeSink, PipeSink } from "./pipe.ts";
import { checkPlaylist, PlaylistSink } from "./playlist.ts";
import { SubtitleFile, subtitleForm } from "./subtitle_file.ts";
import { muxerOf, parseCodecChoice } from "./target.ts";
import { UrlSink } from "./url.ts";
import { isAddress, isUrlOutput, playlistPath, urlTarget } from "./url_target.ts";

/** Output as the user names it. */
export interface Destination {
  /** Path of a file, pattern of an image sequence, URL, or `-` for standard output. */
  output: string;
  overwrite: boolean;
  /** FFmpeg's name of the format, if not that of the extension. */
  format?: string;
  /** FFmpeg's encoders, `VIDEO`, `VIDEO,AUDIO` or `,AUDIO`. */
  codec?: string;
  /** Additional output arguments for FFmpeg. */
  ffmpeg: readonly string[];
  still: boolean;
  /** An image sequence is written, one file for each picture. */
  imageSequence: boolean;
  /** Messages of data streams are written into a file beside a recording. */
  messages?: boolean;
}

/** Environment of {@linkcode createOutput}. */
export interface OutputContext {
  stdout: WritableStream<Uint8Array>;
  forced: AbortSignal;
  dialect: () => Promise<FfmpegDialect>;
  /** Called now and then with the size of the file, bytes. */
  onSize?: (bytes: number) => void;
  /** Shows a line to the user. */
  notify?: (line: string) => void;
}

/** Creates the sink for a destination. */
export function createOutput(
  destination: Destination,
  { stdout, forced, dialect, onSize, notify }: OutputContext,
): Sink {
  const { output, overwrite, imageSequence, format, still, ffmpeg: more } = destination;
  const codec = codecOf(destination);
  const options = { overwrite, forced, dialect, format, codec, more };
  if (output === "-") {
    if (isPlain(destination)) return new PipeSink(stdout);
    return new FormattedPipeSink(stdout, { ...options, format: format ?? "nut" });
  }
  if (isAddress(output)) return new UrlSink(output, options);
  const form = subtitleForm(output, format);
  if (form !== undefined) return new SubtitleFile(output, form, { overwrite });
  if (imageSequence) return new ImageSequenceSink(output, options);
  const playlist = playlistPath(output, format);
  const path = playlist ?? output;
  const create = (part: number): Sink => {
    const name = furtherName(path, part);
    const sink = playlist === undefined
      ? new FileSink(name, { ...options, onSize })
      : new PlaylistSink(name, options);
    return destination.messages ? new RecordingWithMessages(sink, name, { overwrite }) : sink;
  };
  if (still) return create(1);
  return new SuccessiveSink({
    create,
    isRecording: true,
    onNext: async (part, presentation) => {
      const free = await freePart(path, part, destination);
      await goOn(path, { part: free, presentation, notify });
      return free;
    },
  });
}

/** The next number of a further file under which nothing lies that must be kept. */
async function freePart(
  path: string,
  part: number,
  { overwrite, messages }: Pick<Destination, "overwrite" | "messages">,
): Promise<number> {
  if (part === 1) return part;
  const name = furtherName(path, part);
  for (const each of messages ? [name, messagesPath(name)] : [name]) {
    const info = await statOf(each);
    const isKept = info !== undefined && !(overwrite && info.isFile);
    if (isKept) return await freePart(path, part + 1, { overwrite, messages });
  }
  return part;
}

/**
 * Notifies the user of the next file of a recording.
 *
 * @throws {Error} if there can be none
 */
async function goOn(
  path: string,
  { part, presentation, notify }: {
    part: number;
    presentation: Presentation;
    notify?: (line: string) => void;
  },
): Promise<void> {
  const summary = summaryOf(presentation);
  if ((await statOf(path))?.isFifo) {
    throw new Error(
      `Cannot go on writing to "${path}": the source is ${summary} now, and a pipe takes one ` +
        "recording",
    );
  }
  if (part > 1) notify?.(`Goes on in "${furtherName(path, part)}": the source is ${summary} now`);
}

/** Whether an output is a recording, beside which messages can be written. */
export function takesMessages(destination: Destination): boolean {
  const { output, imageSequence, still } = destination;
  const isPlace = output === "-" || isAddress(output) || isSubtitleFile(destination);
  return !isPlace && !imageSequence && !still;
}

/** Whether an output is a file of nothing but subtitles. */
export function isSubtitleFile(
  { output, format }: Pick<Destination, "output" | "format">,
): boolean {
  return output !== "-" && !isAddress(output) && subtitleForm(output, format) !== undefined;
}

/**
 * Checks that a destination can be written, before the server is asked for anything.
 *
 * @throws {Error} if it cannot
 */
export async function checkDestination(destination: Destination): Promise<void> {
  const { output, overwrite, imageSequence, still, format } = destination;
  if (format !== undefined) await checkFormat(format);
  const codec = codecOf(destination);
  if (codec !== undefined) await checkCodecs(codec);
  if (output === "-" || isAddress(output)) return;
  const playlist = playlistPath(output, format);
  if (imageSequence) await checkImageSequence(output, { overwrite });
  else if (playlist !== undefined) await checkPlaylist(playlist, { overwrite });
  else await checkOutput(output, { overwrite, still, format });
}

/**
 * Checks that the options of a destination fit together.
 *
 * @throws {UsageError} if they do not
 */
export function checkWording(destination: Destination): void {
  const { output, format, codec, still, imageSequence } = destination;
  if (codec !== undefined) parseCodecChoice(codec);
  if (output === "-" && format === undefined && !isPlain(destination)) {
    throw new UsageError(
      `Cannot use ${
        codec === undefined ? "--" : "--codec"
      } with --output - alone, which hands NUT ` +
        "on as it is: expected --format as well, such as --format matroska",
    );
  }
  if (isAddress(output)) urlTarget(output, format);
  if (imageSequence && format !== undefined && output !== "-") {
    throw new UsageError(
      "Cannot use --format with an image sequence: expected its type in the name, such as " +
        "shot%03d.png",
    );
  }
  const isMoving = isAddress(output)
    ? isUrlOutput(output)
    : playlistPath(output, format) !== undefined;
  const isPut = /^https?:/i.test(output);
  if (still && isMoving && !isPut) {
    throw new UsageError("Cannot stream a single image: expected --video, or a file");
  }
}

/** Whether writing to a destination needs FFmpeg. */
export function needsFfmpeg(destination: Destination): boolean {
  if (isSubtitleFile(destination)) return false;
  return destination.output !== "-" || !isPlain(destination);
}

/** Whether an output is watched live, and so needs media in real time. */
export function isWatched({ output }: Pick<Destination, "output">): boolean {
  return isUrlOutput(output);
}

/** Whether NUT is passed on unchanged, which needs no FFmpeg. */
function isPlain({ format, codec, ffmpeg }: Destination): boolean {
  const isNut = format === undefined || muxerOf(format) === "nut";
  return isNut && codec === undefined && ffmpeg.length === 0;
}

function codecOf({ codec }: Destination) {
  return codec === undefined ? undefined : parseCodecChoice(codec);
}
