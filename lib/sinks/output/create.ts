import { UsageError } from "../../base/errors.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import type { Sink } from "../sink.ts";
import { checkCodecs, checkFormat } from "./ffmpeg_names.ts";
import { FileSink } from "./file.ts";
import { checkImageSequence, ImageSequenceSink } from "./image_sequence.ts";
import { checkOutput } from "./overwrite.ts";
import { FormattedPipeSink, PipeSink } from "./pipe.ts";
import { checkPlaylist, PlaylistSink } from "./playlist.ts";
import { muxerOf, parseCodecChoice } from "./target.ts";
import { UrlSink } from "./url.ts";
import { isAddress, isUrlOutput, playlistPath, urlTarget } from "./url_target.ts";

/** Where to, and how, as the user says it. */
export interface Destination {
  /** A file, a pattern of files, an address, or `-` for standard output. */
  output: string;
  /** Replace what exists. */
  overwrite: boolean;
  /** FFmpeg's name of the format; by the output's name where absent. */
  format?: string;
  /** FFmpeg's encoders of pictures and sound, separated by a comma, one of them may be missing. */
  codec?: string;
  /** More arguments of FFmpeg's for its output. */
  ffmpeg: readonly string[];
  /** One picture is to be written. */
  still: boolean;
  /** It is a series of pictures, a file each. */
  imageSequence: boolean;
}

/** What outputs are made from, besides. */
export interface OutputContext {
  /** Standard output. */
  stdout: WritableStream<Uint8Array>;
  /** Ends FFmpeg at once. */
  forced: AbortSignal;
  /** The spelling of arguments that the installed FFmpeg needs. */
  dialect: () => Promise<FfmpegDialect>;
  /** Told now and then how many bytes a file has. */
  onSize?: (bytes: number) => void;
}

/** The viewer that writes to a destination. */
export function createOutput(
  destination: Destination,
  { stdout, forced, dialect, onSize }: OutputContext,
): Sink {
  const { output, overwrite, imageSequence, format, ffmpeg: more } = destination;
  const codec = codecOf(destination);
  const options = { overwrite, forced, dialect, format, codec, more };
  if (output === "-") {
    if (isPlain(destination)) return new PipeSink(stdout);
    return new FormattedPipeSink(stdout, { ...options, format: format ?? "nut" });
  }
  if (isAddress(output)) return new UrlSink(output, options);
  if (imageSequence) return new ImageSequenceSink(output, options);
  const playlist = playlistPath(output, format);
  if (playlist !== undefined) return new PlaylistSink(playlist, options);
  return new FileSink(output, { ...options, onSize });
}

/**
 * Finds out whether a destination may be written, before anything is asked of the server.
 *
 * @throws {Error} where it may not
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
 * Finds what contradicts itself in a destination.
 *
 * @throws {UsageError} where something does
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
      "Cannot use --format with a series of pictures: expected their type in the name, such as " +
        "shot%03d.png",
    );
  }
  const isMoving = isAddress(output)
    ? isUrlOutput(output)
    : playlistPath(output, format) !== undefined;
  const isPut = /^https?:/i.test(output);
  if (still && isMoving && !isPut) {
    throw new UsageError("Cannot feed a single picture: expected --video, or a file");
  }
}

/** Whether it takes an FFmpeg to write to a destination. */
export function needsFfmpeg(destination: Destination): boolean {
  return destination.output !== "-" || !isPlain(destination);
}

/** Whether an output takes media in real time, since somebody watches it there. */
export function isWatched({ output }: Pick<Destination, "output">): boolean {
  return isUrlOutput(output);
}

/** NUT as it comes, which needs no FFmpeg. */
function isPlain({ format, codec, ffmpeg }: Destination): boolean {
  const isNut = format === undefined || muxerOf(format) === "nut";
  return isNut && codec === undefined && ffmpeg.length === 0;
}

function codecOf({ codec }: Destination) {
  return codec === undefined ? undefined : parseCodecChoice(codec);
}
