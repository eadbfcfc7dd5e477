/** One run of FFmpeg over a live source. */
import { FormatError, type ProcessError, RequestError } from "../../base/errors.ts";
import type { Hardware } from "../../ffmpeg/encoders.ts";
import { type FfmpegEnd, FrameReader } from "../../ffmpeg/frame_reader.ts";
import { HardwareError, hardwareReason } from "../../ffmpeg/hardware.ts";
import { type Process, startProcess } from "../../ffmpeg/process.ts";
import type { Rendition } from "../../ffmpeg/rendition.ts";
import { memoryLimit, startConfined } from "../../ffmpeg/sandbox.ts";
import { hideSecrets, stderrReason } from "../../ffmpeg/stderr.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import {
  type DataStream,
  type Frame,
  type StreamDescription,
  toSeconds,
} from "../../media/frame.ts";
import type { TimedFrame } from "../../media/source.ts";
import type { NutStream } from "../../nut/demuxer.ts";
import { liveArguments, restatesColors } from "./ffmpeg_args.ts";
import { FrameFeeder, type FrameInput } from "./relay_feed.ts";
import { type LiveSource, pathOf } from "./source_spec.ts";
import { describeLive, liveStreamId } from "./stream_info.ts";
import type { SourceStreams } from "./source_streams.ts";

/** Frame buffers that are reused; if subscribers hold more frames, further ones are allocated. */
const POOLED_BUFFERS = 8;

/** Milliseconds without data after which a source is given up. */
const READ_TIMEOUT = 10_000;

/** Factor of the read timeout if frames come from a capture, which has a timeout of its own. */
const FED_TIMEOUT_FACTOR = 2;

/** Messages of the input's data streams that wait to be taken, and their bytes. */
const MAX_MESSAGES = { count: 10_000, bytes: 16 * 2 ** 20 };

/** FFmpeg's message about a host that it cannot find. The name is hidden from clients. */
const HOST_NAME = /(Failed to resolve hostname) \S+(?=: )/g;

/** Options of {@linkcode openLiveFeed}. */
export interface LiveFeedOptions {
  /** Read files again from their beginning at their end. */
  loop?: boolean;
  /** Bytes of the largest frame. */
  maxFrameSize: number;
  /** Pixels of the largest picture that is decoded of frames. @default Infinity */
  maxPixels?: number;
  /**
   * Milliseconds without data after which the source is given up, besides the time between two
   * frames of the rendition.
   *
   * @default 10_000
   */
  readTimeout?: number;
  /** Frames to read in place of the source's input. The feed owns it. */
  input?: FrameInput;
  /** How FFmpeg opens the source, if not by its kind. */
  opened?: OpenedInput;
  /** Leave out the audio. */
  isSilent?: boolean;
  /** Errors are for the one who named the input, and may repeat it. */
  isOwn?: boolean;
  /** The spelling of arguments that the installed FFmpeg needs. */
  dialect: FfmpegDialect;
  /** How video is decoded and encoded. @default SOFTWARE */
  hardware?: Hardware;
  /** Accept streams of codecs that clients do not know: FFmpeg reads them. */
  isCapture?: boolean;
  signal: AbortSignal;
}

/** An input that FFmpeg opens in a way of its own. */
export interface OpenedInput {
  /** FFmpeg's arguments, up to the input. */
  arguments: readonly string[];
  /** Whether FFmpeg reads the standard input of this program. */
  isStdin: boolean;
}

/** A source gave all it has: FFmpeg came to its end without a failure. */
export class SourceEndedError extends RequestError {
  override name = "SourceEndedError";
  /** FFmpeg's last complaint, if the media is damaged. */
  readonly warning: string | undefined;

  constructor(message: string, { warning }: { warning?: string } = {}) {
    super("media_error", message);
    this.warning = warning;
  }
}

/** The streams of a source are others now: opening it again gives them. */
export class StreamsChangedError extends Error {
  override name = "StreamsChangedError";
}

/** Frames of one run of a live source. */
export interface LiveFeed extends AsyncDisposable {
  /** The streams of the frames, video before audio. */
  readonly streams: readonly StreamDescription[];
  /** The data streams of the frames, if there are any. */
  readonly data?: readonly DataStream[];
  /** Asks the source for a keyframe, because somebody joins; absent if it cannot be asked. */
  requestKeyframe?(): void;
  /**
   * Reads the next frame, in the time base of its stream. It is the caller's until it is given to
   * {@linkcode LiveFeed.recycle}, also while further ones are read.
   *
   * @throws {SourceEndedError} once there are no more
   * @throws {RequestError} `media_error` with the reason of a failure
   * @throws {StreamsChangedError} if frames of other streams follow
   */
  next(): Promise<TimedFrame>;
  /** Takes a frame's memory back. Nothing may use the frame any more. */
  recycle(frame: Frame): void;
}

/** Gives the packets of a source in place of an FFmpeg that opens its input. */
export interface FeedOpener {
  /**
   * Opens one run of the source. The run must fail once the signal aborts.
   *
   * @param via ids of the relays that the request came through
   */
  open(signal: AbortSignal, via: readonly string[]): Promise<LiveFeed>;
  /**
   * Checks a request before it joins, or starts, the source.
   *
   * @throws {RequestError} `bad_request` if it has come through this source already
   */
  refuseLoop?(via: readonly string[]): void;
  /** Whether opening waits until the source is there, so that no pause is needed before. */
  readonly isAwaited?: boolean;
  /** The streams, if they are known before anybody watches. */
  readonly described?: SourceStreams;
  /** Called when viewers come or leave. */
  onViewers?(viewers: number): void;
}

/**
 * Starts FFmpeg for a live source and waits for its stream headers.
 *
 * @throws {RequestError} with the reason if it gives nothing
 */
export async function openLiveFeed(
  source: LiveSource,
  rendition: Rendition,
  options: LiveFeedOptions,
): Promise<LiveFeed> {
  const { loop, signal, input, readTimeout = READ_TIMEOUT, dialect } = options;
  const { maxPixels, opened, isSilent, hardware } = options;
  const isFed = input !== undefined;
  let feed: FfmpegFeed | undefined;
  try {
    const size = source.kind === "file" ? await sizeOf(pathOf(source)) : undefined;
    const { inputTimeBase } = dialect;
    const args = liveArguments(source, rendition, {
      ...{ loop, size, inputTimeBase, isSilent, hardware },
      fed: isFed ? { maxPixels, rawFormat: rawFormatOf(input) } : undefined,
      opened: opened?.arguments,
    });
    signal.throwIfAborted();
    const process = isFed
      ? startConfined("ffmpeg", args, {
        maxMemory: maxPixels === undefined ? undefined : memoryLimit(maxPixels),
        signal,
      })
      : startProcess("ffmpeg", args, { stdin: opened?.isStdin ? "inherit" : "null", signal });
    const { fps = Infinity } = rendition;
    const timeout = readTimeout * (isFed ? FED_TIMEOUT_FACTOR : 1) + 1000 / fps;
    feed = new FfmpegFeed(process, { ...options, source, readTimeout: timeout });
    await feed.describe(rendition);
    return feed;
  } catch (error) {
    await feed?.[Symbol.asyncDispose]();
    input?.[Symbol.dispose]();
    throw error;
  }
}

/** The pixel format of an input's frames; `undefined` if they are not raw. */
function rawFormatOf({ streams }: FrameInput): string | undefined {
  const raw = streams.find((stream) => stream.type === "video" && stream.codec === "rawvideo");
  return raw?.type === "video" ? raw.pixelFormat : undefined;
}

interface FfmpegFeedOptions extends LiveFeedOptions {
  source: LiveSource;
  readTimeout: number;
}

class FfmpegFeed implements LiveFeed {
  streams: readonly StreamDescription[] = [];
  #reader: FrameReader;
  #options: FfmpegFeedOptions;
  #nut: readonly NutStream[] = [];
  #feeder: FrameFeeder | undefined;
  /** Messages of the input's data streams that wait to be taken. */
  #messages: TimedFrame[] = [];
  /** Bytes of them. */
  #messageBytes = 0;
  /** Ends the wait for FFmpeg's next frame, because a message has come. */
  #wake = () => {};
  /** The read of FFmpeg's next frame, while it is under way. */
  #reading: Promise<Frame | undefined> | undefined;
  /** FFmpeg's output has ended. */
  #isOver = false;
  /** Why the input failed that FFmpeg is fed from. */
  #inputFailure: Error | undefined;

  constructor(process: Process, options: FfmpegFeedOptions) {
    this.#options = options;
    const { maxFrameSize, readTimeout, signal } = options;
    this.#reader = new FrameReader(process, {
      ...{ pooledBuffers: POOLED_BUFFERS, maxFrameSize, readTimeout, signal },
      // Some publishers send a frame a minute.
      more: () => this.#feeder?.timeLeft(readTimeout) ?? 0,
      toError: (end) => this.#toError(end),
    });
    this.#feeder = options.input && new FrameFeeder(options.input, {
      output: process.stdin,
      onData: (message) => this.#addMessage(message),
      onFailure: (error) => {
        this.#inputFailure = error instanceof Error ? error : new Error(String(error));
        process.kill();
      },
    });
  }

  get #isFedRaw(): boolean {
    const { input } = this.#options;
    return input !== undefined && rawFormatOf(input) !== undefined;
  }

  get data(): readonly DataStream[] {
    return this.#options.input?.data ?? [];
  }

  /** Reads the stream headers. */
  async describe(rendition: Rendition): Promise<void> {
    this.#nut = await this.#read(() => this.#reader.readStreams());
    this.#feeder?.answered();
    if (this.#nut.length === 0) throw await this.#reader.endError();
    const { source, isCapture } = this.#options;
    this.streams = describeLive(this.#nut, rendition, {
      restatesColors: restatesColors(source, rendition, { isRaw: this.#isFedRaw }),
      isCapture,
    });
  }

  async next(): Promise<TimedFrame> {
    while (true) {
      const due = this.#takeMessage() ?? this.#reader.takeDue();
      if (due !== undefined) return due;
      const frame = await this.#readFrame();
      // A message came, or the frames that were held back are due now.
      if (frame === undefined) continue;
      const nut = this.#nut.find(({ id }) => id === frame.streamId);
      const streamId = liveStreamId(this.#nut, frame.streamId);
      const stream = this.streams.find(({ id }) => id === streamId);
      if (nut === undefined || stream === undefined) continue;
      const { id, timeBase } = stream;
      const captured = this.#feeder?.capturedAt(id, toSeconds(frame.timestamp, timeBase));
      this.#reader.addDue({ ...frame, streamId: id, captured }, nut, timeBase);
    }
  }

  recycle(frame: Frame): void {
    this.#reader.recycle(frame);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader[Symbol.asyncDispose]();
    await this.#feeder?.[Symbol.asyncDispose]();
  }

  /** @returns `undefined` if a message of a data stream arrives first, and once at the end */
  async #readFrame(): Promise<Frame | undefined> {
    this.#reading ??= this.#read(() => this.#reader.readFrame()).then(async (frame) => {
      this.#feeder?.answered();
      if (frame !== undefined) return frame;
      if (this.#isOver) throw await this.#reader.endError();
      this.#isOver = true;
      this.#reader.endDue();
      return undefined;
    });
    // Its failure is reported to a later call if a message comes first.
    this.#reading.catch(() => {});
    const reading = this.#reading;
    if (this.data.length > 0) {
      const woken = Promise.withResolvers<"read" | "message">();
      this.#wake = () => woken.resolve("message");
      reading.then(() => woken.resolve("read"), () => woken.resolve("read"));
      if (await woken.promise === "message") return undefined;
    }
    this.#reading = undefined;
    return await reading;
  }

  #addMessage(message: Frame): void {
    const stream = this.data.find(({ id }) => id === message.streamId);
    if (stream === undefined) return;
    this.#messages.push({ ...message, due: toSeconds(message.timestamp, stream.timeBase) });
    this.#messageBytes += message.data.byteLength;
    // FFmpeg may not have begun yet.
    while (this.#messages.length > MAX_MESSAGES.count || this.#messageBytes > MAX_MESSAGES.bytes) {
      this.#takeMessage();
      this.#messages[0].dropped = true;
    }
    this.#wake();
  }

  #takeMessage(): TimedFrame | undefined {
    const message = this.#messages.shift();
    if (message !== undefined) this.#messageBytes -= message.data.byteLength;
    return message;
  }

  /** Reports output that is no NUT as a failure of the source. */
  async #read<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      this.#options.signal.throwIfAborted();
      throw error instanceof FormatError ? this.#failure(error.message, error) : error;
    }
  }

  #toError({ stderr, isTimedOut, failure, truncation }: FfmpegEnd): Error {
    if (this.#inputFailure !== undefined) return this.#inputFailure;
    const { readTimeout, source, input, isOwn } = this.#options;
    const seconds = Math.round(readTimeout / 100) / 10;
    if (isTimedOut) return this.#failure(`nothing came for ${seconds} s`, failure);
    const opened = input === undefined ? source : { ...source, input: "pipe:0" };
    const failed = failure && hardwareReason(stderr, this.#options.hardware);
    if (failed !== undefined) {
      const reason = hideSecrets(failed.replaceAll(source.input, "the source"));
      return new HardwareError(this.#failure(reason).message, reason, { cause: failure });
    }
    const complaint = reasonFrom(opened, stderr || statusOf(failure), { isOwn });
    const reason = complaint ?? "it came to its end";
    if (failure === undefined && truncation === undefined && this.#isOver) {
      return new SourceEndedError(this.#failure(reason).message, { warning: complaint });
    }
    return this.#failure(reason, failure);
  }

  #failure(reason: string, cause?: unknown): RequestError {
    const { name } = this.#options.source;
    return new RequestError("media_error", `Cannot read "${name}": ${reason}`, { cause });
  }
}

/** The exit status of an FFmpeg that failed without a word; nothing if it succeeded. */
function statusOf(error?: ProcessError): string {
  if (error === undefined) return "";
  const { code, signal } = error.failure;
  return signal === null ? `FFmpeg failed (${code})` : `FFmpeg was ended by ${signal}`;
}

/**
 * FFmpeg's last complaint that says something, without the secrets of the source's address, and
 * without the address itself unless it is for its owner.
 */
function reasonFrom(
  source: LiveSource,
  stderr: string,
  { isOwn = false }: { isOwn?: boolean },
): string | undefined {
  const lines = stderr.trimEnd().split("\n");
  // The last line about a generator repeats its definition and says less than those before.
  const isRepetition = source.kind === "generator" && lines.length > 1 &&
    lines.at(-1)?.startsWith(`${source.input}: `);
  const named = (isRepetition ? lines.slice(0, -1) : lines).join("\n")
    .replaceAll(`file:${pathOf(source)}`, source.input)
    .replaceAll(`${source.input}: `, "");
  const reason = isOwn ? stderrReason(named) : stderrReason(
    named.replaceAll(source.input, "the source").replace(HOST_NAME, "$1 ***"),
    source.input,
  );
  return reason === undefined ? undefined : hideSecrets(reason);
}

/** Bytes of a file now; `undefined` if that cannot be found out. */
async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    // FFmpeg is about to say what is wrong with it.
    if (error instanceof Error) return undefined;
    throw error;
  }
}
