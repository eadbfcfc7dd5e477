/** An FFmpeg process that encodes and writes an output. */
import { messageOf, ProcessError } from "../../base/errors.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import type { Frame, StreamDescription, VideoStream } from "../../media/frame.ts";
import type { Cover } from "../../media/tags.ts";
import { FfmpegProcess, type FfmpegProcessOptions, reasonOf } from "../ffmpeg_process.ts";
import { videoOf } from "../filters.ts";
import type { Presentation } from "../sink.ts";
import { copiedStreams, recodingNotes, withStoredLanguages } from "./containers.ts";
import { writeCover } from "./tags/cover.ts";
import { encoderArguments, OPUS, wantsOpus } from "./encode_args.ts";
import { hasAudioEncoder } from "./ffmpeg_names.ts";
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
  /** The picture that stands for the media. @default none is stored */
  cover?: Cover;
}

/** FFmpeg writing frames to a target; what all outputs have in common. */
export class EncodedOutput implements AsyncDisposable {
  /** Sentences about what is not as it was sent. */
  readonly notes: readonly string[];
  /** Streams whose packets are copied. */
  readonly copies: readonly StreamDescription[];
  frames = 0;
  #process: FfmpegProcess;
  #forced: AbortSignal | undefined;
  /** Holds what goes with FFmpeg. */
  #files: AsyncDisposable;
  #explain: (reason: string) => string;

  private constructor(
    process: FfmpegProcess,
    explain: (reason: string) => string,
    { notes, copies, forced, files }: {
      notes: readonly string[];
      copies: readonly StreamDescription[];
      forced: AbortSignal | undefined;
      files: AsyncDisposable;
    },
  ) {
    this.#process = process;
    this.#explain = explain;
    this.notes = notes;
    this.copies = copies;
    this.#forced = forced;
    this.#files = files;
  }

  /**
   * Starts FFmpeg.
   *
   * @param explain turns the reason of a failure into a message
   */
  static async start(
    presentation: Presentation,
    target: OutputTarget,
    { explain, forced, codec, more, dialect, stdout, beginning, cover }: EncodedOutputOptions & {
      explain: (reason: string) => string;
    },
  ): Promise<EncodedOutput> {
    const { streams, still, lead, encoding } = presentation;
    const encoded = encoding !== "raw";
    const options = { still, encoded, lead, codec, more };
    const copies = copiedStreams(streams, target, options);
    const copied = videoOf(copies);
    const turns = copied?.rotation !== undefined && !still;
    await using stack = new AsyncDisposableStack();
    const args = encoderArguments(presentation, target, {
      ...options,
      toneMap: presentation.toneMap,
      opus: wantsOpus(streams, target) && await hasAudioEncoder(OPUS, forced),
      cover: cover && stack.use(await writeCover(cover)),
      rotationBy: turns ? (await dialect()).rotationBy : undefined,
      beginning: copied === undefined ? undefined : beginning?.(copied),
    });
    const process = new FfmpegProcess("ffmpeg", args, {
      ...{ lead, stdout, signal: forced, tags: presentation },
      streams: withStoredLanguages(streams, target.type),
    });
    const notes = encoding === "copy" ? recodingNotes(streams, target, options) : [];
    return new EncodedOutput(process, explain, { notes, copies, forced, files: stack.move() });
  }

  /** Video stream whose packets are copied. */
  get copied(): VideoStream | undefined {
    return videoOf(this.copies);
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
    await this.#files[Symbol.asyncDispose]();
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
