/** Media on standard output. */
import { messageOf } from "../../base/errors.ts";
import type { Frame } from "../../media/frame.ts";
import { NutWriter } from "../../nut/writer.ts";
import { type Presentation, type Sink, summaryOf } from "../sink.ts";
import { EncodedOutput, type EncodedOutputOptions } from "./encoder.ts";
import { pipeTarget } from "./target.ts";

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
    this.#writer = new NutWriter(this.#sink, streams, { lead });
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

/** Writes a format of FFmpeg to standard output. */
export class FormattedPipeSink implements Sink {
  #sink: WritableStream<Uint8Array>;
  #options: FormattedPipeOptions;
  #output: EncodedOutput | undefined;
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
    if (this.#output !== undefined) {
      const note = await this.finish(true);
      if (note !== undefined) this.notes.push(note);
      throw changedStreams(presentation);
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
    return await this.#taken(async () => await this.#output?.write(frame) ?? false);
  }

  async finish(_whole: boolean): Promise<string | undefined> {
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
