import type { Statistics } from "../statistics.ts";

/** What the page is told of a play, twice a second. */
export interface PlayStats {
  frames: number;
  audioFrames: number;
  bytes: number;
  dropped: number;
  /** Pictures a second, over the whole time. */
  fps: number;
  /** Milliseconds from a live picture's capture to its arrival; null where nothing is live. */
  latencyMs: { p50: number; p95: number } | null;
  /** Seconds of the media up to which it has come. */
  position: number;
}

/**
 * What is counted, in the form for the page.
 *
 * @param start seconds of the media at which the time line of the timestamps begins
 */
export function statsOf(statistics: Statistics, start: number): PlayStats {
  const { frames, audioFrames, bytes, dropped, framesPerSecond, latency, position } = statistics;
  return {
    ...{ frames, audioFrames, bytes, dropped },
    fps: Number(framesPerSecond.toFixed(2)),
    latencyMs: latency === undefined
      ? null
      : { p50: Number(latency.p50.toFixed(1)), p95: Number(latency.p95.toFixed(1)) },
    position: start + position,
  };
}
