/** Bounds the encoders that seeks start for renditions that differ in nothing but their beginning. */
import { abortable, deadline } from "../../base/async.ts";

/**
 * Milliseconds after which a seek gets an encoder all the same: those that run may never be far ahead
 * of their readers, if they are slow or memory is scarce. Decoder slots are the limit then.
 */
const PATIENCE = 5000;

/** Options of {@linkcode EncoderGate}. */
export interface EncoderGateOptions {
  /** Encoders of a family at once. */
  max: number;
  /** Number of those that run. */
  running: (family: string) => number;
  /** Ends one that is far ahead of its readers, if there is one. */
  stopIdle: (family: string) => void;
  /** Milliseconds that a seek waits at most. @default 5000 */
  patience?: number;
}

interface Waiting {
  family: string;
  isNeedless: () => boolean;
  resolve: (pass: Disposable | undefined) => void;
}

/** Lets seeks start encoders, or wait until others have made what they need. */
export class EncoderGate {
  #options: EncoderGateOptions;
  /** Passes of encoders that do not run yet. */
  #passes = new Map<string, number>();
  /** In the order of their arrival. */
  #waiting: Waiting[] = [];

  constructor(options: EncoderGateOptions) {
    this.#options = options;
  }

  /**
   * Waits until one more encoder may start, or the patience is over.
   *
   * @returns to dispose of once it has started; `undefined` if none is needed any more
   * @throws the signal's reason if it aborts first
   */
  async enter(
    family: string,
    { isNeedless, signal }: Pick<Waiting, "isNeedless"> & { signal: AbortSignal },
  ): Promise<Disposable | undefined> {
    const { promise, resolve } = Promise.withResolvers<Disposable | undefined>();
    const waiting = { family, isNeedless, resolve };
    this.#waiting.push(waiting);
    this.review();
    const { patience = PATIENCE } = this.#options;
    using _limit = deadline(patience, () => {
      if (this.#waiting.includes(waiting)) this.#letIn(waiting);
    });
    try {
      return await abortable(promise, signal);
    } catch (error) {
      // A pass may have come at the same time.
      promise.then((pass) => pass?.[Symbol.dispose]());
      resolve(undefined);
      throw error;
    } finally {
      this.#leave(waiting);
    }
  }

  /** Lets those go on whose turn it is, or who need no encoder any more. */
  review(): void {
    for (const waiting of [...this.#waiting]) {
      const { family, isNeedless, resolve } = waiting;
      // A pass that is given back meanwhile lets others go on.
      if (!this.#waiting.includes(waiting)) continue;
      if (isNeedless()) {
        resolve(undefined);
        this.#leave(waiting);
        continue;
      }
      if (this.#isFull(family)) this.#options.stopIdle(family);
      // One that was ended makes room at once.
      if (!this.#isFull(family)) this.#letIn(waiting);
    }
  }

  #letIn(waiting: Waiting): void {
    waiting.resolve(this.#pass(waiting.family));
    this.#leave(waiting);
  }

  #leave(waiting: Waiting): void {
    this.#waiting = this.#waiting.filter((other) => other !== waiting);
  }

  #isFull(family: string): boolean {
    const { max, running } = this.#options;
    return running(family) + (this.#passes.get(family) ?? 0) >= max;
  }

  #pass(family: string): Disposable {
    this.#passes.set(family, (this.#passes.get(family) ?? 0) + 1);
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        const left = this.#passes.get(family)! - 1;
        if (left === 0) this.#passes.delete(family);
        else this.#passes.set(family, left);
        // An encoder may have failed to start, or not have been needed.
        this.review();
      },
    };
  }
}
