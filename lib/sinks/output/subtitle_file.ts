/** Subtitles alone in a file. */
import {
  addCue,
  formatSubtitles,
  SUBTITLE_FORMS,
  type SubtitleForm,
} from "../../media/subtitles.ts";
import type { Cue } from "../../media/subtitles.ts";
import type { Frame } from "../../media/frame.ts";
import type { Presentation, Sink } from "../sink.ts";
import {
  asWrite,
  checkAbsent,
  type OverwriteOptions,
  publishPart,
  reservePart,
  whatArrived,
} from "./overwrite.ts";
import { extensionOf, typeOf } from "./target.ts";

/** The form of subtitles that a file has by its name, or by FFmpeg's name of its format. */
export function subtitleForm(path: string, format?: string): SubtitleForm | undefined {
  const type = format === undefined ? extensionOf(path) : typeOf(format);
  return SUBTITLE_FORMS.find((form) => form === (type === "webvtt" ? "vtt" : type));
}

/** Writes the subtitles of a response, and nothing else. Times count from the start of the request. */
export class SubtitleFile implements Sink {
  #path: string;
  #form: SubtitleForm;
  #options: OverwriteOptions;
  #cues: Cue[] = [];

  constructor(path: string, form: SubtitleForm, options: OverwriteOptions) {
    this.#path = path;
    this.#form = form;
    this.#options = options;
  }

  async begin({ data = [], name }: Presentation): Promise<void> {
    await checkAbsent(this.#path, this.#options);
    if (data.some(({ codec }) => codec === "subtitle")) return;
    throw new Error(`Cannot write "${this.#path}": the server sends no subtitles of "${name}"`);
  }

  show(_frame: Frame): Promise<boolean> {
    return Promise.resolve(true);
  }

  /** Discards it: present since a response of nothing but texts is enough for it. */
  takeMessage(): Promise<boolean> {
    return Promise.resolve(true);
  }

  subtitle(text: string, start: number, end: number): void {
    addCue(this.#cues, { text, start, end });
  }

  async finish(whole: boolean): Promise<string | undefined> {
    if (this.#cues.length === 0) return undefined;
    const part = await reservePart(this.#path);
    const text = formatSubtitles(this.#cues, this.#form);
    await asWrite(this.#path, () => Deno.writeTextFile(part ?? this.#path, text));
    if (part === undefined) return undefined;
    if (!whole) return whatArrived(part);
    await publishPart(part, this.#path, this.#options);
    return `wrote "${this.#path}"`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
