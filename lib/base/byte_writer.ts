import { DeadlineError } from "./errors.ts";

/** Where a {@linkcode ByteWriter} writes to: a socket. */
export interface ByteSink {
  /** Writes some of the bytes, at least one, and tells how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Options of {@linkcode ByteWriter}. */
export interface ByteWriterOptions {
  /** Milliseconds without any progress after which the peer counts as gone. */
  stallTimeout: number;
  /** Called then; must make the pending write fail, as closing the socket does. */
  onStall: () => void;
}

/**
 * Whole writes to a socket, with a deadline on standing still.
 *
 * Each call's bytes go out in one run, however many calls overlap, so messages never mix.
 */
export class ByteWriter {
  #sink: ByteSink;
  #options: ByteWriterOptions;
  #turn: Promise<void> = Promise.resolve();
  #stalled = false;

  constructor(sink: ByteSink, options: ByteWriterOptions) {
    this.#sink = sink;
    this.#options = options;
  }

  /**
   * Writes all of `parts`, one behind the other; they must stay as they are until then.
   *
   * @throws {DeadlineError} where the peer takes nothing for too long
   */
  async write(...parts: readonly Uint8Array[]): Promise<void> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    try {
      for (const bytes of parts) await this.#writeAll(bytes);
    } catch (cause) {
      if (!this.#stalled) throw cause;
      const seconds = this.#options.stallTimeout / 1000;
      throw new DeadlineError(`The peer took nothing for ${seconds} s`, { cause });
    } finally {
      resolve();
    }
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    let written = 0;
    while (written < bytes.byteLength) {
      const timer = setTimeout(() => {
        this.#stalled = true;
        this.#options.onStall();
      }, this.#options.stallTimeout);
      try {
        written += await this.#sink.write(written === 0 ? bytes : bytes.subarray(written));
      } finally {
        clearTimeout(timer);
      }
    }
  }
}
