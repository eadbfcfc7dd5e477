/** Reproducible random numbers. */

/** Pseudo-random numbers (sfc32, from PractRand). */
export class Random {
  #state: Uint32Array;

  /**
   * @param seed of a family of sequences
   * @param turn which sequence of the family
   */
  constructor(seed: number, turn = 0) {
    this.#state = Uint32Array.of(seed, Math.floor(seed / 2 ** 32), turn, 1);
    // Separates the sequences of neighbouring seeds.
    for (let round = 0; round < 12; round++) this.#next();
  }

  /** An integer from 0 up to, but not including, `limit`, at most 2^32. */
  below(limit: number): number {
    return Math.floor(this.#next() / 2 ** 32 * limit);
  }

  /** Whether an event happens that has the chance 1 in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  /** One of some values. */
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }

  /** An integer from 0 up to, but not including, `limit`; mostly a small one. */
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
