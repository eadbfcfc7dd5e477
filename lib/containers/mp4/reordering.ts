/** How far the frames of a track are reordered. */
import type { SampleTable } from "./sample_table.ts";

/** Frames that FFmpeg compares at most (libavformat/mov.c, `mov_estimate_video_delay`). */
const MAX_COMPARED = 16;

/**
 * Frames by which decoding has to be ahead, as FFmpeg estimates it from the timestamps of H.264: the
 * largest number of earlier frames that are shown later than one.
 */
export function reorderingOf(
  { count, decodeTimes, delays }: Pick<SampleTable, "count" | "decodeTimes" | "delays">,
): number {
  if (delays === undefined) return 0;
  // The latest timestamps, ascending.
  const latest: number[] = [];
  let most = 0;
  for (let index = 0; index < count; index++) {
    const time = decodeTimes[index] + delays[index];
    let at = latest.length;
    while (at > 0 && latest[at - 1] > time) at--;
    most = Math.max(most, latest.length - at);
    latest.splice(at, 0, time);
    if (latest.length > MAX_COMPARED) latest.shift();
  }
  return most;
}
