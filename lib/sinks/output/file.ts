/** Recordings to a file, which appears under its name once it is complete. */
import { ProcessError } from "../../base/errors.ts";
import { type Frame, toSeconds, type VideoStream } from "../../media/frame.ts";
import type { Presentation, Sink } from "../sink.ts";
import { editListStart, hasEditList } from "./containers.ts";
import { EncodedOutput, type EncodedOutputOptions } from "./encoder.ts";
import {
  checkOutput,
  type OverwriteOptions,
  publishPart,
  reservePart,
  statOf,
  whatArrived,
} from "./overwrite.ts";
import { RecordedSubtitles } from "./subtitles.ts";
import { fileTarget } from "./target.ts";

/** Options of {@linkcode FileSink}. */
export interface FileSinkOptions
  extends Omit<EncodedOutputOptions, "stdout" | "beginning" | "cover">, OverwriteOptions {
  /** FFmpeg's name of the format, if not that of the extension. */
  format?: string;
  /** Called now and then with the size of the file, bytes. */
  onSize?: (bytes: number) => void;
}

/** Milliseconds between checks of the file size. */
const SIZE_INTERVAL = 250;

/** Seconds by which a recording may begin early without a note. */
const NOTABLE = 0.05;

/**
 * Writes a file of the type of its extension with FFmpeg: raw frames are encoded, packets copied if
 * the type supports them. It is written as `x.part.mp4` and renamed once it is complete; a file
 * that is cut short keeps that name.
 */
export class FileSink implements Sink {
  readonly isRecording = true;
  #path: string;
  #options: FileSinkOptions;
  #part: string | undefined;
  #output: EncodedOutput | undefined;
  #still = false;
  /** Copied video that players show from its first frame on, decoded or not. */
  #shown: VideoStream | undefined;
  /** Seconds by which that video begins early. */
  #early = 0;
  #subtitles: RecordedSubtitles | undefined;
  /** FFmpeg has ended by itself, before the media. */
  #isCut = false;
  #finished = false;
  /** Time of the last check of the size, milliseconds. */
  #reportedAt = -Infinity;

  constructor(path: string, options: FileSinkOptions) {
    this.#path = path;
    this.#options = options;
  }

  async begin(presentation: Presentation): Promise<void> {
    const { still } = presentation;
    const { overwrite, forced, dialect, format, codec, more } = this.#options;
    this.#still = still;
    await checkOutput(this.#path, { overwrite, still, format });
    const target = fileTarget(this.#path, format);
    const hides = !still && hasEditList(target.type);
    this.#part = await reservePart(this.#path);
    const partPath = this.#part ?? this.#path;
    let hidden = 0;
    const output = await EncodedOutput.start(
      presentation,
      { ...target, name: `file:${partPath}` },
      {
        ...{ forced, dialect, codec, more, cover: presentation.cover },
        beginning: (copied) =>
          hidden = hides ? editListStart(copied, presentation.firstPicture) : 0,
        explain: (reason) => {
          const named = reason.replaceAll(`file:${partPath}`, this.#path).replaceAll(
            partPath,
            this.#path,
          );
          return `Cannot write "${this.#path}": ${named}`;
        },
      },
    );
    this.#output = output;
    if (!still) {
      const { copies } = output;
      this.#subtitles = new RecordedSubtitles(presentation, { target, copies, hidden, forced });
    }
    if (!still && !hides) this.#shown = output.copied;
  }

  async show(frame: Frame): Promise<boolean> {
    const taken = await this.#guarded(async () => await this.#output?.write(frame) ?? false);
    this.#isCut ||= !taken;
    if (taken) this.#subtitles?.see(frame);
    await this.#reportSize();
    if (this.#shown?.id === frame.streamId) {
      this.#early = Math.max(this.#early, -toSeconds(frame.timestamp, this.#shown.timeBase));
    }
    return taken;
  }

  subtitle(text: string, start: number, end: number): void {
    this.#subtitles?.add({ start, end, text });
  }

  async finish(whole: boolean): Promise<string | undefined> {
    const output = this.#output;
    if (output === undefined || output.frames === 0) return undefined;
    await this.#guarded(() => output.finish());
    this.#finished = true;
    if (this.#part === undefined) return undefined;
    const texts = { path: this.#path, whole: whole && !this.#isCut };
    const missing = await this.#subtitles?.store(this.#part, texts) ?? [];
    if (!whole) {
      const arrived = `${whatArrived(this.#part)}${this.#still ? "" : ", playable"}`;
      return [arrived, ...missing].join("; ");
    }
    await publishPart(this.#part, this.#path, this.#options);
    const early = this.#early < NOTABLE
      ? ""
      : `, which begins ${this.#early.toFixed(1)} s earlier, at a keyframe`;
    return [`wrote "${this.#path}"${early}`, ...output.notes, ...missing].join("; ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#output?.[Symbol.asyncDispose]();
    if (!this.#finished) await this.#removeUseless();
  }

  /** Reports the size of the file. */
  async #reportSize(): Promise<void> {
    const { onSize } = this.#options;
    const now = performance.now();
    if (onSize === undefined || this.#part === undefined) return;
    if (now - this.#reportedAt < SIZE_INTERVAL) return;
    this.#reportedAt = now;
    onSize((await statOf(this.#part))?.size ?? 0);
  }

  /**
   * Removes an unfinished file that holds nothing usable.
   *
   * @returns its path if it is kept
   */
  async #removeUseless(): Promise<string | undefined> {
    const part = this.#part;
    this.#finished = true;
    const info = part === undefined ? undefined : await statOf(part);
    if (part === undefined || info === undefined) return undefined;
    const hasFrames = this.#output !== undefined && this.#output.frames > 0;
    if (hasFrames && info.size > 0 && !this.#still) return part;
    await Deno.remove(part);
  }

  /** Runs an action, and adds to a failure of FFmpeg what it leaves behind. */
  async #guarded<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof Error && error.cause instanceof ProcessError)) throw error;
      const left = await this.#removeUseless();
      if (left === undefined) throw error;
      const message = `${error.message}; "${left}" is unfinished, and may not be playable`;
      throw new Error(message, { cause: error.cause });
    }
  }
}
