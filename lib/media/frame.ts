/** Streams and frames: the vocabulary that all rooms share. */
import { type MediaTags, STREAM_TAGS, type StreamTags } from "./tags.ts";

/** A fraction `[numerator, denominator]`, the denominator above zero. */
export type Rational = readonly [numerator: number, denominator: number];

/** Encodings of frames: raw pixels and samples, the file's own packets, or re-encoded. */
export const ENCODINGS = ["raw", "copy", "h264", "mjpeg"] as const;

/** One of {@linkcode ENCODINGS}. */
export type Encoding = typeof ENCODINGS[number];

/** Fields that video and audio streams share. */
export interface StreamBase extends StreamTags {
  /** Number of the stream within its connection or container, 0 … 65535. */
  id: number;
  /** FFmpeg's name of the codec: `rawvideo`, `pcm_s16le`, `h264`. */
  codec: string;
  /** The four bytes that name the codec in NUT, each as one Latin-1 character. */
  fourcc: string;
  /** Seconds per tick of a timestamp. */
  timeBase: Rational;
  /** Configuration of the decoder; empty for raw streams. */
  extradata: Uint8Array;
}

/**
 * Orders of the fields of interlaced video, by FFmpeg's names: which field is stored first and which is
 * shown first, `t` for the top one. FFmpeg itself goes by the first letter.
 */
export const FIELD_ORDERS = ["tt", "bb", "tb", "bt"] as const;

/** One of {@linkcode FIELD_ORDERS}. */
export type FieldOrder = typeof FIELD_ORDERS[number];

/** A video stream. */
export interface VideoStream extends StreamBase {
  /** Tells it from other streams. */
  type: "video";
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /**
   * FFmpeg's name of the pixel format, such as `yuv420p` or `bgr24`. Compressed streams have that of
   * the decoded frames, if it is known.
   */
  pixelFormat?: string;
  /** Frames per second, if the container states it. */
  frameRate?: Rational;
  /** Width : height of one pixel; absent if unknown or square. */
  sampleAspectRatio?: Rational;
  /** `tv` (limited) or `pc` (full), if the source states it. */
  colorRange?: string;
  /** FFmpeg's name of the matrix, such as `bt709`, if the source states it. */
  colorSpace?: string;
  /** FFmpeg's name of the primaries, such as `bt2020`; only with `colorTransfer`. */
  colorPrimaries?: string;
  /** FFmpeg's name of the transfer of a high dynamic range: `smpte2084` (PQ), `arib-std-b67` (HLG). */
  colorTransfer?: string;
  /** Absent for progressive video. */
  fieldOrder?: FieldOrder;
  /** The pictures are transparent in the file, but not in these frames, since they are not raw. */
  alphaDropped?: boolean;
  /** Degrees clockwise by which frames have to be rotated for display. */
  rotation?: 90 | 180 | 270;
  /** Most frames by which decoding and presentation order differ. @default 0 */
  decodeDelay?: number;
}

/** An audio stream. */
export interface AudioStream extends StreamBase {
  /** Tells it from other streams. */
  type: "audio";
  /** Samples per second and channel. */
  sampleRate: number;
  /** Channels, which are interleaved in PCM. */
  channels: number;
}

/** A video or audio stream. */
export type StreamDescription = VideoStream | AudioStream;

/**
 * Encodings of the messages of a data stream: a JSON value in UTF-8, any bytes, or a text of subtitles
 * as JSON.
 */
export const DATA_CODECS = ["json", "bytes", "subtitle"] as const;

/** A stream of timed messages, such as detections or telemetry. */
export interface DataStream extends Pick<StreamTags, "language" | "title"> {
  /** Number of the stream within its connection, 0 … 65535. */
  id: number;
  /** Tells it from other streams. */
  type: "data";
  /** One of {@linkcode DATA_CODECS}. */
  codec: typeof DATA_CODECS[number];
  /** Seconds per tick of a timestamp. */
  timeBase: Rational;
}

/** A stream of any type, as the protocol describes it. */
export type AnyStream = StreamDescription | DataStream;

/** A stream of a file, as viewers choose among them. Its number is its place among those of its type. */
export interface MediaTrack {
  /** Pictures, sound, or timed texts. */
  type: "video" | "audio" | "subtitles";
  /** FFmpeg's name of the codec, such as `h264`, `aac` or `subrip`. */
  codec: string;
  /** Language that the file states, by ISO 639-2, such as `deu` or `ger`. */
  language?: string;
  /** Title that the file states. */
  title?: string;
  /** Whether the file recommends it among those of its type. */
  default?: boolean;
  /** Channels of audio. */
  channels?: number;
}

/** Description of a response. */
export interface Description extends MediaTags {
  /** Name of the media, as listed. */
  name: string;
  /** Whether the source has no end of its own. */
  live: boolean;
  /** Seconds; absent for stills, and if the source does not state it. */
  duration?: number;
  /** Streams of video and audio. */
  streams: StreamDescription[];
  /** Streams of messages, if there are any. */
  data?: DataStream[];
  /** Sentences about differences from the request, such as another audio codec. */
  notes?: string[];
  /** Identifies the bytes of the file, on any server. Present if the response can be resumed. */
  etag?: string;
}

/** All streams of a description: video and audio, then data. */
export function allStreams(
  { streams, data = [] }: Pick<Description, "streams" | "data">,
): AnyStream[] {
  return [...streams, ...data];
}

/** One image, a run of audio samples, or a packet of a compressed stream. */
export interface Frame {
  streamId: number;
  /**
   * Presentation timestamp in ticks of the stream's time base. Frames before the requested time,
   * which is 0 unless there was a seek, are for decoding only.
   */
  timestamp: number;
  keyframe: boolean;
  /** Whether the frame does not continue its stream, as after a seek. */
  discontinuity?: boolean;
  /** Whether frames of its stream were dropped before it, by who sent it. */
  dropped?: boolean;
  /** Capture time of a live frame: microseconds since 1970 by the server's clock. */
  captured?: number;
  /** Whether others use the memory of the data, so that nothing may be written in or around it. */
  borrowed?: boolean;
  /**
   * A frame to send, unless borrowed, has {@linkcode FRAME_HEADROOM} free bytes before its data and
   * {@linkcode FRAME_TAILROOM} after it in the same buffer, so that a protocol writes the rest of the
   * message in place.
   */
  data: Uint8Array<ArrayBuffer>;
}

/** Copies a frame with its data, so that it outlives its buffer. The copy has no headroom. */
export function copyFrame<T extends Frame>(frame: T): T {
  return { ...frame, data: frame.data.slice() };
}

/** Unused part of a buffer that is kept, at most, as a share of the data's size. */
const MAX_UNUSED = 1 / 64;

/**
 * Keeps a frame for several readers. Takes ownership of its buffer if nobody else uses that and the
 * data fills it, and copies the data otherwise. Do not use the original frame afterwards.
 *
 * @returns the frame, borrowed
 */
export function keepFrame<T extends Frame>(frame: T): T {
  const { buffer, byteOffset, byteLength } = frame.data;
  const unused = buffer.byteLength - byteLength;
  if (frame.borrowed || unused > byteLength * MAX_UNUSED) {
    return { ...copyFrame(frame), borrowed: true };
  }
  // The original's buffer is detached; a pool that gets it back drops it.
  const data = new Uint8Array(buffer.transfer(), byteOffset, byteLength);
  return { ...frame, data, borrowed: true };
}

/** Bytes kept free before a frame's data. The script protocol needs most: about 170. */
export const FRAME_HEADROOM = 256;

/** Bytes kept free after a frame's data. */
export const FRAME_TAILROOM = 16;

/**
 * Bytes of the largest frame. Messages of both protocols have at most 2^28 bytes, of which all but
 * the frame's data needs less than 1024.
 */
export const MAX_FRAME_SIZE = 2 ** 28 - 1024;

/**
 * Converts a timestamp to seconds.
 *
 * @param timestamp ticks
 * @param timeBase seconds per tick
 */
export function toSeconds(timestamp: number, timeBase: Rational): number {
  return timestamp * timeBase[0] / timeBase[1];
}

/**
 * Converts seconds to the nearest timestamp.
 *
 * @param timeBase seconds per tick
 */
export function toTicks(seconds: number, [numerator, denominator]: Rational): number {
  return Math.round(seconds * denominator / numerator);
}

/**
 * Bytes of one sample of PCM in all channels; `undefined` for video and other codecs.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type AudioStream, pcmSampleSize } from "./frame.ts";
 *
 * const stream = { type: "audio", codec: "pcm_s16le", channels: 2 } as AudioStream;
 * assertEquals(pcmSampleSize(stream), 4);
 * ```
 */
export function pcmSampleSize(stream: StreamDescription): number | undefined {
  if (stream.type === "video") return undefined;
  const bits = stream.codec.match(/^pcm_[suf](\d+)/)?.[1];
  return bits === undefined ? undefined : Number(bits) / 8 * stream.channels;
}

/** Seconds of so many bytes of PCM; `undefined` for video and other codecs. */
export function pcmSeconds(bytes: number, stream: StreamDescription): number | undefined {
  const size = pcmSampleSize(stream);
  if (size === undefined || stream.type === "video") return undefined;
  return bytes / size / stream.sampleRate;
}

/** Ticks of the whole samples in so many bytes of PCM; `undefined` for video and other codecs. */
export function pcmTicks(bytes: number, stream: StreamDescription): number | undefined {
  const size = pcmSampleSize(stream);
  if (size === undefined || stream.type === "video") return undefined;
  return toTicks(Math.floor(bytes / size) / stream.sampleRate, stream.timeBase);
}

/** Fields that a decoder depends on. */
const FORMAT_FIELDS = [
  ...["id", "type", "codec", "fourcc", "extradata"],
  ...["width", "height", "pixelFormat", "sampleRate", "channels"],
];

/** Whether streams have the same descriptions but for tags, in the same order. */
export function sameStreams(
  streams: readonly StreamDescription[],
  others: readonly StreamDescription[],
): boolean {
  const fields = [...streams, ...others].flatMap((stream) => Object.keys(stream))
    .filter((field) => !STREAM_TAGS.some((tag) => tag === field));
  return toText(streams, fields) === toText(others, fields);
}

/**
 * Whether decoders of some streams can decode the others without a new set-up. Time bases and
 * other fields may differ.
 */
export function sameFormats(
  streams: readonly StreamDescription[],
  others: readonly StreamDescription[],
): boolean {
  return toText(streams, FORMAT_FIELDS) === toText(others, FORMAT_FIELDS);
}

/** Whether data streams are the same but for their time bases. */
export function sameData(
  streams: readonly DataStream[] = [],
  others: readonly DataStream[] = [],
): boolean {
  return streams.length === others.length &&
    streams.every(({ id, codec }, at) => others[at].id === id && others[at].codec === codec);
}

/** JSON of some fields, in their order. */
function toText(streams: readonly StreamDescription[], fields: string[]): string {
  const texts = streams.map((stream) => ({ ...stream, extradata: stream.extradata.toBase64() }));
  return JSON.stringify(texts, fields);
}

/** The greatest common divisor of two whole numbers, for fractions in lowest terms. */
export function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
