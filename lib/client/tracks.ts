/** The flags that choose tracks. */
import { UsageError } from "../base/errors.ts";
import { LANGUAGE, MAX_TRACK, type MediaRequest } from "../protocol/native/request.ts";
import { isSubtitleFile } from "../sinks/output/create.ts";
import type { ClientFlags } from "./flags.ts";

/** @throws {UsageError} for flags of tracks that contradict others */
export function checkTracks(flags: ClientFlags): void {
  const { data, subtitles, loop, output, format } = flags;
  if (flags["no-audio"] && flags["audio-track"] !== undefined) {
    throw new UsageError("Cannot use --audio-track with --no-audio: it says which audio is sent");
  }
  if (data !== undefined && subtitles !== undefined) {
    throw new UsageError(
      "Cannot use --subtitles with --data: they are no messages, expected --output FILE.srt",
    );
  }
  const isPage = flags.view === "browser" || flags.http !== undefined;
  if (subtitles !== undefined && isPage && output === undefined) {
    throw new UsageError(
      "Cannot use --subtitles with --view browser: the page has a choice of them",
    );
  }
  if (loop && output !== undefined && isSubtitleFile({ output, format })) {
    throw new UsageError(`Cannot write "${output}" with --loop: it would have no end`);
  }
}

/**
 * Maps the flags to the fields of a request. A file of subtitles is about subtitles, whatever the flags.
 *
 * @throws {UsageError} for what is neither a number nor a language
 */
export function toTracks(flags: ClientFlags): Pick<MediaRequest, "audioTrack" | "subtitles"> {
  const { subtitles, output, format } = flags;
  const audioTrack = toTrack(flags["audio-track"], "audio-track");
  if (subtitles) return { audioTrack, subtitles: toTrack(subtitles, "subtitles") };
  const isFile = output !== undefined && isSubtitleFile({ output, format });
  return { audioTrack, subtitles: subtitles !== undefined || isFile ? true : undefined };
}

function toTrack(text: string | undefined, flag: string): number | string | undefined {
  if (text === undefined || LANGUAGE.test(text)) return text;
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= MAX_TRACK) return number;
  throw new UsageError(
    `Cannot use --${flag} "${text}": expected a number from 1 on, or a language such as deu`,
  );
}
