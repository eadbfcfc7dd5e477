import { messageOf, ProcessError } from "../../base/errors.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import type { Frame, VideoStream } from "../../media/frame.ts";
import { FrameSink, type FrameSinkOptions, reasonOf } from "../ffmpeg_sink.ts";
import type { Presentation } from "../sink.ts";
import { keptStreams, recodingNotes } from "./containers.ts";
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
  stdout?: FrameSinkOptions["stdout"];
  /**
   * Seconds from the beginning, 0 or less, at which the output begins instead, where these pictures
   * are stored as they are.
   */
  beginning?: (kept: VideoStream) => number;
}

/** FFmpeg, which writes what it is given to a target: the part that outputs have in common. */
export class EncodedOutput implements AsyncDisposable {
  /** What is other than what was sent, a sentence each. */
  readonly notes: readonly string[];
  /** Pictures that are stored as they are. */
  readonly kept: VideoStream | undefined;
  /** How many frames it was given. */
  frames = 0;
  #sink: FrameSink;
  #forced: AbortSignal | undefined;
  #explain: (reason: string) => string;

  private constructor(
    sink: FrameSink,
    explain: (reason: string) => string,
    { notes, kept, forced }: {
      notes: readonly string[];
      kept: VideoStream | undefined;
      forced: AbortSignal | undefined;
    },
  ) {
    this.#sink = sink;
    this.#explain = explain;
    this.notes = notes;
    this.kept = kept;
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
    const kept = keptStreams(streams, target, options).find((stream) => stream.type === "video");
    const turns = kept?.rotation !== undefined && !still;
    const args = encoderArguments(presentation, target, {
      ...options,
      rotationBy: turns ? (await dialect()).rotationBy : undefined,
      beginning: kept === undefined ? undefined : beginning?.(kept),
    });
    const sink = new FrameSink("ffmpeg", args, { streams, lead, stdout, signal: forced });
    const notes = encoding === "copy" ? recodingNotes(streams, target, options) : [];
    return new EncodedOutput(sink, explain, { notes, kept, forced });
  }

  /** What FFmpeg writes to its standard output; only where that is piped. */
  get stdout(): ReadableStream<Uint8Array> {
    return this.#sink.stdout;
  }

  /**
   * Hands a frame over.
   *
   * @returns false where FFmpeg has ended by its own wish
   */
  async write(frame: Frame): Promise<boolean> {
    const taken = await this.#guarded(() => this.#sink.write(frame));
    if (taken) this.frames++;
    return taken;
  }

  /** Ends FFmpeg at once, which whoever waits for it learns as its failure. */
  kill(): void {
    this.#sink.kill();
  }

  /** Ends the output in good order. */
  async finish(): Promise<void> {
    await this.#guarded(() => this.#sink.finish());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sink[Symbol.asyncDispose]();
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
