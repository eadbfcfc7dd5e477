/** Chooses among the streams of a file. */
import { RequestError } from "../../../base/errors.ts";
import type { MediaTrack } from "../../../media/frame.ts";
import type { MediaInfo } from "../probe.ts";

/** A track by its number among those of its type, from 1 on, or by its language, by ISO 639-2. */
export type TrackChoice = number | string;

/**
 * Finds the track that is asked for.
 *
 * @returns its number among those of its type, from 0 on; `undefined` if there is none
 */
export function findTrack(tracks: readonly MediaTrack[], wanted: TrackChoice): number | undefined {
  if (typeof wanted === "number") return wanted <= tracks.length ? wanted - 1 : undefined;
  const spoken = tracks.filter(({ language }) => isSameLanguage(language, wanted));
  const found = spoken.find((track) => track.default) ?? spoken.at(0);
  return found && tracks.indexOf(found);
}

/** Whether two codes stand for the same language: `ger`, `deu` and `de` do. */
function isSameLanguage(stated: string | undefined, wanted: string): boolean {
  return stated !== undefined && languageOf(stated) === languageOf(wanted);
}

function languageOf(code: string): string {
  try {
    return new Intl.Locale(code).language;
  } catch (error) {
    // What files state need not be a language.
    if (error instanceof RangeError) return code;
    throw error;
  }
}

/**
 * Chooses the audio of a file.
 *
 * @returns the file as it is described for that audio
 * @throws {RequestError} `not_found` if it has no such track
 */
export function withAudioTrack<File extends { name: string; info: MediaInfo }>(
  file: File,
  wanted: TrackChoice | undefined,
): File {
  if (wanted === undefined) return file;
  const { audio, audioTracks = audio ? [audio] : [], tracks = [] } = file.info;
  const listed = tracks.filter(({ type }) => type === "audio");
  const found = findTrack(listed, wanted);
  const chosen = audioTracks.find(({ number = 0 }) => number === found);
  if (chosen === undefined) throw noTrack("audio track", wanted, { name: file.name, listed });
  return { ...file, info: { ...file.info, audio: chosen } };
}

/** An error that names the tracks that there are. */
export function noTrack(
  what: string,
  wanted: TrackChoice | true,
  { name, listed }: { name: string; listed: readonly MediaTrack[] },
): RequestError {
  const there = listed.map(({ language }, at) => `${at + 1} (${language ?? "no language"})`);
  const quoted = wanted === true ? "" : ` ${JSON.stringify(wanted)}`;
  return new RequestError(
    "not_found",
    `Cannot find ${what}${quoted} in "${name}": it has ${there.join(", ") || "none"}`,
  );
}
