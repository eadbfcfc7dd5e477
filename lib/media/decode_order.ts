/** When frames are due that do not come in the order in which they are shown. Pure. */

/** A frame, and the moment at which it is due. */
export interface Due<T> {
  item: T;
  /** Seconds, never less than of the one before. */
  due: number;
}

/**
 * Tells when frames are due that come in the order of decoding: at the earliest moment that is yet
 * to be shown, as NUT does it (specification, "dts"). What lies before 0 is due at 0.
 *
 * Holds as many frames back as the orders differ by at the beginning, since only those that follow
 * tell when the first one is due.
 */
export class DecodeOrder<T> {
  #delay: number;
  /** Frames that wait for a moment, only at the beginning. */
  #waiting: T[] = [];
  /** Moments not yet used, the earliest first: one more than the delay at the most. */
  #moments: number[] = [];
  #last = 0;
  #begun = false;

  /** @param delay frames by which the two orders differ at the most */
  constructor(delay: number) {
    this.#delay = delay;
  }

  /**
   * Takes a frame.
   *
   * @param moment seconds at which it is shown
   * @returns the frames that are known to be due by that, in the order in which they came
   */
  add(item: T, moment: number): Due<T>[] {
    this.#waiting.push(item);
    const at = this.#moments.findIndex((other) => other > moment);
    this.#moments.splice(at < 0 ? this.#moments.length : at, 0, moment);
    return this.#moments.length > this.#delay ? this.#release() : [];
  }

  /** Gives what is still held back at the end. */
  end(): Due<T>[] {
    return this.#begun ? [] : this.#release();
  }

  #release(): Due<T>[] {
    // The first ones are all due at the earliest of their moments.
    const earliest = this.#begun ? this.#moments.shift() : this.#moments[0];
    if (!this.#begun && this.#moments.length > this.#delay) this.#moments.shift();
    this.#begun = true;
    this.#last = Math.max(this.#last, earliest ?? 0);
    const due = this.#last;
    return this.#waiting.splice(0).map((item) => ({ item, due }));
  }
}
