/** Reads the subtitles of files as texts. */
import { abortable, Semaphore } from "../../../base/async.ts";
import { ProcessError, RequestError } from "../../../base/errors.ts";
import { readOutput } from "../../../ffmpeg/process.ts";
import { startConfined } from "../../../ffmpeg/sandbox.ts";
import { stderrReason } from "../../../ffmpeg/stderr.ts";
import { type Cue, parseSrt } from "../../../media/subtitles.ts";
import { inputArguments } from "../formats.ts";
import type { FileState } from "../file_state.ts";
import type { MediaInfo } from "../probe.ts";
import { findTrack, noTrack, type TrackChoice } from "./choice.ts";

/** FFmpeg's names of codecs of subtitles that are texts; those of all others are pictures. */
const TEXT_CODECS: ReadonlySet<string> = new Set([
  ...["subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text", "microdvd", "mpl2", "jacosub"],
  ...["pjs", "realtext", "sami", "stl", "subviewer", "subviewer1", "vplayer"],
]);

/** Bytes of the texts of one track; a film has about 100 KB. */
const MAX_TEXT = 4 * 2 ** 20;

/** Characters of all texts that are kept, and tracks. */
const MAX_KEPT = { size: 16 * 2 ** 20, count: 256 };

/** FFmpegs that read subtitles at once: each reads all of its file. */
const MAX_READING = 2;

/** A file of a library. */
export interface SubtitledFile {
  name: string;
  /** Real path. */
  path: string;
  /** Real path of the folder that it has to be in. */
  folder?: string;
  /** Its state when it was found. */
  state?: FileState;
  info: MediaInfo;
  /** Bytes of memory that FFmpeg may take for it. @default unlimited */
  maxMemory?: number;
}

/**
 * Chooses the subtitles of a file.
 *
 * @param wanted true for those that the file recommends
 * @returns their number among the subtitles of the file, from 0 on
 * @throws {RequestError} `not_found` if there are none; `unsupported` if they are pictures
 */
export function chooseSubtitles(
  { name, info: { tracks = [] } }: Pick<SubtitledFile, "name" | "info">,
  wanted: true | TrackChoice,
): number {
  const listed = tracks.filter(({ type }) => type === "subtitles");
  const texts = listed.filter(({ codec }) => TEXT_CODECS.has(codec));
  // Numbers count all of them; a language or none may as well mean the texts.
  const candidates = typeof wanted === "number" || texts.length === 0 ? listed : texts;
  const found = wanted === true
    ? candidates.find((track) => track.default) ?? candidates.at(0)
    : candidates[findTrack(candidates, wanted) ?? -1];
  if (found === undefined) throw noTrack("subtitles", wanted, { name, listed });
  if (texts.includes(found)) return listed.indexOf(found);
  throw new RequestError(
    "unsupported",
    `Cannot send subtitles ${listed.indexOf(found) + 1} of "${name}": they are pictures ` +
      `(${found.codec}), expected texts`,
  );
}

/** The file as if it had one stream of subtitles less, since that one is sent. */
export function withSentSubtitles<File extends { info: MediaInfo }>(file: File): File {
  const { further = {} } = file.info;
  const left = Math.max(0, (further.subtitle ?? 0) - 1);
  return { ...file, info: { ...file.info, further: { ...further, subtitle: left } } };
}

/** The texts of one track. */
interface Reading {
  cues: Promise<readonly Cue[]>;
  /** Characters, once they are known. */
  size: number;
  isOver: boolean;
  /** Those who wait for them. */
  users: number;
  abort: AbortController;
}

/** The subtitles of the files of a library: each track is read once, and kept for further viewers. */
export class SubtitleTexts {
  /** By file, state and number; those used last at the end. */
  #readings = new Map<string, Reading>();
  #reading = new Semaphore(MAX_READING);

  /**
   * Reads all texts of a track, in order of their starts. Times count from the beginning of the media.
   *
   * @param number among the subtitles of the file, from 0 on
   * @throws {RequestError} `media_error` if FFmpeg cannot read them
   */
  async read(file: SubtitledFile, number: number, signal: AbortSignal): Promise<readonly Cue[]> {
    const { path, state } = file;
    const key = JSON.stringify([path, state?.identity, state?.stamp, number]);
    const reading = this.#readings.get(key) ?? this.#start(key, { file, number });
    this.#readings.delete(key);
    this.#readings.set(key, reading);
    reading.users++;
    try {
      return await abortable(reading.cues, signal);
    } finally {
      reading.users--;
      if (reading.users === 0 && !reading.isOver) this.#forget(key, reading);
    }
  }

  #start(key: string, { file, number }: { file: SubtitledFile; number: number }): Reading {
    const abort = new AbortController();
    const { signal } = abort;
    const cues = this.#reading.take(() => readTexts(file, number, signal), { signal });
    const reading: Reading = { cues, size: 0, isOver: false, users: 0, abort };
    cues.then((cues) => {
      reading.isOver = true;
      reading.size = cues.reduce((sum, { text }) => sum + text.length, 0);
      this.#evict();
    }, () => {
      reading.isOver = true;
      this.#forget(key, reading);
    });
    return reading;
  }

  #forget(key: string, reading: Reading): void {
    reading.abort.abort();
    if (this.#readings.get(key) === reading) this.#readings.delete(key);
  }

  #evict(): void {
    let size = this.#readings.values().reduce((sum, reading) => sum + reading.size, 0);
    for (const [key, reading] of this.#readings) {
      if (size <= MAX_KEPT.size && this.#readings.size <= MAX_KEPT.count) return;
      if (!reading.isOver) continue;
      this.#readings.delete(key);
      size -= reading.size;
    }
  }
}

async function readTexts(file: SubtitledFile, number: number, signal: AbortSignal): Promise<Cue[]> {
  const { name, path, folder, maxMemory, info } = file;
  const what = `Cannot read subtitles ${number + 1} of "${name}"`;
  await using child = startConfined("ffmpeg", [
    ...["-nostdin", "-v", "error", ...inputArguments(path, info)],
    // As plain text, FFmpeg leaves out all formatting.
    ...["-map", `0:s:${number}`, "-c:s", "text", "-avoid_negative_ts", "disabled"],
    ...["-f", "srt", "pipe:1"],
  ], { path, folder, maxMemory, signal });
  const output = await readOutput(child, { signal, max: MAX_TEXT });
  signal.throwIfAborted();
  if (output === undefined) {
    throw new RequestError("media_error", `${what}: they have more than ${MAX_TEXT} bytes`);
  }
  try {
    await child.finished();
  } catch (cause) {
    if (!(cause instanceof ProcessError)) throw cause;
    const reason = stderrReason(cause.failure.stderr, path) ?? cause.message;
    throw new RequestError("media_error", `${what}: ${reason}`, { cause });
  }
  return parseSrt(output).sort((a, b) => a.start - b.start);
}
