/** FFmpeg or a player, reading NUT from its input. */
import { isConnectionLost, ProcessError } from "../base/errors.ts";
import { type Process, type ProcessOptions, startProcess } from "../ffmpeg/process.ts";
import { plainLines } from "../ffmpeg/stderr.ts";
import type { Frame, StreamDescription } from "../media/frame.ts";
import { NutWriter, type NutWriterOptions } from "../nut/writer.ts";
import type { PrivateSocket } from "./window/socket.ts";

/** Options of {@linkcode FfmpegProcess}. */
export interface FfmpegProcessOptions
  extends Pick<ProcessOptions, "stdout" | "env" | "signal" | "becomes">, NutWriterOptions {
  streams: readonly StreamDescription[];
  /** Read by the program instead of its standard input. */
  socket?: PrivateSocket;
}

/** FFmpeg or a player, fed with frames as NUT on its standard input or a socket. */
export class FfmpegProcess implements AsyncDisposable {
  #process: Process;
  #writer: NutWriter;
  /** It has exited with success before its input was closed. */
  #hasEnded = false;

  /**
   * Starts the program.
   *
   * @throws {MissingProgramError} if it is not installed
   */
  constructor(program: string, args: readonly string[], options: FfmpegProcessOptions) {
    const { streams, socket, stdout = "null", env, signal, becomes } = options;
    const { lead, timeline, tags } = options;
    const stdin = socket === undefined ? "piped" : "null";
    try {
      this.#process = startProcess(program, args, { stdin, stdout, env, signal, becomes });
    } catch (error) {
      socket?.withdraw();
      throw error;
    }
    const input = socket?.writable ?? this.#process.stdin;
    this.#writer = new NutWriter(input, streams, { lead, timeline, tags });
    if (socket !== undefined) this.#process.ended().then(() => socket.withdraw());
  }

  /** Standard output, if `stdout` is piped. */
  get stdout(): ReadableStream<Uint8Array> {
    return this.#process.stdout;
  }

  /**
   * Writes a frame; resolves when the program has taken it.
   *
   * @returns false if the program has exited with success and takes no more
   * @throws {ProcessError} if it failed
   */
  async write(frame: Frame): Promise<boolean> {
    return await this.#taken(() => this.#writer.write(frame));
  }

  /**
   * Closes the program's input and waits until it exits, unless it has done so by itself.
   *
   * @throws {ProcessError} if it fails
   */
  async finish(): Promise<void> {
    if (!this.#hasEnded) await this.#taken(() => this.#writer.close());
    await this.#process.finished();
  }

  /**
   * Waits until the program exits.
   *
   * @throws {ProcessError} if it fails
   */
  async finished(): Promise<void> {
    await this.#process.finished();
  }

  kill(): void {
    this.#process.kill();
  }

  /** Waits until the program exits, with success or not. */
  async ended(): Promise<void> {
    await this.#process.ended();
  }

  /** Kills the program and waits until it has exited. */
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
      this.#hasEnded = true;
      return false;
    }
  }
}

/** Lines of encoders that report no failure. */
const CHATTER = /^\w+ \[(info|warning)\]: /;

/** Name of an FFmpeg function in front of a reason. */
const FUNCTION = /^av_\w+\(\): /;

/** FFmpeg's message if a format takes none of the streams; one version adds a number. */
const NO_STREAM = /^Output file (#\d+ )?does not contain any stream$/;

/** Longest reason, characters. */
const MAX_REASON = 300;

/**
 * One-line reason of a failure, from the first complaint on stderr: later ones are mostly its
 * consequences.
 *
 * @returns `undefined` if the error is no failure of a program
 */
export function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof ProcessError)) return undefined;
  const { stderr, signal } = error.failure;
  const first = plainLines(stderr).find((line) => !CHATTER.test(line)) ?? "";
  // Earlier output is unrelated to a crash.
  if (signal !== null) return `${error.program} was ended by ${signal}`;
  const said = first.replace(FUNCTION, "");
  if (NO_STREAM.test(said)) {
    return "this type stores none of the streams, expected one for audio or video";
  }
  return said.slice(0, MAX_REASON) || error.message;
}
