/** What travels through the house: streams, and the frames of a stream. */

/** A fraction `[numerator, denominator]`, the denominator above zero. */
export type Rational = readonly [numerator: number, denominator: number];

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
  /** FFmpeg's name of the pixel format, where frames are raw: `yuv420p`, `bgr24`. */
  pixelFormat?: string;
  /** Frames a second, as the container states it; absent where it does not. */
  frameRate?: Rational;
  /** Width : height of one pixel; absent where unknown or square. */
  sampleAspectRatio?: Rational;
  /** `tv` (limited) or `pc` (full), where the source states it. */
  colorRange?: string;
  /** FFmpeg's name of the matrix, such as `bt709`, where the source states it. */
  colorSpace?: string;
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
}

/** One picture, or one run of samples, or one packet of a compressed stream. */
export interface Frame {
  streamId: number;
  /** Presentation timestamp in ticks of the stream's time base; may be negative. */
  timestamp: number;
  keyframe: boolean;
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

/**
 * Converts a timestamp to seconds.
 *
 * @param timestamp ticks
 * @param timeBase seconds a tick
 */
export function toSeconds(timestamp: number, timeBase: Rational): number {
  return timestamp * timeBase[0] / timeBase[1];
}
