/** Milliseconds below which latencies are not told apart. */
const SMALLEST = 0.1;

/** Each class is that much wider than the one before: values are good to 1 %. */
const GROWTH = 1.02;

/** Classes, the last for all above two weeks. */
const CLASSES = 1175;

/** Latencies, counted in classes, so that any number of them takes the same memory. */
export class LatencyHistogram {
  #counts = new Uint32Array(CLASSES);
  #total = 0;

  /** @param milliseconds negative ones, from clocks that are not quite known, count as none */
  add(milliseconds: number): void {
    const steps = Math.log(Math.max(milliseconds, SMALLEST) / SMALLEST) / Math.log(GROWTH);
    this.#counts[Math.min(CLASSES - 1, Math.floor(steps))]++;
    this.#total++;
  }

  /**
   * The latency that a share of all does not exceed.
   *
   * @param share 0 to 1, such as 0.95
   * @returns milliseconds; `undefined` where there are none
   */
  percentile(share: number): number | undefined {
    if (this.#total === 0) return undefined;
    const wanted = Math.max(1, Math.ceil(share * this.#total));
    let seen = 0;
    const found = this.#counts.findIndex((count) => (seen += count) >= wanted);
    return SMALLEST * GROWTH ** (found + 0.5);
  }
}
