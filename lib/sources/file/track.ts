/** One stream of a file, from FFmpeg to frames in decode order. */
import { ReadAhead } from "../../base/async.ts";
import { ProcessError, RequestError } from "../../base/errors.ts";
import type { Hardware } from "../../ffmpeg/encoders.ts";
import { type FfmpegEnd, FrameReader } from "../../ffmpeg/frame_reader.ts";
import { HardwareError, hardwareReason } from "../../ffmpeg/hardware.ts";
import { outOfMemory, startConfined } from "../../ffmpeg/sandbox.ts";
import { stderrReason } from "../../ffmpeg/stderr.ts";
import {
  type Frame,
  pcmSampleSize,
  type StreamDescription,
  toSeconds,
  toTicks,
} from "../../media/frame.ts";
import type { TimedFrame } from "../../media/source.ts";
import type { NutStream } from "../../nut/demuxer.ts";
import { audioArguments, leadOf, type TrackInput, videoArguments } from "./ffmpeg_args.ts";
import { pixelLimit } from "./formats.ts";
import type { Track } from "./interleave.ts";
import type { MediaFile } from "./library.ts";
import { type MediaOptions, rawFrameSize } from "./plan.ts";

/** Packets, and pieces of sound, that are read ahead of the one in use. */
const PACKETS_AHEAD = 8;

/**
 * Raw frames of video that are read ahead at most: half a second of most videos, during which others
 * may keep the processor busy.
 */
const MAX_RAW_AHEAD = 16;

/** Bytes of the raw frames that are read ahead; it is at least one frame. */
const RAW_BYTES_AHEAD = 8e6;

/** Milliseconds; a seek in a large file without an index takes a while. */
const READ_TIMEOUT = 30_000;

/** Limits of a {@linkcode FrameTrack}. */
export interface TrackLimits {
  /** Bytes of the largest frame that may be decoded. */
  maxFrameSize: number;
  /** Milliseconds without output after which FFmpeg is killed. @default 30_000 */
  readTimeout?: number;
  /** Threads that decode video; FFmpeg's default if absent. */
  threads?: number;
  /** How video is decoded and encoded. @default SOFTWARE */
  hardware?: Hardware;
  /** FFmpeg gives way to those of other viewers. @default false */
  background?: boolean;
  signal: AbortSignal;
}

/** One stream of a file, decoded or copied by an FFmpeg of its own. */
export class FrameTrack implements Track<TimedFrame>, AsyncDisposable {
  #description: StreamDescription | undefined;
  #input: TrackInput;
  #hardware: Hardware | undefined;
  #reader: FrameReader;
  #ahead: ReadAhead<TimedFrame>;
  #nut: NutStream | undefined;
  #isRaw: boolean;
  /** Selects the packets before the start that are sent; absent if there are none. */
  #preroll: VideoPreroll<Frame> | AudioPreroll<Frame> | undefined;
  /** Seconds at which the part ends; absent if packets come out of order. */
  #end: number | undefined;
  /** The whole part has been read, whatever FFmpeg would still write. */
  #isComplete = false;
  /** Frames read so far. */
  #count = 0;

  constructor(type: "video" | "audio", input: TrackInput, limits: TrackLimits) {
    const { plan } = input;
    const isVideo = type === "video";
    this.#isRaw = isVideo ? plan.video === "raw" : plan.audio === "pcm";
    if (isVideo && plan.video === "copy") this.#preroll = new VideoPreroll();
    if (!isVideo && plan.audio === "copy") this.#preroll = new AudioPreroll();
    const isInOrder = !(isVideo && plan.video === "copy") && !input.options.still;
    this.#end = isInOrder ? input.options.duration : undefined;
    this.#input = input;
    if (isVideo) this.#hardware = limits.hardware;
    const isRawVideo = isVideo && this.#isRaw;
    const depth = isRawVideo ? 1 : PACKETS_AHEAD;
    const maxDepth = isRawVideo ? rawFramesAhead(input.file, input.options) : depth;
    const args = isVideo ? limitedVideoArguments(input, limits) : audioArguments(input);
    const { maxFrameSize, readTimeout = READ_TIMEOUT, background, signal } = limits;
    const confinement = { ...input.file, background, signal };
    this.#reader = new FrameReader(startConfined("ffmpeg", args, confinement), {
      ...{ pooledBuffers: maxDepth + 1, maxFrameSize, readTimeout, signal },
      // FFmpeg itself holds a raw frame of the size it states; the size of a packet is the file's.
      trustedSize: this.#isRaw ? maxFrameSize : undefined,
      toError: (end) => this.#toError(end),
    });
    this.#ahead = new ReadAhead(() => this.#next(), depth, maxDepth);
  }

  get description(): StreamDescription {
    if (this.#description === undefined) throw new Error("Cannot use a track: not described yet");
    return this.#description;
  }

  /** FFmpeg's complaint so far; `undefined` once more has been read than is wanted. */
  get warning(): string | undefined {
    if (this.#isComplete) return undefined;
    return stderrReason(this.#reader.stderr, this.#input.file.path);
  }

  describe(description: StreamDescription): void {
    this.#description = description;
  }

  /**
   * Reads the headers, up to the first frame.
   *
   * @returns `undefined` if FFmpeg writes nothing
   */
  async readStream(): Promise<NutStream | undefined> {
    if (this.#nut !== undefined) return this.#nut;
    const [stream] = await this.#reader.readStreams();
    if (stream === undefined) await this.#reader.finish();
    this.#nut = stream;
    return stream;
  }

  take(): Promise<TimedFrame | undefined> {
    return this.#ahead.take();
  }

  timeOf(frame: TimedFrame): number {
    return frame.due;
  }

  recycle(frame: Frame): void {
    this.#reader.recycle(frame);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader[Symbol.asyncDispose]();
  }

  async #next(): Promise<TimedFrame | undefined> {
    const nut = await this.readStream();
    if (nut === undefined) return undefined;
    const { timeBase } = this.description;
    while (true) {
      const due = this.#reader.takeDue();
      if (due !== undefined) return due;
      const frame = await this.#readWanted(nut);
      if (frame === undefined) return await this.#takeLast(nut);
      const frames = this.#preroll?.add(frame, toSeconds(frame.timestamp, timeBase)) ?? [frame];
      for (const wanted of frames) this.#reader.addDue(wanted, nut, timeBase);
    }
  }

  /** Reads the next frame of the part; `undefined` at its end. */
  async #readWanted(nut: NutStream): Promise<Frame | undefined> {
    if (this.#isComplete) return undefined;
    const frame = await this.#reader.readFrame();
    if (frame === undefined) return undefined;
    const converted = { ...frame, ...this.#convert(frame, nut) };
    if (this.#end === undefined) return converted;
    // FFmpeg counts a duration from the first frame, and so may write more.
    const wanted = trimEnd(this.#end, converted, this.description);
    this.#isComplete = wanted === undefined;
    if (this.#isComplete) this.#reader.kill();
    return wanted;
  }

  /** Takes a frame that was held back until the end; then throws if FFmpeg failed. */
  async #takeLast(nut: NutStream): Promise<TimedFrame | undefined> {
    for (const wanted of this.#preroll?.end() ?? []) {
      this.#reader.addDue(wanted, nut, this.description.timeBase);
    }
    this.#reader.endDue();
    const frame = this.#reader.takeDue();
    if (frame === undefined && !this.#isComplete) await this.#reader.finish();
    return frame;
  }

  /** The id and the timestamp of a frame by the stream's description. */
  #convert({ timestamp }: Frame, nut: NutStream): Pick<Frame, "streamId" | "timestamp"> {
    const { options } = this.#input;
    const { id: streamId, timeBase } = this.description;
    if (options.still) {
      return { streamId, timestamp: toTicks(this.#count++ * (options.every ?? 0), timeBase) };
    }
    const [numerator, denominator] = timeBase;
    const [nutNumerator, nutDenominator] = nut.timeBase;
    // Rounded as FFmpeg does when it adds the lead.
    const lead = this.#isRaw ? 0 : toTicks(leadOf(options), nut.timeBase);
    const scale = (nutNumerator * denominator) / (nutDenominator * numerator);
    return { streamId, timestamp: Math.round((timestamp - lead) * scale) };
  }

  #toError({ isTimedOut, failure, truncation }: FfmpegEnd): RequestError {
    const { name, path, maxMemory } = this.#input.file;
    const reason = failure === undefined
      ? "FFmpeg ended inside a frame"
      : isTimedOut
      ? "FFmpeg came to nothing for too long"
      : outOfMemory(failure.failure.stderr, maxMemory) ?? reasonOf(failure, path);
    const message = `Cannot decode "${name}": ${reason}`;
    const failed = failure && hardwareReason(failure.failure.stderr, this.#hardware);
    if (failed !== undefined) return new HardwareError(message, failed, { cause: failure });
    return new RequestError("media_error", message, { cause: failure ?? truncation });
  }
}

/** Raw frames of video that are read ahead of the one in use, once some were read. */
export function rawFramesAhead(file: Pick<MediaFile, "info">, options: MediaOptions): number {
  if (options.still) return 1;
  const fitting = Math.floor(RAW_BYTES_AHEAD / rawFrameSize(file, options));
  return Math.max(1, Math.min(MAX_RAW_AHEAD, fitting));
}

/** Video arguments behind input options that they may override. */
function limitedVideoArguments(input: TrackInput, { threads, hardware }: TrackLimits): string[] {
  const { file: { maxPixels, info }, plan, options } = input;
  // With several threads, FFmpeg decodes several frames before it gives the first one.
  const hasThreads = plan.video !== "copy" && !options.still && threads !== undefined;
  return [
    ...pixelLimit(maxPixels, info.video),
    ...(hasThreads ? ["-threads", String(threads)] : []),
    ...videoArguments({ ...input, hardware }),
  ];
}

/** How FFmpeg ended and the last of its complaints, in one line. */
function reasonOf({ program, failure }: ProcessError, path: string): string {
  const stderr = stderrReason(failure.stderr, path) ?? "";
  return new ProcessError(program, { ...failure, stderr }).message;
}

/** Seconds to which times are rounded that users write. */
const PRECISION = 1e-6;

/**
 * Trims a frame to the end of a part: PCM to the sample, all else to whole frames.
 *
 * @param end seconds, on the timeline of the timestamps
 * @returns the rest, in the same memory; `undefined` if there is none
 */
export function trimEnd(end: number, frame: Frame, stream: StreamDescription): Frame | undefined {
  const left = end - toSeconds(frame.timestamp, stream.timeBase);
  if (left < PRECISION) return undefined;
  if (stream.type === "video") return frame;
  const size = pcmSampleSize(stream);
  if (size === undefined) return frame;
  const bytes = Math.ceil((left - PRECISION) * stream.sampleRate) * size;
  if (bytes >= frame.data.byteLength) return frame;
  return { ...frame, data: frame.data.subarray(0, bytes) };
}

/** The fields of a packet that the preroll depends on. */
export interface Packet {
  keyframe: boolean;
}

/** Seconds of audio before the start that set up the decoder. */
export const AUDIO_WARM_UP = 0.1;

/** Drops packets before the last keyframe at or before 0, which no shown frame depends on. */
export class VideoPreroll<T extends Packet> {
  #held: T[] = [];
  #isDone = false;
  #onDrop: (packet: T) => void;

  /** @param onDrop called with each packet that is dropped */
  constructor(onDrop: (packet: T) => void = () => {}) {
    this.#onDrop = onDrop;
  }

  /**
   * Adds a packet, in decode order.
   *
   * @param time seconds at which it is shown
   * @returns the packets to send now
   */
  add(packet: T, time: number): T[] {
    if (this.#isDone) return [packet];
    if (packet.keyframe && time <= 0) this.#held.splice(0).forEach(this.#onDrop);
    this.#held.push(packet);
    if (time < 0) return [];
    // A keyframe at 0 may be followed by frames before it, but not by a later keyframe before 0.
    return this.end();
  }

  /** Returns the packets still held at the end. */
  end(): T[] {
    this.#isDone = true;
    return this.#held.splice(0);
  }
}

/** Drops audio that ends so long before 0 that it does not help the decoder. */
export class AudioPreroll<T extends Packet> {
  #held: T | undefined;
  #onDrop: (packet: T) => void;

  /** @param onDrop called with each packet that is dropped */
  constructor(onDrop: (packet: T) => void = () => {}) {
    this.#onDrop = onDrop;
  }

  /**
   * Adds a packet, in order of time.
   *
   * @param time seconds at which it begins and the one before it ends
   * @returns the packets to send now
   */
  add(packet: T, time: number): T[] {
    const before = time > -AUDIO_WARM_UP ? this.end() : [];
    if (time >= 0) return [...before, packet];
    if (this.#held !== undefined) this.#onDrop(this.#held);
    this.#held = packet;
    return before;
  }

  /** Returns the packet still held at the end. */
  end(): T[] {
    const held = this.#held;
    this.#held = undefined;
    return held === undefined ? [] : [held];
  }
}
