/** Asks a live source for keyframes, no more often than it should give them. */
import type { Clock } from "../../base/clock.ts";
import type { LiveFeed } from "./feed.ts";

/** Milliseconds between two requests for a keyframe; they make a video larger. */
const INTERVAL = 500;

/** Requests for keyframes of one source, for all its subscribers. */
export class KeyframeRequests {
  #clock: Clock;
  #signal: AbortSignal;
  /** A request waits until it may be made. */
  #isWanted = false;
  /** Clock time of the last request. */
  #askedAt = -Infinity;

  /** @param signal ends the requests */
  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
  }

  /**
   * Asks the source for a keyframe, now or a little later, if it can be asked.
   *
   * @param feed gives the run that the source is in then
   */
  async ask(feed: () => LiveFeed | undefined): Promise<void> {
    if (this.#isWanted || feed()?.requestKeyframe === undefined) return;
    this.#isWanted = true;
    try {
      const wait = this.#askedAt + INTERVAL - this.#clock.now();
      if (wait > 0) await this.#clock.sleep(wait, this.#signal);
    } catch (error) {
      if (!this.#signal.aborted) throw error;
      return;
    }
    this.#isWanted = false;
    this.#askedAt = this.#clock.now();
    feed()?.requestKeyframe?.();
  }
}
