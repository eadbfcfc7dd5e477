/** Chance that is the same every time. Pure. */

/** Numbers by chance, decided by a seed alone (sfc32, from PractRand). */
export class Random {
  #state: Uint32Array;

  /**
   * @param seed which row of numbers it is
   * @param turn which of the rows of that seed
   */
  constructor(seed: number, turn = 0) {
    this.#state = Uint32Array.of(seed, Math.floor(seed / 2 ** 32), turn, 1);
    // Until seeds that are next to each other have nothing in common any more.
    for (let round = 0; round < 12; round++) this.#next();
  }

  /** A whole number from 0 to below `limit`, which is 2^32 at the most. */
  below(limit: number): number {
    return Math.floor(this.#next() / 2 ** 32 * limit);
  }

  /** True once in so many times. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  /** One of some values. */
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }

  /** A small number mostly, a large one now and then: from 0 to below `limit`. */
  size(limit: number): number {
    return Math.min(limit - 1, this.below(2 ** (1 + this.below(1 + Math.ceil(Math.log2(limit))))));
  }

  #next(): number {
    const state = this.#state;
    const [a, b, c, count] = state;
    const result = (a + b + count) >>> 0;
    state[3] = count + 1;
    state[0] = b ^ b >>> 9;
    state[1] = c + (c << 3);
    state[2] = (c << 21 | c >>> 11) + result;
    return result;
  }
}
