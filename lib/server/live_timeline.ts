/** The one time line of a live source, however often it is started again. Pure. */
import type { Rational } from "../core/frame.ts";

/** Seconds by which a new run at least comes after the one before. */
const SHORTEST_GAP = 0.001;

/** Turns each run's own timestamps into those of the whole: from 0 on, never back. */
export class LiveTimeline {
  /** Milliseconds, on any clock, of the moment 0. */
  #zero: number | undefined;
  /** Seconds that are added to the run's own. */
  #shift = 0;
  /** Seconds of the latest frame. */
  #latest = 0;

  /**
   * Begins a run.
   *
   * @param first seconds, on the run's own time line, of its first frame
   * @param now milliseconds, on the same clock each time
   */
  begin(first: number, now: number): void {
    const isFirstRun = this.#zero === undefined;
    this.#zero ??= now;
    const moment = Math.max(
      (now - this.#zero) / 1000,
      isFirstRun ? 0 : this.#latest + SHORTEST_GAP,
    );
    this.#shift = moment - first;
  }

  /**
   * Converts a timestamp of the run.
   *
   * @param ticks in the run's own time base
   * @returns ticks in the time base that the stream was described with
   */
  convert(ticks: number, from: Rational, to: Rational): number {
    const scale = (from[0] * to[1]) / (from[1] * to[0]);
    const shifted = Math.round(ticks * scale) + Math.round(this.#shift * to[1] / to[0]);
    this.#latest = Math.max(this.#latest, shifted * to[0] / to[1]);
    return shifted;
  }
}
