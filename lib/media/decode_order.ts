/** A frame with the time at which it is due: the earliest timestamp yet to be shown. */
export interface Due<T> {
  item: T;
  /** Seconds; never decreases. */
  due: number;
}

/**
 * Computes when frames in decoding order are due: at the earliest timestamp yet to be shown, as NUT
 * does (specification, "dts"). Times before 0 become 0.
 *
 * The first `delay` frames are held back, since the time at which the first is due depends on them.
 */
export class DecodeOrder<T> {
  #delay: number;
  /** Frames held back at the beginning. */
  #held: T[] = [];
  /** Timestamps yet to be shown, seconds, in ascending order; at most `delay` + 1. */
  #times: number[] = [];
  #last = 0;
  #started = false;

  /** @param delay most frames by which decoding and presentation order differ */
  constructor(delay: number) {
    this.#delay = delay;
  }

  /**
   * Takes the next frame in decoding order.
   *
   * @param time timestamp, seconds
   * @returns the frames of which it is now known when they are due, in decoding order
   */
  add(item: T, time: number): Due<T>[] {
    this.#held.push(item);
    // In place, since this is run for each frame of each viewer.
    let at = this.#times.push(time) - 1;
    for (; at > 0 && this.#times[at - 1] > time; at--) this.#times[at] = this.#times[at - 1];
    this.#times[at] = time;
    return this.#times.length > this.#delay ? this.#release() : [];
  }

  /** Returns the frames that are still held back at the end. */
  end(): Due<T>[] {
    return this.#started ? [] : this.#release();
  }

  #release(): Due<T>[] {
    // The frames held back at the beginning are all due at their earliest time.
    const earliest = this.#started ? this.#times.shift() : this.#times[0];
    if (!this.#started && this.#times.length > this.#delay) this.#times.shift();
    this.#started = true;
    this.#last = Math.max(this.#last, earliest ?? 0);
    const due = this.#last;
    const released = this.#held.map((item) => ({ item, due }));
    this.#held.length = 0;
    return released;
  }
}
