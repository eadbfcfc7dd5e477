import { isConnectionLost, ProcessError } from "../base/errors.ts";
import { type Process, type ProcessOptions, startProcess } from "../ffmpeg/process.ts";
import { plainLines } from "../ffmpeg/stderr.ts";
import type { Frame, StreamDescription } from "../media/frame.ts";
import { NutWriter, type NutWriterOptions } from "../nut/writer.ts";
import type { PrivateSocket } from "./window/socket.ts";

/** Options of {@linkcode FfmpegProcess}. */
export interface FfmpegProcessOptions
  extends Pick<ProcessOptions, "stdout" | "env" | "signal">, NutWriterOptions {
  streams: readonly StreamDescription[];
  /** Where the program reads from instead of its standard input. */
  socket?: PrivateSocket;
}

/** A child program that takes frames as NUT, on its standard input or a socket: FFmpeg, ffplay. */
export class FfmpegProcess implements AsyncDisposable {
  #process: Process;
  #writer: NutWriter;

  /**
   * Starts the program.
   *
   * @throws {MissingProgramError} where it is not installed
   */
  constructor(program: string, args: readonly string[], options: FfmpegProcessOptions) {
    const { streams, socket, stdout = "null", env, signal, lead, timeline } = options;
    const stdin = socket === undefined ? "piped" : "null";
    try {
      this.#process = startProcess(program, args, { stdin, stdout, env, signal });
    } catch (error) {
      socket?.withdraw();
      throw error;
    }
    const input = socket?.writable ?? this.#process.stdin;
    this.#writer = new NutWriter(input, streams, { lead, timeline });
    if (socket !== undefined) this.#process.ended().then(() => socket.withdraw());
  }

  /** Number of the program's process. */
  get pid(): number {
    return this.#process.pid;
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

  /**
   * Waits until the program ends.
   *
   * @throws {ProcessError} where it fails
   */
  async finished(): Promise<void> {
    await this.#process.finished();
  }

  /** Ends the program at once. Harmless when it has ended. */
  kill(): void {
    this.#process.kill();
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
      if (!isConnectionLost(error)) throw error;
      await this.#process.finished();
      return false;
    }
  }
}

/** What encoders tell of themselves before anything is wrong. */
const CHATTER = /^\w+ \[(info|warning)\]: /;

/** What FFmpeg says, by the name of its function, in front of a reason. */
const FUNCTION = /^av_\w+\(\): /;

/** What FFmpeg says, in one version with a number, where nothing of what came is for a type. */
const NO_STREAM = /^Output file (#\d+ )?does not contain any stream$/;

/** Longest reason that is handed on, characters. */
const MAX_REASON = 300;

/**
 * The reason in a program's first complaint, for an error message of one line: those that follow
 * it are mostly its consequences. FFmpeg's own address of the part that complains is left out.
 */
export function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof ProcessError)) return undefined;
  const { stderr, signal } = error.failure;
  const first = plainLines(stderr).find((line) => !CHATTER.test(line)) ?? "";
  // What was said before a crash has nothing to do with it.
  if (signal !== null) return `${error.program} was ended by ${signal}`;
  const said = first.replace(FUNCTION, "");
  if (NO_STREAM.test(said)) {
    return "this type takes nothing of what came, expected one for sound, or for pictures";
  }
  return said.slice(0, MAX_REASON) || error.message;
}
