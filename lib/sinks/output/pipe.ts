/** Media on standard output. */
import { messageOf } from "../../base/errors.ts";
import { floatConversion } from "../../media/float_pixels.ts";
import type { Frame, VideoStream } from "../../media/frame.ts";
import { NutWriter } from "../../nut/writer.ts";
import { turnFilters, videoOf } from "../filters.ts";
import { type Presentation, type Sink, summaryOf } from "../sink.ts";
import { EncodedOutput, type EncodedOutputOptions } from "./encoder.ts";
import { muxerOf, pipeTarget } from "./target.ts";

/** Writes NUT to standard output. */
export class PipeSink implements Sink {
  #sink: WritableStream<Uint8Array>;
  #writer: NutWriter | undefined;

  constructor(sink: WritableStream<Uint8Array>) {
    this.#sink = sink;
  }

  begin(presentation: Presentation): Promise<void> {
    if (this.#writer !== undefined) return Promise.reject(changedStreams(presentation));
    const { streams, lead } = presentation;
    this.#writer = new NutWriter(this.#sink, streams, { lead, tags: presentation });
    return Promise.resolve();
  }

  async show(frame: Frame): Promise<boolean> {
    return await taken(async () => await this.#writer?.write(frame));
  }

  async finish(): Promise<undefined> {
    await taken(async () => await this.#writer?.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** The error if the streams change, which no format can in the middle. */
function changedStreams(presentation: Presentation): Error {
  return new Error(
    `Cannot go on writing to standard output: the source is ${summaryOf(presentation)} now, and ` +
      "what the reader gets cannot change in the middle; start again for the rest",
  );
}

/** @returns false if the reader has closed the pipe, as `head` does */
async function taken(action: () => Promise<void>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (cause) {
    if (cause instanceof Deno.errors.BrokenPipe) return false;
    throw new Error(`Cannot write to standard output: ${messageOf(cause)}`, { cause });
  }
}

/** Options of {@linkcode FormattedPipeSink}. */
export interface FormattedPipeOptions extends Omit<EncodedOutputOptions, "stdout"> {
  /** FFmpeg's name of the format, or its extension. */
  format: string;
}

/** The video whose frames are the output as they are; `undefined` if FFmpeg has to make it. */
function videoAsIs(
  { streams, encoding }: Presentation,
  { format, codec, more = [] }: FormattedPipeOptions,
): VideoStream | undefined {
  const video = videoOf(streams);
  const isMade = muxerOf(format) !== "rawvideo" || encoding !== "raw" || codec !== undefined ||
    more.length > 0 || video?.codec !== "rawvideo";
  if (isMade || turnFilters(video).length > 0 || floatConversion(video)) return undefined;
  return video;
}

/**
 * Writes a format of FFmpeg to standard output. Raw video is written without FFmpeg, which would hold
 * some frames of it: a slow reader gets newer ones.
 */
export class FormattedPipeSink implements Sink {
  #sink: WritableStream<Uint8Array>;
  #options: FormattedPipeOptions;
  #output: EncodedOutput | undefined;
  /** Takes pixels as they are. */
  #pixels: { id: number; writer: WritableStreamDefaultWriter<Uint8Array> } | undefined;
  /** Settles when FFmpeg's output is written. */
  #piping: Promise<void> = Promise.resolve();
  /** Why standard output takes no more. */
  #failure: unknown;
  readonly notes: string[] = [];

  constructor(sink: WritableStream<Uint8Array>, options: FormattedPipeOptions) {
    this.#sink = sink;
    this.#options = options;
  }

  async begin(presentation: Presentation): Promise<void> {
    if (this.#output !== undefined || this.#pixels !== undefined) {
      const note = await this.finish(true);
      if (note !== undefined) this.notes.push(note);
      throw changedStreams(presentation);
    }
    const asIs = videoAsIs(presentation, this.#options);
    if (asIs !== undefined) {
      this.#pixels = { id: asIs.id, writer: this.#sink.getWriter() };
      // Failures are reported by the failing write.
      this.#pixels.writer.closed.catch(() => {});
      return;
    }
    const { format } = this.#options;
    const output = await EncodedOutput.start(presentation, pipeTarget(format), {
      ...this.#options,
      stdout: "piped",
      explain: (reason) => `Cannot write ${format} to standard output: ${reason}`,
    });
    this.#output = output;
    this.#piping = output.stdout.pipeTo(this.#sink).catch(async (error) => {
      // Without a reader, FFmpeg would block for ever, and show() with it.
      this.#failure = error;
      await output[Symbol.asyncDispose]();
    });
  }

  async show(frame: Frame): Promise<boolean> {
    if (this.#pixels !== undefined) {
      const { id, writer } = this.#pixels;
      return frame.streamId !== id || await taken(() => writer.write(frame.data));
    }
    return await this.#taken(async () => await this.#output?.write(frame) ?? false);
  }

  async finish(_whole: boolean): Promise<string | undefined> {
    const { writer } = this.#pixels ?? {};
    if (writer !== undefined) await taken(() => writer.close());
    if (this.#output === undefined || this.#output.frames === 0) return undefined;
    const { notes } = this.#output;
    await this.#taken(async () => {
      await this.#output?.finish();
      await this.#piping;
      return true;
    });
    return notes.length === 0 ? undefined : notes.join("; ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#output?.[Symbol.asyncDispose]();
    await this.#piping;
  }

  /** @returns false if the reader has closed the pipe, as `head` does */
  async #taken(action: () => Promise<boolean>): Promise<boolean> {
    try {
      const done = await action();
      if (this.#failure === undefined) return done;
    } catch (error) {
      if (this.#failure === undefined) throw error;
    }
    if (this.#failure instanceof Deno.errors.BrokenPipe) return false;
    throw new Error(`Cannot write to standard output: ${messageOf(this.#failure)}`, {
      cause: this.#failure,
    });
  }
}
