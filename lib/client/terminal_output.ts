import { messageOf, OutputClosedError } from "../core/errors.ts";

/** Where text is written to without waiting for it. */
export interface TextTarget {
  /** Writes some of the bytes and tells how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Writes to standard output that leave the program at work while a slow terminal takes them. */
export class TerminalOutput {
  #target: TextTarget;
  #turn: Promise<void> = Promise.resolve();
  #waiting = 0;
  #encoder = new TextEncoder();

  constructor(target: TextTarget) {
    this.#target = target;
  }

  /** Whether something is still being written. */
  get busy(): boolean {
    return this.#waiting > 0;
  }

  /**
   * Writes text, whole, and behind what was to be written before.
   *
   * @throws {OutputClosedError} where nobody reads it any more
   * @throws {Error} where it takes no more
   */
  draw = async (text: string): Promise<void> => {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    this.#waiting++;
    await before;
    try {
      let bytes = this.#encoder.encode(text);
      while (bytes.byteLength > 0) bytes = bytes.subarray(await this.#target.write(bytes));
    } catch (cause) {
      const message = `Cannot write to standard output: ${messageOf(cause)}`;
      if (cause instanceof Deno.errors.BrokenPipe) throw new OutputClosedError(message, { cause });
      throw new Error(message, { cause });
    } finally {
      this.#waiting--;
      resolve();
    }
  };
}
