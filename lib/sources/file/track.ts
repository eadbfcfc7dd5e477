/** Where a part of some media ends. Pure. */
import { deadline, ReadAhead } from "../../base/async.ts";
import { fromStream } from "../../base/byte_reader.ts";
import { ProcessError, RequestError, TruncatedError } from "../../base/errors.ts";
import type { Process } from "../../ffmpeg/process.ts";
import { outOfMemory, startConfined } from "../../ffmpeg/sandbox.ts";
import { stderrReason } from "../../ffmpeg/stderr.ts";
import { DecodeOrder } from "../../media/decode_order.ts";
import { type Frame, pcmSampleSize, type StreamDescription, toSeconds } from "../../media/frame.ts";
import type { TimedFrame } from "../../media/source.ts";
import type { NutStream } from "../../nut/demuxer.ts";
import { NutReader } from "../../nut/reader.ts";
import { audioArguments, leadOf, type TrackInput, videoArguments } from "./ffmpeg_args.ts";
import { pixelLimit } from "./formats.ts";
import type { Track } from "./interleave.ts";

/** Frames that are read beyond the one in use: pictures are large, everything else small. */
const PICTURES_AHEAD = 1;
const PACKETS_AHEAD = 8;

/** Milliseconds; a seek in a large file without an index may take a while. */
const READ_TIMEOUT = 30_000;

/** Limits of a {@linkcode FrameTrack}. */
export interface TrackLimits {
  /** Bytes of the largest frame that may be decoded. */
  maxFrameSize: number;
  /** Milliseconds in which FFmpeg gives nothing before it is given up; 30 s unless told. */
  readTimeout?: number;
  /** Threads by which pictures are decoded; as many as FFmpeg takes by itself where absent. */
  threads?: number;
  signal: AbortSignal;
}

/** One FFmpeg and the one stream it gives. */
export class FrameTrack implements Track<TimedFrame>, AsyncDisposable {
  /** FFmpeg was given up because it gave nothing. */
  #silent = false;
  #description: StreamDescription | undefined;
  #input: TrackInput;
  #limits: TrackLimits;
  #process: Process;
  #reader: NutReader;
  #ahead: ReadAhead<TimedFrame>;
  #nut: NutStream | undefined;
  #isRaw: boolean;
  /** Packets before the first that is worth sending; absent where all are. */
  #preroll: PicturePreroll<Frame> | SoundPreroll<Frame> | undefined;
  #order: DecodeOrder<Frame> | undefined;
  /** Seconds at which the part that is wanted ends; absent where packets come out of order. */
  #end: number | undefined;
  /** All that is wanted has come, whatever FFmpeg would give yet. */
  #isComplete = false;
  #ready: TimedFrame[] = [];
  #count = 0;

  constructor(kind: "picture" | "sound", input: TrackInput, limits: TrackLimits) {
    const { plan } = input;
    const isPicture = kind === "picture";
    this.#isRaw = isPicture ? plan.pictures === "raw" : plan.sound === "pcm";
    if (isPicture && plan.pictures === "copy") this.#preroll = new PicturePreroll();
    if (!isPicture && plan.sound === "copy") this.#preroll = new SoundPreroll();
    const isInOrder = !(isPicture && plan.pictures === "copy") && !input.options.still;
    this.#end = isInOrder ? input.options.duration : undefined;
    this.#input = input;
    this.#limits = limits;
    const depth = isPicture && this.#isRaw ? PICTURES_AHEAD : PACKETS_AHEAD;
    const args = isPicture ? pictureArguments(input, limits) : audioArguments(input);
    this.#process = startConfined("ffmpeg", args, { ...input.file, signal: limits.signal });
    const { maxFrameSize, readTimeout = READ_TIMEOUT } = limits;
    // FFmpeg holds a picture of that size itself when it says so; of a packet, a file says it.
    const trustedSize = this.#isRaw ? maxFrameSize : undefined;
    this.#reader = new NutReader(fromStream(this.#process.stdout), {
      ...{ pooledBuffers: depth + 1, maxFrameSize, trustedSize },
      ...{ readTimeout, onTimeout: this.#giveUp },
    });
    this.#ahead = new ReadAhead(() => this.#next(), depth);
  }

  get description(): StreamDescription {
    if (this.#description === undefined) throw new Error("Cannot use a lane: not described yet");
    return this.#description;
  }

  /** What FFmpeg has complained about so far; nothing once more has come than is wanted. */
  get warning(): string | undefined {
    if (this.#isComplete) return undefined;
    return stderrReason(this.#process.complaints, this.#input.file.path);
  }

  describe(description: StreamDescription): void {
    this.#description = description;
  }

  /**
   * Reads the headers, up to the first frame.
   *
   * @returns `undefined` where FFmpeg gives nothing
   */
  async readStream(): Promise<NutStream | undefined> {
    if (this.#nut !== undefined) return this.#nut;
    const [stream] = await this.#explained(() => this.#reader.readStreams());
    if (stream === undefined) await this.#explained(() => this.#finish());
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
    await this.#process[Symbol.asyncDispose]();
    // What nobody took is still in the pipe, and would keep it open.
    await this.#reader.cancel();
  }

  async #next(): Promise<TimedFrame | undefined> {
    const nut = await this.readStream();
    if (nut === undefined) return undefined;
    this.#order ??= new DecodeOrder(nut.type === "video" ? nut.decodeDelay : 0);
    while (this.#ready.length === 0) {
      const placed = await this.#readPlaced(nut);
      if (placed === undefined) return await this.#last(this.#order);
      const moment = toSeconds(placed.timestamp, this.description.timeBase);
      for (const sent of this.#preroll?.add(placed, moment) ?? [placed]) {
        this.#addDue(this.#order.add(sent, toSeconds(sent.timestamp, this.description.timeBase)));
      }
    }
    return this.#ready.shift();
  }

  /** Reads the next frame that is wanted; `undefined` at the end. */
  async #readPlaced(nut: NutStream): Promise<Frame | undefined> {
    if (this.#isComplete) return undefined;
    const frame = await this.#explained(() => this.#reader.readFrame());
    if (frame === undefined) return undefined;
    const placed = { ...frame, ...this.#place(frame, nut) };
    if (this.#end === undefined) return placed;
    // FFmpeg counts a duration from the first frame, and so may give more.
    const wanted = cutAt(this.#end, placed, this.description);
    this.#isComplete = wanted === undefined;
    if (this.#isComplete) this.#process.kill();
    return wanted;
  }

  /** What was held back until the end; then whether FFmpeg succeeded, where it went on to its end. */
  async #last(order: DecodeOrder<Frame>): Promise<TimedFrame | undefined> {
    for (const sent of this.#preroll?.end() ?? []) {
      this.#addDue(order.add(sent, toSeconds(sent.timestamp, this.description.timeBase)));
    }
    this.#addDue(order.end());
    const frame = this.#ready.shift();
    if (frame === undefined && !this.#isComplete) await this.#explained(() => this.#finish());
    return frame;
  }

  #addDue(frames: readonly { item: Frame; due: number }[]): void {
    for (const { item, due } of frames) this.#ready.push({ ...item, due });
  }

  /** Moves a frame to the id and the time base it was described with. */
  #place({ timestamp }: Frame, nut: NutStream): Pick<Frame, "streamId" | "timestamp"> {
    const { options } = this.#input;
    const { id: streamId, timeBase: [numerator, denominator] } = this.description;
    if (options.still) {
      const seconds = this.#count++ * (options.every ?? 0);
      return { streamId, timestamp: Math.round(seconds * denominator / numerator) };
    }
    const [nutNumerator, nutDenominator] = nut.timeBase;
    // Rounded as FFmpeg does when it adds the lead.
    const lead = this.#isRaw ? 0 : Math.round(leadOf(options) * nutDenominator / nutNumerator);
    const scale = (nutNumerator * denominator) / (nutDenominator * numerator);
    return { streamId, timestamp: Math.round((timestamp - lead) * scale) };
  }

  async #finish(): Promise<void> {
    // It has nothing more to give, and may still be held up.
    using _limit = deadline(this.#limits.readTimeout ?? READ_TIMEOUT, this.#giveUp);
    await this.#process.finished();
  }

  /** Ends an FFmpeg that gives nothing for too long, as on a mount that has gone away. */
  #giveUp = (): void => {
    this.#silent = true;
    this.#process.kill();
  };

  /** Turns FFmpeg's failure into the reason why the request fails. */
  async #explained<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      this.#limits.signal.throwIfAborted();
      const failure = error instanceof TruncatedError ? await this.#failure(error) : error;
      if (failure instanceof TruncatedError) {
        const message = `Cannot decode "${this.#input.file.name}": FFmpeg ended inside a frame`;
        throw new RequestError("media_error", message, { cause: failure });
      }
      if (!(failure instanceof ProcessError)) throw failure;
      const reason = this.#silent
        ? "FFmpeg came to nothing for too long"
        : outOfMemory(failure.failure.stderr, this.#input.file.maxMemory) ??
          reasonOf(failure, this.#input.file.path);
      throw new RequestError(
        "media_error",
        `Cannot decode "${this.#input.file.name}": ${reason}`,
        { cause: failure },
      );
    }
  }

  /** The reason behind output that ended inside a frame. */
  async #failure(truncated: TruncatedError): Promise<unknown> {
    try {
      using _limit = deadline(this.#limits.readTimeout ?? READ_TIMEOUT, this.#giveUp);
      await this.#process.finished();
      return truncated;
    } catch (error) {
      return error;
    }
  }
}

/** What stands first is said of the input, unless that has a say of its own. */
function pictureArguments(input: TrackInput, { threads }: TrackLimits): string[] {
  const { file: { maxPixels, info }, plan, options } = input;
  // Several threads decode several pictures, and where there is one, it would wait for the others.
  const isRun = plan.pictures !== "copy" && !options.still;
  return [
    ...pixelLimit(maxPixels, info.video),
    ...(isRun && threads !== undefined ? ["-threads", String(threads)] : []),
    ...videoArguments(input),
  ];
}

/** How FFmpeg ended, and the last of what it said, in one line. */
function reasonOf({ program, failure }: ProcessError, path: string): string {
  const stderr = stderrReason(failure.stderr, path) ?? "";
  return new ProcessError(program, { ...failure, stderr }).message;
}

/** Seconds; what users write down of a moment is rounded to this. */
const PRECISION = 1e-6;

/**
 * Takes off a frame what begins at the end of a part or behind it: PCM to the sample, of all else
 * the whole frame.
 *
 * @param end seconds, on the time line of the timestamps
 * @returns what is left, in the same memory; `undefined` for nothing
 */
export function cutAt(end: number, frame: Frame, stream: StreamDescription): Frame | undefined {
  const left = end - toSeconds(frame.timestamp, stream.timeBase);
  if (left < PRECISION) return undefined;
  if (stream.type === "video") return frame;
  const size = pcmSampleSize(stream);
  if (size === undefined) return frame;
  const bytes = Math.ceil((left - PRECISION) * stream.sampleRate) * size;
  if (bytes >= frame.data.byteLength) return frame;
  return { ...frame, data: frame.data.subarray(0, bytes) };
}

/** Which packets before the moment that was asked for are worth sending. Pure. */

/** What has to be known of a packet. */
export interface Packet {
  keyframe: boolean;
}

/** Seconds before the moment in which packets of sound set the decoder up. */
const SOUND_WARM_UP = 0.1;

/**
 * Leaves out what comes before the last keyframe at or before 0: nothing that is shown needs it.
 */
export class PicturePreroll<T extends Packet> {
  #held: T[] = [];
  #begun = false;

  /**
   * Takes a packet, in the order of decoding.
   *
   * @param moment seconds at which it is shown
   * @returns the packets that are to be sent now
   */
  add(packet: T, moment: number): T[] {
    if (this.#begun) return [packet];
    if (packet.keyframe && moment <= 0) this.#held = [];
    this.#held.push(packet);
    if (moment < 0) return [];
    // A keyframe at 0 may be followed by pictures before it, but not by a better keyframe.
    return this.end();
  }

  /** Gives what is still held back at the end. */
  end(): T[] {
    this.#begun = true;
    return this.#held.splice(0);
  }
}

/** Leaves out sound that ends so long before 0 that no decoder profits from it. */
export class SoundPreroll<T extends Packet> {
  #held: T | undefined;

  /**
   * Takes a packet, in the order of time.
   *
   * @param moment seconds at which it begins, and the one before it ends
   * @returns the packets that are to be sent now
   */
  add(packet: T, moment: number): T[] {
    const before = moment > -SOUND_WARM_UP ? this.end() : [];
    if (moment >= 0) return [...before, packet];
    this.#held = packet;
    return before;
  }

  /** Gives what is still held back at the end. */
  end(): T[] {
    const held = this.#held;
    this.#held = undefined;
    return held === undefined ? [] : [held];
  }
}
