/** What travels through the house: streams, and the frames of a stream. */

/** A fraction `[numerator, denominator]`, the denominator above zero. */
export type Rational = readonly [numerator: number, denominator: number];

/** How frames travel: pixels and samples, the file's own packets, or a compressed form. */
export const ENCODINGS = ["raw", "copy", "h264", "mjpeg"] as const;

/** One of {@linkcode ENCODINGS}. */
export type Encoding = typeof ENCODINGS[number];

/** What every kind of stream tells of itself. */
interface StreamBase {
  /** Identifies the stream within its connection or container, 0 … 65535. */
  id: number;
  /** FFmpeg's name of the codec: `rawvideo`, `pcm_s16le`, `h264`. */
  codec: string;
  /** The four bytes that name the codec in NUT, each as one Latin-1 character. */
  fourcc: string;
  /** Seconds a timestamp's tick. */
  timeBase: Rational;
  /** Set-up bytes of the codec; empty for raw streams. */
  extradata: Uint8Array;
}

/** A stream of pictures. */
export interface VideoStream extends StreamBase {
  type: "video";
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /**
   * FFmpeg's name of the pixel format, such as `yuv420p` or `bgr24`: of raw frames always, of
   * compressed ones that which decoding gives, where it is known.
   */
  pixelFormat?: string;
  /** Frames a second, as the container states it; absent where it does not. */
  frameRate?: Rational;
  /** Width : height of one pixel; absent where unknown or square. */
  sampleAspectRatio?: Rational;
  /** `tv` (limited) or `pc` (full), where the source states it. */
  colorRange?: string;
  /** FFmpeg's name of the matrix, such as `bt709`, where the source states it. */
  colorSpace?: string;
  /** Degrees clockwise by which pictures have to be turned to be shown; absent for none. */
  rotation?: 90 | 180 | 270;
  /**
   * Frames by which the order of decoding and that of showing differ at the most: 0, or absent,
   * where frames come in the order in which they are shown.
   */
  decodeDelay?: number;
}

/** A stream of sound. */
export interface AudioStream extends StreamBase {
  type: "audio";
  /** Samples a second. */
  sampleRate: number;
  channels: number;
}

/** Either kind of stream. */
export type StreamDescription = VideoStream | AudioStream;

/** What is about to be sent, or shown. */
export interface Description {
  name: string;
  /** The source has no end of its own. */
  live: boolean;
  /** Seconds; absent for stills, and where the source does not say. */
  duration?: number;
  streams: StreamDescription[];
  /** What is other than was asked for, one sentence each: sound in another codec, left out. */
  notes?: string[];
  /**
   * Stands for the very bytes of the file, on whichever server it lies; the answer can be resumed
   * where there is one.
   */
  etag?: string;
}

/** One picture, or one run of samples, or one packet of a compressed stream. */
export interface Frame {
  streamId: number;
  /**
   * Presentation timestamp in ticks of the stream's time base. What lies before the moment that
   * was asked for, 0 unless there was a seek, is there for decoding only.
   */
  timestamp: number;
  keyframe: boolean;
  /** What comes before it in its stream does not lead up to it, as after a seek. */
  discontinuity?: boolean;
  /** When a live frame came into being: microseconds since 1970 by the server's clock. */
  captured?: number;
  /**
   * The bytes. A frame that is to be sent has {@linkcode FRAME_HEADROOM} bytes free before them
   * and {@linkcode FRAME_TAILROOM} behind them in the same buffer, so that whatever a wire puts
   * around them is written in place.
   */
  data: Uint8Array<ArrayBuffer>;
}

/** Bytes kept free in front of a frame's data. The classic wire needs most: about 170. */
export const FRAME_HEADROOM = 256;

/** Bytes kept free behind a frame's data. */
export const FRAME_TAILROOM = 16;

/** Bytes of the largest frame: with its header it fits a message of either protocol, 2^28 bytes. */
export const MAX_FRAME_SIZE = 2 ** 28 - 1024;

/**
 * Converts a timestamp to seconds.
 *
 * @param timestamp ticks
 * @param timeBase seconds a tick
 */
export function toSeconds(timestamp: number, timeBase: Rational): number {
  return timestamp * timeBase[0] / timeBase[1];
}

/**
 * Converts seconds to the nearest timestamp.
 *
 * @param timeBase seconds a tick
 */
export function toTicks(seconds: number, [numerator, denominator]: Rational): number {
  return Math.round(seconds * denominator / numerator);
}

/** The greatest common divisor of two whole numbers, for fractions in lowest terms. */
export function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

/** Bytes of one sample of PCM in one channel; `undefined` for other codecs. */
export function sampleSize(codec: string): number | undefined {
  const bits = codec.match(/^pcm_[suf](\d+)/)?.[1];
  return bits === undefined ? undefined : Number(bits) / 8;
}
