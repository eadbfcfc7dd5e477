/** How long media lasts, by what FFmpeg says of it. Pure. */

/** When something begins and how long it lasts, seconds; absent where FFmpeg does not say. */
export interface Extent {
  start?: number;
  duration?: number;
}

/**
 * Formats whose header tells when the media ends, on the line of its timestamps, and not how long
 * it lasts. MP4 does, too, but tells it of each stream as well.
 */
const ENDS_TOLD = new Set(["matroska", "webm", "nut", "asf"]);

/**
 * Tells how long media lasts, from the earliest moment in it: what the file says of itself counts
 * from zero in some formats, also where its timestamps begin later.
 *
 * @param format FFmpeg's names of the container format, separated by commas
 * @returns seconds, to the microsecond as FFmpeg has them; `undefined` where the file does not say
 */
export function mediaDuration(
  format: string,
  { start = 0, duration }: Extent,
  streams: readonly Extent[],
): number | undefined {
  if (duration === undefined) return undefined;
  const names = format.split(",");
  const end = names.includes("mp4")
    ? latestEnd(streams)
    : names.some((name) => ENDS_TOLD.has(name))
    ? duration
    : undefined;
  // One that is over before it begins is a length after all.
  return end !== undefined && end > start ? Math.round((end - start) * 1e6) / 1e6 : duration;
}

/** Seconds at which the last of the streams is over; `undefined` unless all tell. */
function latestEnd(streams: readonly Extent[]): number | undefined {
  const ends = streams.map(({ start, duration }) =>
    start === undefined || duration === undefined ? NaN : start + duration
  );
  const latest = Math.max(...ends);
  return Number.isFinite(latest) ? latest : undefined;
}
