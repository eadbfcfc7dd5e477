/** Plans the position from which FFmpeg reads a file, to start exactly at a time. */
import { greatestDivisor, type Rational } from "../../media/frame.ts";

/** The timing of a video stream that a seek depends on. */
export interface VideoTiming {
  timeBase: Rational;
  /** Frames a second. */
  frameRate?: Rational;
  /** Frames by which decode order and presentation order differ at most. */
  decodeDelay?: number;
}

/** Position from which a file is read, and how much of what is read is for decoding only. */
export interface SeekPlan {
  /** Seconds from the beginning of the media to which FFmpeg seeks. */
  seek: number;
  /** Seconds from there to the start. */
  rest: number;
}

/**
 * Demuxers of formats whose timestamps may jump. FFmpeg shifts them by the streams in use, so that
 * video and audio read by two processes would both begin at zero; each process therefore also reads,
 * and discards, the packets of the other stream.
 */
const JUMPING_FORMATS = new Set(["mpegts", "mpeg", "ogg", "rm", "asf"]);

/** Formats without timestamps, which have to be read from the beginning. */
const CLOCKLESS_FORMATS = new Set([
  ...["h264", "hevc", "m4v", "mpegvideo", "cavsvideo", "dirac", "vc1", "h261", "h263", "dnxhd"],
  ...["obu", "avs2", "avs3"],
]);

/**
 * Seconds to read earlier in formats in which FFmpeg seeks to a time and not to the keyframe before
 * it: more than between two keyframes by x264's default of 250 frames.
 */
const KEYFRAME_DISTANCE = 12;

/** Seconds up to which program streams are read from the beginning: seeks in them are 0.1 s off. */
const PROGRAM_STREAM = 300;

/** Seconds to read earlier if frames before the start are needed. */
const MARGIN = 1;

/** Factor of the reorder delay by which frames of uneven durations may exceed it. */
const UNEVENNESS = 3;

/** Frames a second if the file does not say. */
const DEFAULT_RATE: Rational = [25, 1];

/** Seconds to which times are rounded that users write. */
const PRECISION = 1e-6;

/** Ticks by which a time may be missed if ticks are finer than the precision. */
const MAX_TOLERANCE = 0.4;

/** Most seconds to read earlier for a time that FFmpeg can represent exactly. */
const MAX_STEP = 1;

/** Part of a step by which arithmetic may be off. */
const STEP_TOLERANCE = 1e-6;

/** Whether FFmpeg shifts a format's timestamps by the streams in use. */
export function isJumping(format: string): boolean {
  return JUMPING_FORMATS.has(format);
}

/** Whether a format's packets have no timestamps. */
export function isClockless(format: string): boolean {
  return CLOCKLESS_FORMATS.has(format);
}

/**
 * Plans a seek for decoding from a time on.
 *
 * @param start seconds
 * @param video timing of the stream; absent for audio
 */
export function planDecoding(format: string, start: number, video?: VideoTiming): SeekPlan {
  if (video === undefined) return goBack(start, formatMargin(format));
  const seconds = Math.max(formatMargin(format), reorderDelay(video));
  if (seconds === 0) return goBack(start, 0);
  return goBack(start, seconds, exactStep(video.timeBase));
}

/**
 * Plans a seek for the frame that is shown at a time, which may have begun earlier. Both parts of the
 * plan are whole ticks, since FFmpeg rounds timestamps to ticks when it shifts them.
 *
 * @param start seconds
 */
export function planShowing(format: string, start: number, video: VideoTiming): SeekPlan {
  const [n, d] = video.timeBase;
  const tolerance = Math.min(PRECISION * d / n, MAX_TOLERANCE);
  const wanted = Math.floor(start * d / n + tolerance);
  const seconds = Math.max(formatMargin(format), reorderDelay(video), MARGIN);
  const first = Math.floor(goBack(start, seconds).seek * d / n);
  return { seek: first * n / d, rest: (wanted - first) * n / d };
}

/** Plans a seek for copying packets from the keyframe before a time on. */
export function planCopying(
  format: string,
  start: number,
  video?: VideoTiming,
): SeekPlan {
  return goBack(start, Math.max(formatMargin(format), video ? reorderDelay(video) : 0, MARGIN));
}

/** Seconds to read earlier because of the format. */
function formatMargin(format: string): number {
  if (isClockless(format)) return Infinity;
  if (format === "mpeg") return PROGRAM_STREAM;
  return isJumping(format) ? KEYFRAME_DISTANCE : 0;
}

/**
 * Seconds by which a keyframe may be shown later than it is decoded. Many formats seek by decode time,
 * and would miss the frames shown in between.
 */
function reorderDelay({ decodeDelay = 0, frameRate = DEFAULT_RATE }: VideoTiming): number {
  return UNEVENNESS * decodeDelay * frameRate[1] / frameRate[0];
}

/** @param step seconds of which the seek time is a multiple */
function goBack(start: number, seconds: number, step?: number): SeekPlan {
  const at = Math.max(0, start - seconds);
  const seek = step === undefined || at === 0 ? at : Math.floor(at / step + STEP_TOLERANCE) * step;
  return { seek, rest: start - seek };
}

/**
 * The shortest time that is a whole number of both ticks and FFmpeg's microseconds. If that is too
 * long, one tick: ticks are then so long, as in AVI, that half a microsecond does not matter.
 */
function exactStep([n, d]: Rational): number {
  const exact = n / greatestDivisor(d, n * 1e6);
  return exact <= MAX_STEP ? exact : n / d;
}
