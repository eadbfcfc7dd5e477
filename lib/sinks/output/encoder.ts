/** An FFmpeg process that encodes and writes an output. */
import { messageOf, ProcessError } from "../../base/errors.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import type { Frame, VideoStream } from "../../media/frame.ts";
import { FfmpegProcess, type FfmpegProcessOptions, reasonOf } from "../ffmpeg_process.ts";
import { videoOf } from "../filters.ts";
import type { Presentation } from "../sink.ts";
import { copiedStreams, recodingNotes } from "./containers.ts";
import { encoderArguments } from "./encode_args.ts";
import type { CodecChoice, OutputTarget } from "./target.ts";

/** Options of {@linkcode EncodedOutput}. */
export interface EncodedOutputOptions {
  forced?: AbortSignal;
  codec?: CodecChoice;
  /** Additional output arguments of the user, which win. */
  more?: readonly string[];
  /** Argument spelling of the installed FFmpeg. */
  dialect: () => Promise<FfmpegDialect>;
  stdout?: FfmpegProcessOptions["stdout"];
  /** Start of the output in seconds, 0 or less, if this video is copied. */
  beginning?: (copied: VideoStream) => number;
}

/** FFmpeg writing frames to a target; what all outputs have in common. */
export class EncodedOutput implements AsyncDisposable {
  /** Sentences about what is not as it was sent. */
  readonly notes: readonly string[];
  /** Video stream whose packets are copied. */
  readonly copied: VideoStream | undefined;
  frames = 0;
  #process: FfmpegProcess;
  #forced: AbortSignal | undefined;
  #explain: (reason: string) => string;

  private constructor(
    process: FfmpegProcess,
    explain: (reason: string) => string,
    { notes, copied, forced }: {
      notes: readonly string[];
      copied: VideoStream | undefined;
      forced: AbortSignal | undefined;
    },
  ) {
    this.#process = process;
    this.#explain = explain;
    this.notes = notes;
    this.copied = copied;
    this.#forced = forced;
  }

  /**
   * Starts FFmpeg.
   *
   * @param explain turns the reason of a failure into a message
   */
  static async start(
    presentation: Presentation,
    target: OutputTarget,
    { explain, forced, codec, more, dialect, stdout, beginning }: EncodedOutputOptions & {
      explain: (reason: string) => string;
    },
  ): Promise<EncodedOutput> {
    const { streams, still, lead, encoding } = presentation;
    const encoded = encoding !== "raw";
    const options = { still, encoded, lead, codec, more };
    const copied = videoOf(copiedStreams(streams, target, options));
    const turns = copied?.rotation !== undefined && !still;
    const args = encoderArguments(presentation, target, {
      ...options,
      rotationBy: turns ? (await dialect()).rotationBy : undefined,
      beginning: copied === undefined ? undefined : beginning?.(copied),
    });
    const process = new FfmpegProcess("ffmpeg", args, { streams, lead, stdout, signal: forced });
    const notes = encoding === "copy" ? recodingNotes(streams, target, options) : [];
    return new EncodedOutput(process, explain, { notes, copied, forced });
  }

  get stdout(): ReadableStream<Uint8Array> {
    return this.#process.stdout;
  }

  /**
   * Writes a frame.
   *
   * @returns false if FFmpeg has exited with success
   */
  async write(frame: Frame): Promise<boolean> {
    const taken = await this.#guarded(() => this.#process.write(frame));
    if (taken) this.frames++;
    return taken;
  }

  kill(): void {
    this.#process.kill();
  }

  async finish(): Promise<void> {
    await this.#guarded(() => this.#process.finish());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }

  /** Runs an action, and explains a failure of FFmpeg in one line. */
  async #guarded<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (cause) {
      if (!(cause instanceof ProcessError)) throw cause;
      if (this.#forced?.aborted) throw new Error("Stopped at once", { cause });
      const reason = (reasonOf(cause) ?? messageOf(cause)).replace(/\.$/, "");
      throw new Error(this.#explain(reason), { cause });
    }
  }
}
