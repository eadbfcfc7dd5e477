/** Milliseconds before the first try again, and the most there ever are. */
const FIRST = 1000;
const LONGEST = 30_000;

/** Part of a wait that is left to chance, so that many who failed together do not return so. */
const JITTER = 0.25;

/** How long to wait before trying again what failed: doubled each time, up to half a minute. */
export class Backoff {
  #random: () => number;
  #wait = FIRST;

  /** @param random gives numbers from 0 up to 1, as `Math.random` does */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /**
   * Milliseconds to wait before the next try: 1 s, 2 s, 4 s … 30 s, each up to a quarter longer or
   * shorter, but never below 1 s nor above 30 s.
   */
  next(): number {
    const wait = this.#wait * (1 + JITTER * (2 * this.#random() - 1));
    this.#wait = Math.min(this.#wait * 2, LONGEST);
    return Math.round(Math.min(Math.max(wait, FIRST), LONGEST));
  }

  /** Begins anew, after all went well for a while. */
  reset(): void {
    this.#wait = FIRST;
  }
}
