import { messageOf, ProcessError } from "../../base/errors.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import type { Frame, VideoStream } from "../../media/frame.ts";
import { FfmpegProcess, type FfmpegProcessOptions, reasonOf } from "../ffmpeg_process.ts";
import type { Presentation } from "../sink.ts";
import { copiedStreams, recodingNotes } from "./containers.ts";
import { encoderArguments } from "./encode_args.ts";
import type { CodecChoice, OutputTarget } from "./target.ts";

/** Options of {@linkcode EncodedOutput}. */
export interface EncodedOutputOptions {
  /** Ends FFmpeg at once. */
  forced?: AbortSignal;
  /** Encoders that the user chooses. */
  codec?: CodecChoice;
  /** Arguments for FFmpeg of the user's own, which win. */
  more?: readonly string[];
  /** The spelling of arguments that the installed FFmpeg needs. */
  dialect: () => Promise<FfmpegDialect>;
  /** What its standard output is. */
  stdout?: FfmpegProcessOptions["stdout"];
  /**
   * Seconds from the beginning, 0 or less, at which the output begins instead, where these pictures
   * are stored as they are.
   */
  beginning?: (copied: VideoStream) => number;
}

/** FFmpeg, which writes what it is given to a target: the part that outputs have in common. */
export class EncodedOutput implements AsyncDisposable {
  /** What is other than what was sent, a sentence each. */
  readonly notes: readonly string[];
  /** Pictures that are stored as they are. */
  readonly copied: VideoStream | undefined;
  /** How many frames it was given. */
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
   * @param explain turns the reason of a failure into one line
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
    const copied = copiedStreams(streams, target, options).find((stream) =>
      stream.type === "video"
    );
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

  /** What FFmpeg writes to its standard output; only where that is piped. */
  get stdout(): ReadableStream<Uint8Array> {
    return this.#process.stdout;
  }

  /**
   * Hands a frame over.
   *
   * @returns false where FFmpeg has ended by its own wish
   */
  async write(frame: Frame): Promise<boolean> {
    const taken = await this.#guarded(() => this.#process.write(frame));
    if (taken) this.frames++;
    return taken;
  }

  /** Ends FFmpeg at once, which whoever waits for it learns as its failure. */
  kill(): void {
    this.#process.kill();
  }

  /** Ends the output in good order. */
  async finish(): Promise<void> {
    await this.#guarded(() => this.#process.finish());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }

  /** Turns FFmpeg's failure into one line. */
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
