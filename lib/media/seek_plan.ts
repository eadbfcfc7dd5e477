/** Where FFmpeg begins to read a file, so that a moment of it is met exactly. Pure. */
import type { Rational } from "../core/frame.ts";

/** Where reading begins, and what of it is only there for decoding. */
export interface SeekPlan {
  /** Seconds from the beginning of the media at which FFmpeg looks for a place to begin. */
  seek: number;
  /** Seconds from there to the moment that is wanted. */
  rest: number;
}

/**
 * Demuxers of formats whose timestamps may jump. FFmpeg moves their timestamps by what it finds
 * in the streams that are in use, so that picture and sound read apart would both begin at zero;
 * each reader therefore also uses, and throws away, the packets of the other.
 */
const JUMPING_FORMATS = new Set(["mpegts", "mpeg", "ogg", "rm", "asf"]);

/** Formats of packets without a clock, in which nothing can be found but from the beginning. */
const CLOCKLESS_FORMATS = new Set([
  ...["h264", "hevc", "m4v", "mpegvideo", "cavsvideo", "dirac", "vc1", "h261", "h263", "dnxhd"],
  ...["obu", "avs2", "avs3"],
]);

/**
 * Seconds by which reading begins earlier in formats in which FFmpeg finds a moment, and not the
 * keyframe before it: what lies between two keyframes, at x264's own 250 frames, too.
 */
const TO_KEYFRAME = 12;

/** Seconds up to which program streams are read from the beginning: a seek in them is 0.1 s off. */
const PROGRAM_STREAM = 300;

/**
 * Seconds by which reading begins earlier where pictures before the moment are wanted. A keyframe
 * is found by when it is decoded; the picture may be shown later than that.
 */
const REORDERING = 1;

/** Seconds; what users write down of a moment is rounded to this. */
const PRECISION = 1e-6;

/** Ticks by which a moment may be missed where ticks are finer than the precision. */
const FINEST = 0.4;

/** Whether FFmpeg moves a format's timestamps by the streams that are in use. */
export function isJumping(format: string): boolean {
  return JUMPING_FORMATS.has(format);
}

/** Whether a format's packets have no timestamps of their own. */
export function isClockless(format: string): boolean {
  return CLOCKLESS_FORMATS.has(format);
}

/**
 * Tells where to begin so that decoding is right from a moment on.
 *
 * @param start seconds
 */
export function planDecoding(format: string, start: number): SeekPlan {
  return goBack(start, waysBack(format));
}

/**
 * Tells where to begin so that what is shown at a moment is met, also where it began earlier.
 *
 * @param start seconds
 * @param timeBase of the pictures; both parts of the plan are whole ticks of it, since FFmpeg
 * rounds timestamps to ticks when it moves them
 */
export function planShowing(format: string, start: number, [n, d]: Rational): SeekPlan {
  const tolerance = Math.min(PRECISION * d / n, FINEST);
  const wanted = Math.floor(start * d / n + tolerance);
  const first = Math.floor(goBack(start, Math.max(waysBack(format), REORDERING)).seek * d / n);
  return { seek: first * n / d, rest: (wanted - first) * n / d };
}

/** Tells where to begin so that packets from the keyframe before a moment on are met. */
export function planCopying(format: string, start: number): SeekPlan {
  return goBack(start, Math.max(waysBack(format), REORDERING));
}

function waysBack(format: string): number {
  if (isClockless(format)) return Infinity;
  if (format === "mpeg") return PROGRAM_STREAM;
  return isJumping(format) ? TO_KEYFRAME : 0;
}

function goBack(start: number, seconds: number): SeekPlan {
  const seek = Math.max(0, start - seconds);
  return { seek, rest: start - seek };
}
