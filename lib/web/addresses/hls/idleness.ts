/** When nobody asks for something any more. */
import type { Clock } from "../../../base/clock.ts";

/** Milliseconds without a request that count as idle: more than players wait between two. */
const IDLE = 12_000;

/** Notices when nobody has asked for a while. */
export class Idleness {
  #clock: Clock;
  /** When somebody asked last, milliseconds of the clock. */
  #asked: number;
  /** Requests that are being served. */
  #serving = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#asked = clock.now();
  }

  /** Notes a request, which is served until disposed. */
  serve(): Disposable {
    this.#serving++;
    return {
      [Symbol.dispose]: () => {
        this.#serving--;
        this.#asked = this.#clock.now();
      },
    };
  }

  /**
   * Waits until nobody has asked for 12 seconds.
   *
   * @throws the signal's reason if it aborts first
   */
  async begins(signal: AbortSignal): Promise<void> {
    while (true) {
      const now = this.#clock.now();
      const left = (this.#serving > 0 ? now : this.#asked) + IDLE - now;
      if (left <= 0) return;
      await this.#clock.sleep(left, signal);
    }
  }
}
