import { ProcessError } from "../core/errors.ts";
import type { Frame, StreamDescription } from "../core/frame.ts";
import { NutWriter, type NutWriterOptions } from "./nut_writer.ts";
import { type Process, type ProcessOptions, startProcess } from "./process.ts";

/** Options of {@linkcode FrameSink}. */
export interface FrameSinkOptions
  extends Pick<ProcessOptions, "stdout" | "env" | "signal">, NutWriterOptions {
  streams: readonly StreamDescription[];
}

/** A child program that takes frames as NUT on its standard input: FFmpeg or ffplay. */
export class FrameSink implements AsyncDisposable {
  #process: Process;
  #writer: NutWriter;

  /**
   * Starts the program.
   *
   * @throws {MissingProgramError} where it is not installed
   */
  constructor(program: string, args: readonly string[], options: FrameSinkOptions) {
    const { streams, stdout = "null", env, signal, lead, speed } = options;
    this.#process = startProcess(program, args, { stdin: "piped", stdout, env, signal });
    this.#writer = new NutWriter(this.#process.stdin, streams, { lead, speed });
  }

  /** What the program writes; only where `stdout` is piped. */
  get stdout(): ReadableStream<Uint8Array> {
    return this.#process.stdout;
  }

  /**
   * Hands a frame over; resolves when the program has taken it.
   *
   * @returns false where the program has ended by its own wish and takes no more
   * @throws {ProcessError} where it failed
   */
  async write(frame: Frame): Promise<boolean> {
    return await this.#taken(() => this.#writer.write(frame));
  }

  /**
   * Ends the program's input and waits until it is done with it.
   *
   * @throws {ProcessError} where it failed
   */
  async finish(): Promise<void> {
    await this.#taken(() => this.#writer.close());
    await this.#process.finished();
  }

  /** Waits until the program ends, however it does. */
  async ended(): Promise<void> {
    await this.#process.ended();
  }

  /** Ends the program at once and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    await this.#writer.abort();
  }

  async #taken(action: () => Promise<void>): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
      await this.#process.finished();
      return false;
    }
  }
}

/** Longest reason that is handed on, characters. */
const MAX_REASON = 300;

/**
 * The reason in a program's first complaint, for an error message of one line: those that follow
 * it are mostly its consequences. FFmpeg's own address of the part that complains is left out.
 */
export function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof ProcessError)) return undefined;
  const [first] = error.failure.stderr.trim().split("\n");
  return first.replace(/^\[[^\]]* @ 0x[0-9a-f]+\] */, "").slice(0, MAX_REASON) || error.message;
}
