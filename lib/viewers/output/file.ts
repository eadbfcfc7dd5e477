import { messageOf, ProcessError } from "../../core/errors.ts";
import { type Frame, toSeconds, type VideoStream } from "../../core/frame.ts";
import { hiddenBeginning, hidesBeginning } from "../../media/container_codecs.ts";
import type { CodecChoice } from "../../media/codec_choice.ts";
import { encoderArguments } from "../../media/encoder_arguments.ts";
import { rotationBy } from "../../media/ffmpeg_options.ts";
import { FrameSink, reasonOf } from "../../media/frame_sink.ts";
import { keptStreams, recodingNotes } from "../../media/kept_streams.ts";
import { fileTarget, type OutputTarget } from "../../media/output_target.ts";
import { checkAbsent, checkOutput, reservePart, statOf } from "./file_checks.ts";
import type { Presentation, Viewer } from "../viewer.ts";

/** Options of {@linkcode FileViewer}. */
export interface FileViewerOptions {
  /** Replace a file that exists. */
  overwrite: boolean;
  /** Ends FFmpeg at once, whatever becomes of the file. */
  forced?: AbortSignal;
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
export class FileViewer implements Viewer {
  #path: string;
  #options: FileViewerOptions;
  /** Where it is written to. */
  #part: string | undefined;
  #sink: FrameSink | undefined;
  #still = false;
  #frames = 0;
  /** Pictures that are stored as they are, and shown from the first on. */
  #shown: VideoStream | undefined;
  /** Seconds before the beginning at which those pictures begin. */
  #early = 0;
  /** What is other in the file than what was sent. */
  #notes: string[] = [];
  #finished = false;
  /** When the size was looked at, milliseconds. */
  #lookedAt = -Infinity;

  constructor(path: string, options: FileViewerOptions) {
    this.#path = path;
    this.#options = options;
  }

  async begin(presentation: Presentation): Promise<void> {
    const { streams, still, lead, firstPicture } = presentation;
    const { overwrite, forced, format, codec, more } = this.#options;
    this.#still = still;
    await checkOutput(this.#path, { overwrite, still, format });
    const encoded = presentation.encoding !== "raw";
    const target = fileTarget(this.#path, format);
    const kept = keptStreams(streams, target, { still, encoded, codec })
      .find((stream) => stream.type === "video");
    if (presentation.encoding === "copy") {
      this.#notes = recodingNotes(streams, target, { still, codec });
    }
    const turnedBy = kept?.rotation === undefined || still ? undefined : await rotationBy(forced);
    const hides = !still && hidesBeginning(target.type);
    if (!still && !hides) this.#shown = kept;
    const beginning = kept !== undefined && hides ? hiddenBeginning(kept, firstPicture) : 0;
    this.#part = await reservePart(this.#path);
    const options = { still, encoded, lead, beginning, rotationBy: turnedBy, codec, more };
    const place: OutputTarget = { ...target, name: `file:${this.#part ?? this.#path}` };
    const args = encoderArguments(presentation, place, options);
    this.#sink = new FrameSink("ffmpeg", args, { streams, lead, signal: forced });
  }

  async show(frame: Frame): Promise<boolean> {
    const taken = await this.#guarded(async () => await this.#sink?.write(frame) ?? false);
    if (taken) this.#frames++;
    await this.#lookAtSize();
    if (this.#shown?.id === frame.streamId) {
      this.#early = Math.max(this.#early, -toSeconds(frame.timestamp, this.#shown.timeBase));
    }
    return taken;
  }

  async finish(whole: boolean): Promise<string | undefined> {
    if (this.#frames === 0) return undefined;
    await this.#guarded(async () => {
      await this.#sink?.finish();
      return true;
    });
    this.#finished = true;
    if (this.#part === undefined) return undefined;
    if (!whole) {
      return this.#still ? whatArrived(this.#part) : `${whatArrived(this.#part)}, playable`;
    }
    await this.#publish(this.#part);
    const early = this.#early < NOTABLE
      ? ""
      : `, which begins ${this.#early.toFixed(1)} s earlier, at a keyframe`;
    return [`wrote "${this.#path}"${early}`, ...this.#notes].join("; ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sink?.[Symbol.asyncDispose]();
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
    if (this.#frames > 0 && info.size > 0 && !this.#still) return part;
    await Deno.remove(part);
  }

  /** Turns FFmpeg's failure into one line that names the file. */
  async #guarded(action: () => Promise<boolean>): Promise<boolean> {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof ProcessError)) throw error;
      const part = this.#part ?? this.#path;
      const reason = (reasonOf(error) ?? messageOf(error))
        .replaceAll(`file:${part}`, this.#path).replaceAll(part, this.#path).replace(/\.$/, "");
      const left = await this.#removeUseless();
      const rest = left === undefined ? [] : [`"${left}" is unfinished, and may not be playable`];
      const failure = this.#options.forced?.aborted
        ? "Stopped at once"
        : `Cannot write "${this.#path}": ${reason}`;
      throw new Error([failure, ...rest].join("; "), { cause: error });
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
