import { deadline } from "../../base/async.ts";
import { fromStream, limitReadTime } from "../../base/byte_reader.ts";
import { messageOf, ProcessError, RequestError, TruncatedError } from "../../base/errors.ts";
import { type Process, startProcess } from "../../ffmpeg/process.ts";
import type { Rendition } from "../../ffmpeg/rendition.ts";
import { hideSecrets, stderrReason } from "../../ffmpeg/stderr.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import { DecodeOrder } from "../../media/decode_order.ts";
import { type Frame, type StreamDescription, toSeconds } from "../../media/frame.ts";
import type { TimedFrame } from "../../media/source.ts";
import type { NutStream } from "../../nut/demuxer.ts";
import { NutReader } from "../../nut/reader.ts";
import { liveArguments, restatesColors } from "./ffmpeg_args.ts";
import { FrameFeeder, type FrameInput } from "./relay_feed.ts";
import { type LiveSource, pathOf } from "./source_spec.ts";
import { describeLive, liveStreamId } from "./stream_info.ts";

/** Frame buffers that go round; with more viewers that lag, more are made, and dropped again. */
const POOLED_BUFFERS = 8;

/** Milliseconds in which a source gives nothing before it is given up. */
const READ_TIMEOUT = 10_000;

/** How much longer that is where the frames come from elsewhere, where the silence is told of. */
const FED_PATIENCE = 2;

/** What FFmpeg says of a host that it does not find, which is not for viewers to know. */
const HOST_NAME = /(Failed to resolve hostname) \S+(?=: )/g;

/** Options of {@linkcode openLiveFeed}. */
export interface LiveFeedOptions {
  /** Begin files again at their end. */
  loop?: boolean;
  /** Bytes of the largest frame. */
  maxFrameSize: number;
  /**
   * Milliseconds without anything from the source after which it is given up, besides those from
   * one frame to the next of a rendition that has few; 10 s.
   */
  readTimeout?: number;
  /**
   * Where the source's frames come from, which then belongs to the feed; absent where FFmpeg is to
   * open the source itself.
   */
  input?: FrameInput;
  /** The spelling of arguments that the installed FFmpeg needs. */
  dialect: FfmpegDialect;
  /** Also take streams of which no viewer could be told what they are. */
  isCapture?: boolean;
  signal: AbortSignal;
}

/** One run of FFmpeg over a live source. */
export interface LiveFeed extends AsyncDisposable {
  /** What the frames are, picture before sound. */
  readonly streams: readonly StreamDescription[];
  /**
   * Reads the next frame, in the time base of its stream. It is the taker's until it is given to
   * {@linkcode LiveFeed.recycle}, also when further ones are read.
   *
   * @throws {RequestError} `media_error` with the reason, once there are no more
   */
  next(): Promise<TimedFrame>;
  /** Takes a frame's memory back; nothing may look at the frame any more. */
  recycle(frame: Frame): void;
}

/**
 * Starts FFmpeg for a live source and waits until it says what the streams are.
 *
 * @throws {RequestError} with the reason where it gives nothing
 */
export async function openLiveFeed(
  source: LiveSource,
  rendition: Rendition,
  options: LiveFeedOptions,
): Promise<LiveFeed> {
  const { loop, signal, input, readTimeout = READ_TIMEOUT, dialect } = options;
  const isFed = input !== undefined;
  let feed: RunningFeed | undefined;
  try {
    const size = source.kind === "file" ? await sizeOf(pathOf(source)) : undefined;
    const { inputTimeBase } = dialect;
    const args = liveArguments(source, rendition, { loop, size, isFed, inputTimeBase });
    signal.throwIfAborted();
    const process = startProcess("ffmpeg", args, { stdin: isFed ? "piped" : "null", signal });
    const { fps = Infinity } = rendition;
    const patience = readTimeout * (isFed ? FED_PATIENCE : 1) + 1000 / fps;
    feed = new RunningFeed(process, { ...options, source, readTimeout: patience });
    await feed.describe(rendition);
    return feed;
  } catch (error) {
    await feed?.[Symbol.asyncDispose]();
    input?.[Symbol.dispose]();
    throw error;
  }
}

interface RunningFeedOptions extends LiveFeedOptions {
  source: LiveSource;
  readTimeout: number;
}

class RunningFeed implements LiveFeed {
  streams: readonly StreamDescription[] = [];
  #process: Process;
  #reader: NutReader;
  #options: RunningFeedOptions;
  #found: readonly NutStream[] = [];
  #order = new Map<number, DecodeOrder<Frame>>();
  /** Frames of which it is known when they are due. */
  #ready: TimedFrame[] = [];
  #silent = false;
  #feeder: FrameFeeder | undefined;
  /** What the frames that it is made from failed with. */
  #inputFailure: Error | undefined;

  constructor(process: Process, options: RunningFeedOptions) {
    this.#process = process;
    this.#options = options;
    const { maxFrameSize } = options;
    const output = limitReadTime(fromStream(process.stdout), options.readTimeout, this.#giveUp);
    this.#reader = new NutReader(output, { pooledBuffers: POOLED_BUFFERS, maxFrameSize });
    this.#feeder = options.input && new FrameFeeder(options.input, {
      sink: process.stdin,
      onFailure: (error) => {
        this.#inputFailure = error instanceof Error ? error : new Error(String(error));
        process.kill();
      },
    });
  }

  /** Reads the headers. */
  async describe(rendition: Rendition): Promise<void> {
    this.#found = await this.#explained(() => this.#reader.readStreams());
    if (this.#found.length === 0) throw await this.#endReason();
    const { source, isCapture } = this.#options;
    const restated = restatesColors(source, rendition);
    this.streams = describeLive(this.#found, rendition, {
      restatesColors: restated,
      isCapture,
    });
  }

  async next(): Promise<TimedFrame> {
    while (true) {
      const ready = this.#ready.shift();
      if (ready !== undefined) return ready;
      const frame = await this.#explained(() => this.#reader.readFrame());
      if (frame === undefined) throw await this.#endReason();
      const streamId = liveStreamId(this.#found, frame.streamId);
      const stream = this.streams.find(({ id }) => id === streamId);
      if (stream === undefined) continue;
      const moment = toSeconds(frame.timestamp, stream.timeBase);
      const captured = this.#feeder?.capturedAt(stream.id, moment);
      const own = { ...frame, streamId: stream.id, captured };
      const known = this.#orderOf(stream).add(own, moment);
      this.#ready.push(...known.map(({ item, due }) => ({ ...item, due })));
    }
  }

  recycle(frame: Frame): void {
    this.#reader.recycle(frame);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    await this.#feeder?.[Symbol.asyncDispose]();
    // What nobody took is still in the pipe, and would keep it open.
    await this.#reader.cancel();
  }

  #orderOf(stream: StreamDescription): DecodeOrder<Frame> {
    const known = this.#order.get(stream.id);
    if (known !== undefined) return known;
    const delay = stream.type === "video" ? stream.decodeDelay ?? 0 : 0;
    const order = new DecodeOrder<Frame>(delay);
    this.#order.set(stream.id, order);
    return order;
  }

  #giveUp = (): void => {
    this.#silent = true;
    this.#process.kill();
  };

  async #explained<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      this.#options.signal.throwIfAborted();
      if (error instanceof TruncatedError) throw await this.#endReason();
      if (error instanceof RequestError) throw error;
      throw this.#failure(messageOf(error), error);
    }
  }

  /** Why there is nothing more. */
  async #endReason(): Promise<Error> {
    const { readTimeout, signal, source, input } = this.#options;
    let complaints: string;
    let cause: unknown;
    try {
      // It has nothing more to give, and may still be held up.
      using _limit = deadline(readTimeout, this.#giveUp);
      complaints = await this.#process.finished();
    } catch (error) {
      if (!(error instanceof ProcessError)) throw error;
      complaints = error.failure.stderr;
      cause = error;
      const { code, signal: name } = error.failure;
      complaints ||= name === null ? `FFmpeg failed (${code})` : `FFmpeg was ended by ${name}`;
    }
    signal.throwIfAborted();
    if (this.#inputFailure !== undefined) return this.#inputFailure;
    const seconds = Math.round(readTimeout / 100) / 10;
    if (this.#silent) return this.#failure(`nothing came for ${seconds} s`, cause);
    const opened = input === undefined ? source : { ...source, input: "pipe:0" };
    return this.#failure(wordsAbout(opened, complaints) ?? "it came to its end", cause);
  }

  #failure(reason: string, cause?: unknown): RequestError {
    const { name } = this.#options.source;
    return new RequestError("media_error", `Cannot read "${name}": ${reason}`, { cause });
  }
}

/** The last of what FFmpeg said, without what the source's address would give away. */
function wordsAbout(source: LiveSource, complaints: string): string | undefined {
  const lines = complaints.trimEnd().split("\n");
  // The last line about a generator repeats all of it, and tells less than those before.
  const isRepetition = source.kind === "generator" && lines.length > 1 &&
    lines.at(-1)?.startsWith(`${source.input}: `);
  const plain = (isRepetition ? lines.slice(0, -1) : lines).join("\n")
    .replaceAll(`file:${pathOf(source)}`, source.input)
    .replaceAll(`${source.input}: `, "")
    .replaceAll(source.input, "the source")
    .replace(HOST_NAME, "$1 ***");
  const words = stderrReason(plain, source.input);
  return words === undefined ? undefined : hideSecrets(words);
}

/** Bytes of a file as it is now; nothing where that cannot be known. */
async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    // FFmpeg says what is wrong with it.
    if (error instanceof Error) return undefined;
    throw error;
  }
}
