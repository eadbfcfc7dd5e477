/** One timeline for all runs of a live source. */
import type { AnyStream, Rational } from "../../media/frame.ts";

/** Seconds from the last frame of a run to the first of the next, at least. */
const MIN_GAP = 0.001;

/** Maps the timestamps of all runs of a source to one timeline that begins at 0 and never goes back. */
export class LiveTimeline {
  /** Milliseconds, on any clock, of time 0. */
  #zero: number | undefined;
  /** Seconds to add to the timestamps of the current run. */
  #shift = 0;
  /** Seconds of the latest frame. */
  #latest = 0;

  /**
   * Begins a run.
   *
   * @param first seconds of its first frame by its own timestamps
   * @param now milliseconds, always on the same clock
   */
  begin(first: number, now: number): void {
    const isFirstRun = this.#zero === undefined;
    this.#zero ??= now;
    const seconds = Math.max((now - this.#zero) / 1000, isFirstRun ? 0 : this.#latest + MIN_GAP);
    this.#shift = seconds - first;
  }

  /**
   * Converts a timestamp of the run.
   *
   * @param ticks in the run's own time base
   * @returns ticks in the time base of the stream's description
   */
  convert(ticks: number, from: Rational, to: Rational): number {
    const scale = (from[0] * to[1]) / (from[1] * to[0]);
    const shifted = Math.round(ticks * scale) + Math.round(this.#shift * to[1] / to[0]);
    this.#latest = Math.max(this.#latest, shifted * to[0] / to[1]);
    return shifted;
  }
}

/** Returns the streams of a run with the time bases of an earlier run of the same streams. */
export function inTimeBasesOf<Stream extends AnyStream>(
  earlier: readonly Stream[],
  streams: readonly Stream[],
): Stream[] {
  return streams.map((stream, at) => ({ ...stream, timeBase: earlier[at].timeBase }));
}
