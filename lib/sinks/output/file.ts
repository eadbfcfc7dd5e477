import { messageOf, ProcessError } from "../../base/errors.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import { type Frame, toSeconds, type VideoStream } from "../../media/frame.ts";
import type { Presentation, Sink } from "../sink.ts";
import { editListStart, hasEditList } from "./containers.ts";
import { EncodedOutput } from "./encoder.ts";
import { checkAbsent, checkOutput, reservePart, statOf } from "./overwrite.ts";
import { type CodecChoice, fileTarget } from "./target.ts";

/** Options of {@linkcode FileSink}. */
export interface FileSinkOptions {
  /** Replace a file that exists. */
  overwrite: boolean;
  /** Ends FFmpeg at once, whatever becomes of the file. */
  forced?: AbortSignal;
  /** The spelling of arguments that the installed FFmpeg needs. */
  dialect: () => Promise<FfmpegDialect>;
  /** FFmpeg's name of the format, where the name's extension is not to tell it. */
  format?: string;
  /** Encoders that the user chooses. */
  codec?: CodecChoice;
  /** Arguments for FFmpeg of the user's own, which win. */
  more?: readonly string[];
  /** Told now and then how many bytes the file has. */
  onSize?: (bytes: number) => void;
}

/** Milliseconds from one look at the file's size to the next. */
const LOOK_INTERVAL = 250;

/** Seconds by which a recording begins too early that are worth telling. */
const NOTABLE = 0.05;

/**
 * Has FFmpeg write everything into a file, whose extension tells the type: raw frames encoded, and
 * the packets of encoded streams as they are where the type takes them. It is written under another
 * name, `x.part.mp4`, and gets its own when it is whole; what was cut short keeps the other.
 */
export class FileSink implements Sink {
  #path: string;
  #options: FileSinkOptions;
  /** Where it is written to. */
  #part: string | undefined;
  #output: EncodedOutput | undefined;
  #still = false;
  /** Pictures that are stored as they are, and shown from the first on. */
  #shown: VideoStream | undefined;
  /** Seconds before the beginning at which those pictures begin. */
  #early = 0;
  #finished = false;
  /** When the size was looked at, milliseconds. */
  #lookedAt = -Infinity;

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
    const place = this.#part ?? this.#path;
    const output = await EncodedOutput.start(presentation, { ...target, name: `file:${place}` }, {
      ...{ forced, dialect, codec, more },
      beginning: (copied) => hides ? editListStart(copied, presentation.firstPicture) : 0,
      explain: (reason) => {
        const named = reason.replaceAll(`file:${place}`, this.#path).replaceAll(place, this.#path);
        return `Cannot write "${this.#path}": ${named}`;
      },
    });
    this.#output = output;
    if (!still && !hides) this.#shown = output.copied;
  }

  async show(frame: Frame): Promise<boolean> {
    const taken = await this.#guarded(async () => await this.#output?.write(frame) ?? false);
    await this.#lookAtSize();
    if (this.#shown?.id === frame.streamId) {
      this.#early = Math.max(this.#early, -toSeconds(frame.timestamp, this.#shown.timeBase));
    }
    return taken;
  }

  async finish(whole: boolean): Promise<string | undefined> {
    const output = this.#output;
    if (output === undefined || output.frames === 0) return undefined;
    await this.#guarded(() => output.finish());
    this.#finished = true;
    if (this.#part === undefined) return undefined;
    if (!whole) {
      return this.#still ? whatArrived(this.#part) : `${whatArrived(this.#part)}, playable`;
    }
    await this.#publish(this.#part);
    const early = this.#early < NOTABLE
      ? ""
      : `, which begins ${this.#early.toFixed(1)} s earlier, at a keyframe`;
    return [`wrote "${this.#path}"${early}`, ...output.notes].join("; ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#output?.[Symbol.asyncDispose]();
    if (!this.#finished) await this.#removeUseless();
  }

  /** Tells how large the file has become. */
  async #lookAtSize(): Promise<void> {
    const { onSize } = this.#options;
    const now = performance.now();
    if (onSize === undefined || this.#part === undefined) return;
    if (now - this.#lookedAt < LOOK_INTERVAL) return;
    this.#lookedAt = now;
    onSize((await statOf(this.#part))?.size ?? 0);
  }

  /** Gives the whole recording its name. */
  async #publish(part: string): Promise<void> {
    try {
      await checkAbsent(this.#path, this.#options);
      await rename(part, this.#path);
    } catch (cause) {
      throw new Error(`${messageOf(cause)}; ${whatArrived(part)}`, { cause });
    }
  }

  /**
   * Removes a part that nothing usable can be in; one that FFmpeg has filled is left.
   *
   * @returns the part where it is left
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

  /** Says of FFmpeg's failure what it leaves behind, too. */
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

async function rename(part: string, path: string): Promise<void> {
  try {
    await Deno.rename(part, path);
  } catch (cause) {
    throw new Error(`Cannot write "${path}": ${messageOf(cause)}`, { cause });
  }
}

function whatArrived(part: string): string {
  return `what arrived is in "${part}"`;
}
