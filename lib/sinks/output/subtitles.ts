/** Subtitles in recordings. */
import { messageOf } from "../../base/errors.ts";
import { startProcess } from "../../ffmpeg/process.ts";
import { addCue, type Cue, formatSubtitles } from "../../media/subtitles.ts";
import {
  type DataStream,
  type Frame,
  type StreamDescription,
  toSeconds,
} from "../../media/frame.ts";
import type { Cover } from "../../media/tags.ts";
import { reasonOf } from "../ffmpeg_process.ts";
import { FLAC_IN_MP4 } from "../filters.ts";
import type { Presentation } from "../sink.ts";
import { hasEditList, storedLanguage } from "./containers.ts";
import { attachmentArguments, isAttached, writeCover } from "./tags/cover.ts";
import { reservePart } from "./overwrite.ts";
import type { OutputTarget } from "./target.ts";

/** FFmpeg's encoders of subtitles by the types that store them. */
const ENCODERS: ReadonlyMap<string, string> = new Map([
  ...["mkv", "mka"].map((type) => [type, "srt"] as const),
  ...["mp4", "m4v", "mov"].map((type) => [type, "mov_text"] as const),
  ["webm", "webvtt"],
]);

/** Options of {@linkcode RecordedSubtitles}. */
export interface RecordedSubtitlesOptions {
  target: OutputTarget;
  /** Streams whose packets are copied into the recording. */
  copies: readonly StreamDescription[];
  /** Seconds before the start that the recording hides; 0 or less. */
  hidden: number;
  /** Ends FFmpeg at once. */
  forced?: AbortSignal;
}

/**
 * The subtitles of one recording. FFmpeg reads all of its subtitles before it writes anything, and those
 * of a recording are known at its end: so the complete recording is copied once more.
 */
export class RecordedSubtitles {
  #cues: Cue[] = [];
  #streams: readonly StreamDescription[];
  #track: Pick<DataStream, "language" | "title">;
  #cover: Cover | undefined;
  #lead: number;
  #options: RecordedSubtitlesOptions;
  /** The first timestamps of all streams, and of those that are copied, seconds. */
  #first = { all: Infinity, copied: Infinity };
  /** The last timestamp, seconds. */
  #last = -Infinity;

  constructor(
    { streams, data = [], lead, cover }: Presentation,
    options: RecordedSubtitlesOptions,
  ) {
    this.#streams = streams;
    this.#track = data.find(({ codec }) => codec === "subtitle") ?? {};
    this.#cover = cover;
    this.#lead = lead;
    this.#options = options;
  }

  /** Notes the beginning of the recording, and how far it has come. */
  see({ streamId, timestamp }: Frame): void {
    const stream = this.#streams.find(({ id }) => id === streamId);
    if (stream === undefined) return;
    const seconds = toSeconds(timestamp, stream.timeBase);
    const isCopied = this.#options.copies.includes(stream);
    this.#first.all = Math.min(this.#first.all, seconds);
    if (isCopied) this.#first.copied = Math.min(this.#first.copied, seconds);
    this.#last = Math.max(this.#last, seconds);
  }

  add(cue: Cue): void {
    addCue(this.#cues, cue);
  }

  /**
   * Adds the texts to the complete recording, up to its end if that is early.
   *
   * @param part path of the recording, which is replaced
   * @param options path under which it will appear
   * @returns why they are missing, if they are
   */
  async store(
    part: string,
    { path, whole }: { path: string; whole: boolean },
  ): Promise<string[]> {
    const { type } = this.#options.target;
    const cues = this.#recorded(whole ? Infinity : this.#last);
    if (cues.length === 0) return [];
    const encoder = ENCODERS.get(type);
    if (encoder === undefined) {
      return [`the subtitles are left out: .${type} stores none, .mkv, .mp4 and .webm do`];
    }
    const copy = await reservePart(path);
    if (copy === undefined) return [];
    try {
      await this.#copy({ from: part, to: copy }, cues, encoder);
      await Deno.rename(copy, part);
      return [];
    } catch (error) {
      await Deno.remove(copy);
      return [`the subtitles are missing: ${messageOf(error)}`];
    }
  }

  /** Seconds on the timeline of the frames at which the recording begins. */
  get #begin(): number {
    // Without a lead, FFmpeg subtracts the first timestamp.
    if (this.#lead === 0) return this.#first.all;
    if (hasEditList(this.#options.target.type)) return this.#options.hidden;
    return Math.min(0, this.#first.copied);
  }

  /** The texts that are shown in the recording, on its own timeline. */
  #recorded(end: number): Cue[] {
    const begin = this.#begin;
    return this.#cues
      .filter((cue) => cue.end > begin && cue.start < end)
      .map(({ start, end: last, text }) => ({
        start: Math.max(0, start - begin),
        end: Math.min(last, end) - begin,
        text,
      }))
      .sort((a, b) => a.start - b.start);
  }

  /** FFmpeg's arguments for the language and title of the texts. */
  #tags(): string[] {
    const { language, title } = this.#track;
    const { type } = this.#options.target;
    return Object.entries({ language: storedLanguage(language, type), title })
      .flatMap(([name, text]) => text === undefined ? [] : ["-metadata:s:s:0", `${name}=${text}`]);
  }

  /** @throws {Error} with the reason of FFmpeg */
  async #copy(
    { from, to }: { from: string; to: string },
    cues: readonly Cue[],
    encoder: string,
  ): Promise<void> {
    const { target: { muxer, type }, forced } = this.#options;
    // As a stream, FFmpeg would copy an attached picture as video.
    await using cover = this.#cover && isAttached(type) ? await writeCover(this.#cover) : undefined;
    const kept = [
      // FFmpeg writes the texts of chapters again, and refuses a copy of them in QuickTime.
      ...["-map", cover === undefined ? "0:v?" : "0:V?", "-map", "0:a?"],
      ...(cover === undefined ? [] : attachmentArguments(cover)),
    ];
    const args = [
      ...["-v", "error", "-xerror", "-y", "-copyts", "-i", `file:${from}`],
      ...["-f", "srt", "-i", "pipe:0", ...kept, "-map", "1", "-c", "copy", "-c:s", encoder],
      ...FLAC_IN_MP4,
      ...this.#tags(),
      ...["-disposition:s:0", "default", ...(muxer === undefined ? [] : ["-f", muxer])],
      `file:${to}`,
    ];
    await using child = startProcess("ffmpeg", args, {
      ...{ stdin: "piped", stdout: "null", signal: forced },
    });
    // If FFmpeg ends early, its end tells why.
    await new Blob([formatSubtitles(cues, "srt")]).stream().pipeTo(child.stdin).catch(() => {});
    try {
      await child.finished();
    } catch (cause) {
      throw new Error(reasonOf(cause) ?? messageOf(cause), { cause });
    }
  }
}
