import { DeadlineError } from "./errors.ts";

/** Output of a {@linkcode ByteWriter}: a socket. */
export interface ByteOutput {
  /** Writes some of the bytes and returns how many, at least one. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Options of {@linkcode ByteWriter}. */
export interface ByteWriterOptions {
  /** Milliseconds without progress after which a write fails. */
  stallTimeout: number;
  /** Called on a stall; must make the pending write fail, as closing the socket does. */
  onStall: () => void;
}

/** Writes whole messages to a socket with a stall timeout. Overlapping calls do not interleave. */
export class ByteWriter {
  #output: ByteOutput;
  #options: ByteWriterOptions;
  #turn: Promise<void> = Promise.resolve();
  #stalled = false;

  constructor(output: ByteOutput, options: ByteWriterOptions) {
    this.#output = output;
    this.#options = options;
  }

  /**
   * Writes all of `parts` in order. They must not change until the result resolves.
   *
   * @throws {DeadlineError} if the peer takes nothing for `stallTimeout`
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
        written += await this.#output.write(written === 0 ? bytes : bytes.subarray(written));
      } finally {
        clearTimeout(timer);
      }
    }
  }
}
