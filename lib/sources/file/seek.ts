/** Where FFmpeg begins to read a file, so that a moment of it is met exactly. Pure. */
import type { Rational } from "../../media/frame.ts";

/** What has to be known of pictures to find a moment in them. */
export interface PictureTiming {
  timeBase: Rational;
  /** Frames a second. */
  frameRate?: Rational;
  /** Frames by which the order of decoding and that of showing differ at the most. */
  decodeDelay?: number;
}

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

/** Seconds by which reading begins earlier where pictures before the moment are wanted. */
const EARLIER = 1;

/**
 * Times the usual distance in which a keyframe lies that is decoded by a moment and shown behind
 * it: frames need not all last equally long.
 */
const UNEVENNESS = 3;

/** Frames a second where nothing is said of it. */
const USUAL_RATE: Rational = [25, 1];

/** Seconds; what users write down of a moment is rounded to this. */
const PRECISION = 1e-6;

/** Ticks by which a moment may be missed where ticks are finer than the precision. */
const FINEST = 0.4;

/** Seconds by which reading begins earlier, at the most, for a place that can be named exactly. */
const LONGEST_STEP = 1;

/** Part of a step that computing may be wrong by. */
const FINEST_STEP = 1e-6;

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
 * @param pictures what is decoded; absent for sound
 */
export function planDecoding(format: string, start: number, pictures?: PictureTiming): SeekPlan {
  if (pictures === undefined) return goBack(start, waysBack(format));
  const seconds = Math.max(waysBack(format), reorderingOf(pictures));
  if (seconds === 0) return goBack(start, 0);
  return goBack(start, seconds, exactStep(pictures.timeBase));
}

/**
 * Tells where to begin so that what is shown at a moment is met, also where it began earlier.
 *
 * @param start seconds
 * @param pictures both parts of the plan are whole ticks of their time base, since FFmpeg rounds
 * timestamps to ticks when it moves them
 */
export function planShowing(format: string, start: number, pictures: PictureTiming): SeekPlan {
  const [n, d] = pictures.timeBase;
  const tolerance = Math.min(PRECISION * d / n, FINEST);
  const wanted = Math.floor(start * d / n + tolerance);
  const seconds = Math.max(waysBack(format), reorderingOf(pictures), EARLIER);
  const first = Math.floor(goBack(start, seconds).seek * d / n);
  return { seek: first * n / d, rest: (wanted - first) * n / d };
}

/** Tells where to begin so that packets from the keyframe before a moment on are met. */
export function planCopying(
  format: string,
  start: number,
  pictures?: PictureTiming,
): SeekPlan {
  return goBack(start, Math.max(waysBack(format), pictures ? reorderingOf(pictures) : 0, EARLIER));
}

function waysBack(format: string): number {
  if (isClockless(format)) return Infinity;
  if (format === "mpeg") return PROGRAM_STREAM;
  return isJumping(format) ? TO_KEYFRAME : 0;
}

/**
 * Seconds by which a keyframe may be shown later than it is decoded. Many formats find it by the
 * latter, and what is shown in between would be missing.
 */
function reorderingOf({ decodeDelay = 0, frameRate = USUAL_RATE }: PictureTiming): number {
  return UNEVENNESS * decodeDelay * frameRate[1] / frameRate[0];
}

/** @param step seconds of which the place where reading begins is a whole number */
function goBack(start: number, seconds: number, step?: number): SeekPlan {
  const at = Math.max(0, start - seconds);
  const seek = step === undefined || at === 0 ? at : Math.floor(at / step + FINEST_STEP) * step;
  return { seek, rest: start - seek };
}

/**
 * The shortest time that is a whole number of ticks, and of the microseconds FFmpeg counts in; where
 * that is long, a tick: such ticks, as of AVI, last so long that half a microsecond is of no matter.
 */
function exactStep([n, d]: Rational): number {
  const exact = n / greatestDivisor(d, n * 1e6);
  return exact <= LONGEST_STEP ? exact : n / d;
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
