/** Duration of media, from the times that FFmpeg reports. */

/** Start and duration in seconds; absent if FFmpeg does not report them. */
export interface Extent {
  start?: number;
  duration?: number;
}

/**
 * Formats whose header holds the time at which the media ends in place of its duration. MP4 does, too,
 * but for each stream as well.
 */
const FORMATS_WITH_END = new Set(["matroska", "webm", "nut", "asf"]);

/**
 * Computes the duration of media from its earliest timestamp on; some formats count it from zero,
 * even if their timestamps begin later.
 *
 * @param format FFmpeg's names of the container format, separated by commas
 * @returns seconds, to FFmpeg's microsecond; `undefined` if the file does not say
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
    : names.some((name) => FORMATS_WITH_END.has(name))
    ? duration
    : undefined;
  // An end before the start is a duration after all.
  return end !== undefined && end > start ? Math.round((end - start) * 1e6) / 1e6 : duration;
}

/** Seconds at which the last stream ends; `undefined` unless all say so. */
function latestEnd(streams: readonly Extent[]): number | undefined {
  const ends = streams.map(({ start, duration }) =>
    start === undefined || duration === undefined ? NaN : start + duration
  );
  const latest = Math.max(...ends);
  return Number.isFinite(latest) ? latest : undefined;
}
