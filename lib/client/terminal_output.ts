import { messageOf, OutputClosedError } from "../core/errors.ts";

/** Where text is written to without waiting for it. */
export interface TextTarget {
  isTerminal(): boolean;
  /** Writes some of the bytes and tells how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Writes to standard output that leave the program at work while a slow terminal takes them. */
export class TerminalOutput {
  #target: TextTarget;
  #wasTerminal: boolean;
  #onGone: () => void;
  #turn: Promise<void> = Promise.resolve();
  #waiting = 0;
  #encoder = new TextEncoder();

  /** @param onGone called where a write finds that the terminal is gone */
  constructor(target: TextTarget, onGone: () => void) {
    this.#target = target;
    this.#wasTerminal = target.isTerminal();
    this.#onGone = onGone;
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
      // A terminal that is closed is none any more. Its last writes may fail before SIGHUP comes.
      const isGone = this.#wasTerminal && !this.#target.isTerminal();
      if (isGone) this.#onGone();
      if (isGone || cause instanceof Deno.errors.BrokenPipe) {
        throw new OutputClosedError(message, { cause });
      }
      throw new Error(message, { cause });
    } finally {
      this.#waiting--;
      resolve();
    }
  };
}
