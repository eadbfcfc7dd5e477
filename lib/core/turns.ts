/** Lets a bounded number of things happen at once; others wait in their order. */
export class Turns {
  #free: number;
  #waiting: (() => void)[] = [];

  /** @param count that may happen at once */
  constructor(count: number) {
    this.#free = count;
  }

  /**
   * Does something in its turn.
   *
   * @throws the signal's reason where it fires before the turn comes, or whatever the action throws
   */
  async take<T>(action: () => Promise<T>, { signal }: { signal: AbortSignal }): Promise<T> {
    await this.#turn(signal);
    try {
      return await action();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = () => {
      this.#waiting = this.#waiting.filter((waiting) => waiting !== resolve);
      reject(signal.reason);
    };
    this.#waiting.push(resolve);
    signal.addEventListener("abort", giveUp);
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }
}
