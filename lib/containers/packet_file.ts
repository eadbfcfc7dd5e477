/** Media files as tables of packets, which are read without FFmpeg. */
import type { Rational } from "../media/frame.ts";

/** Random access to the bytes of a file. */
export interface FileBytes {
  /** Bytes. */
  readonly size: number;
  /**
   * Reads exactly so many bytes.
   *
   * @param memory at least so many bytes, whose beginning is filled. @default new memory
   * @throws {TruncatedError} beyond the end of the file
   */
  read(
    offset: number,
    length: number,
    memory?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>>;
}

/** The description of a stream that viewers may choose, as the container states it. */
export interface ListedTrack {
  /** Number of the stream as FFmpeg counts, from 0 on. */
  index: number;
  type: "video" | "audio" | "subtitle";
  /** FFmpeg's name of the codec of subtitles; absent if it is not known. */
  codec?: string;
  /** Language by ISO 639-2; absent if it is not stated. */
  language?: string;
  /** Absent if it is not stated. */
  title?: string;
  /** Whether the container recommends it. */
  isDefault: boolean;
}

/** One stream of a file. */
export interface PacketTrack {
  /** Number of the stream as FFmpeg counts, from 0 on. */
  index: number;
  /** Number among the streams of its type, without cover art, from 0 on. */
  number: number;
  type: "video" | "audio";
  /** FFmpeg's name of the codec, such as `h264` or `aac`. */
  codec: string;
  /** The four bytes by which the container names the codec, each as one Latin-1 character, if any. */
  tag?: string;
  /** Seconds per tick of the timestamps, as FFmpeg states it for the container. */
  timeBase: Rational;
  /** Configuration of the decoder, with the bytes that FFmpeg gives. */
  extradata: Uint8Array;
  /** Pixels as the container states them, before any rotation. Present for video. */
  width?: number;
  /** Pixels as the container states them, before any rotation. Present for video. */
  height?: number;
  /** Width : height of one pixel, if the container states it. */
  sampleAspectRatio?: Rational;
  /** Degrees clockwise by which the container asks to rotate. @default 0 */
  rotation?: 0 | 90 | 180 | 270;
  /** `tv` or `pc`, if the container states it. */
  colorRange?: string;
  /** FFmpeg's name of the matrix, if the container states it. */
  colorSpace?: string;
  /** FFmpeg's name of the transfer, if the container states one of a high dynamic range. */
  colorTransfer?: string;
  /** FFmpeg's name of the primaries, with `colorTransfer` only. */
  colorPrimaries?: string;
  /** Whether the container states that frames have two fields. @default false */
  isInterlaced?: boolean;
  /** Frames a second, as ffprobe's `avg_frame_rate`, or `r_frame_rate` without it. */
  frameRate?: Rational;
  /**
   * Frames by which the timestamps show that decoding is ahead, if FFmpeg looks at them. What the
   * codec states counts unless it is less.
   */
  decodeDelay?: number;
  /** Samples a second. Present for audio. */
  sampleRate?: number;
  /** Present for audio. */
  channels?: number;
  /** Seconds, as ffprobe's `duration` of the stream; absent if the container does not say. */
  duration?: number;
  /** Seconds, as ffprobe's `start_time` of the stream. */
  startTime?: number;
}

/** A compressed frame, as FFmpeg's demuxer gives it. */
export interface Packet {
  /** {@linkcode PacketTrack.index} of its track. */
  track: number;
  /** Presentation timestamp in ticks of its track, before FFmpeg subtracts the start of the media. */
  timestamp: number;
  /** Decode timestamp in ticks, on the same timeline, if the container has any. */
  decodeTimestamp?: number;
  keyframe: boolean;
  /** A view on memory that other packets of the batch share; not to be changed. */
  data: Uint8Array<ArrayBuffer>;
}

/** Options of {@linkcode PacketFile.packets}. */
export interface PacketOptions {
  /** The wanted tracks, by {@linkcode PacketTrack.index}. */
  tracks: readonly number[];
  /**
   * Seconds on the timeline of the timestamps: the packets of each track begin at the last keyframe
   * at or before, or earlier.
   */
  from: number;
  /** Lends memory of at least so many bytes for a batch. @default new memory */
  allocate?: (bytes: number) => Uint8Array<ArrayBuffer>;
}

/** A file whose packets are found by its own index. It does not own the bytes. */
export interface PacketFile {
  /** FFmpeg's names of the container format, separated by commas. */
  readonly format: string;
  /**
   * The first track of video, the first one of audio, and all further ones of audio that are understood,
   * in the order of the file.
   */
  readonly tracks: readonly PacketTrack[];
  /** All streams of video, audio and subtitles in the order of the file, without cover art. */
  readonly listed: readonly ListedTrack[];
  /** Number of streams by FFmpeg's types, without the first ones of video and of audio; cover art as `cover`. */
  readonly further: Readonly<Record<string, number>>;
  /** Seconds of the earliest timestamp that is shown, which FFmpeg subtracts from all. */
  readonly start: number;
  /** Seconds, as the container states them; absent if it does not. FFmpeg 7.1 computes those of MP4. */
  readonly duration?: number;
  /** Whether packets are behind the end of the file. @default false */
  readonly isTruncated?: boolean;
  /** Bytes of memory that its tables take, if they are large. @default 0 */
  readonly memory?: number;
  /**
   * Gives packets in batches of at most about a second: those of each track in decode order, and tracks that
   * are interleaved by time, so that none is more than a batch ahead.
   *
   * @throws {FormatError} for bytes that break the format
   * @throws {TruncatedError} if packets are behind the end of the file
   */
  packets(options: PacketOptions): AsyncGenerator<readonly Packet[]>;
}

/** Why a file has to be read by FFmpeg, in words for the log: something about it is not understood. */
export interface Unindexed {
  unindexed: string;
}

/** Opens a file of one container format. */
export type OpenPacketFile = (bytes: FileBytes) => Promise<PacketFile | Unindexed>;
