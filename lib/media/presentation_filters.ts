/** FFmpeg's filters that show encoded streams as they are meant to be. Pure. */
import type { VideoStream } from "../core/frame.ts";

/** FFmpeg's filters that turn pictures clockwise. */
const TURNS = {
  90: ["transpose=clock"],
  180: ["hflip", "vflip"],
  270: ["transpose=cclock"],
} as const;

/** Slowest and fastest tempo that one `atempo` makes without leaving samples out. */
const TEMPO = { min: 0.5, max: 2 };

/** Filters that turn pictures the way they are shown; none where that is how they come. */
export function turnFilters({ rotation }: Pick<VideoStream, "rotation">): string[] {
  return rotation === undefined ? [] : [...TURNS[rotation]];
}

/** The same stream as its pictures are when {@linkcode turnFilters} have turned them. */
export function turned(video: VideoStream): VideoStream {
  const { rotation, width, height, sampleAspectRatio: ratio } = video;
  if (rotation === undefined) return video;
  const upright = { ...video, rotation: undefined };
  if (rotation === 180) return upright;
  const sampleAspectRatio = ratio === undefined ? undefined : [ratio[1], ratio[0]] as const;
  return { ...upright, width: height, height: width, sampleAspectRatio };
}

/**
 * Filters that leave out all pictures from before a moment.
 *
 * @param start seconds by the timestamps that the filters see
 */
export function pictureTrim(start: number): string[] {
  return [`trim=start=${start}`];
}

/**
 * Filters that leave out all sound from before a moment, to the sample.
 *
 * @param start seconds by the timestamps that the filters see
 */
export function soundTrim(start: number): string[] {
  return [`atrim=start=${start}`];
}

/**
 * Filters that play sound faster or slower, at the pitch it has.
 *
 * @param speed above 0, 1 being as it is
 */
export function tempoFilters(speed: number): string[] {
  const filters: string[] = [];
  let rest = speed;
  for (; rest > TEMPO.max; rest /= TEMPO.max) filters.push(`atempo=${TEMPO.max}`);
  for (; rest < TEMPO.min; rest /= TEMPO.min) filters.push(`atempo=${TEMPO.min}`);
  return rest === 1 ? filters : [...filters, `atempo=${Number(rest.toFixed(6))}`];
}
