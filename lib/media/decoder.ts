import { type ByteSource, fromStream } from "../core/byte_reader.ts";
import { deadline } from "../core/deadline.ts";
import { ProcessError, RequestError, TruncatedError } from "../core/errors.ts";
import { type Frame, type StreamDescription, toSeconds } from "../core/frame.ts";
import { lastWords } from "./last_words.ts";
import type { MediaFile } from "./library.ts";
import { type Lane, merge } from "./merge.ts";
import type { NutStream } from "./nut_demux.ts";
import { NutReader } from "./nut_reader.ts";
import { type Process, startProcess } from "./process.ts";
import { rawAudioArguments, type RawOptions, rawVideoArguments } from "./raw_arguments.ts";
import { toAudioStream, toVideoStream } from "./raw_streams.ts";
import { ReadAhead } from "./read_ahead.ts";

/** Frames that are decoded beyond the one in use: pictures are large, runs of samples small. */
const PICTURES_AHEAD = 2;
const SOUNDS_AHEAD = 8;

/** Milliseconds; a seek in a large file without an index may take a while. */
const SILENCE_TIMEOUT = 30_000;

/** Options of {@linkcode openDecoder}, besides what is wanted of the file. */
export interface DecoderOptions extends RawOptions {
  /** Bytes of the largest frame that may be decoded. */
  maxFrameSize: number;
  /** Milliseconds in which FFmpeg gives nothing before it is given up; 30 s unless told. */
  silenceTimeout?: number;
  signal: AbortSignal;
}

/** A file being decoded to raw frames: pictures by one FFmpeg, sound by another. */
export class Decoder implements AsyncDisposable {
  /** What the frames are, picture before sound. */
  readonly streams: readonly StreamDescription[];
  #lanes: readonly FrameLane[];
  #file: MediaFile;
  #options: DecoderOptions;

  constructor(lanes: readonly FrameLane[], file: MediaFile, options: DecoderOptions) {
    this.#lanes = lanes;
    this.#file = file;
    this.#options = options;
    this.streams = lanes.map((lane) => lane.description);
  }

  /** What FFmpeg complained about while it went on decoding; the media is damaged then. */
  get warning(): string | undefined {
    return this.#lanes.map((lane) => lane.warning).find((warning) => warning !== undefined);
  }

  /**
   * Gives all frames in the order of time. A frame is good until the next one is asked for.
   *
   * @throws {RequestError} `media_error` where FFmpeg fails
   */
  async *frames(): AsyncGenerator<Frame> {
    let isEmpty = true;
    for await (const frame of merge(this.#lanes)) {
      isEmpty = false;
      yield frame;
      this.#lanes.find((lane) => lane.description.id === frame.streamId)?.recycle(frame);
    }
    // FFmpeg writes headers, and succeeds, even where nothing follows them.
    if (isEmpty) throw nothingToSend(this.#file, this.#options);
  }

  /** Ends FFmpeg and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane[Symbol.asyncDispose]()));
  }
}

/**
 * Starts decoding a file to raw frames and waits for the first of them.
 *
 * @throws {RequestError} where the file cannot be decoded as wanted
 */
export async function openDecoder(file: MediaFile, options: DecoderOptions): Promise<Decoder> {
  const lanes: FrameLane[] = [];
  try {
    const { video, audio } = file.info;
    if (video !== undefined) {
      const lane = new FrameLane("picture", file, options);
      lanes.push(lane);
      lane.describe(toVideoStream(await lane.readStream(), video, options));
    }
    const silent = options.still || options.audio === false;
    if (audio !== undefined && !silent) {
      const lane = new FrameLane("sound", file, options);
      lanes.push(lane);
      // Known beforehand, so that the first picture need not wait until the sound is open.
      lane.describe(toAudioStream(audio));
    }
    if (lanes.length > 0) return new Decoder(lanes, file, options);
    const wanted = options.still ? "picture" : "picture, and sound was not wanted";
    throw new RequestError("unsupported", `Cannot send "${file.name}": it has no ${wanted}`);
  } catch (error) {
    await Promise.all(lanes.map((lane) => lane[Symbol.asyncDispose]()));
    throw error;
  }
}

/** One FFmpeg and the one stream it gives. */
class FrameLane implements Lane<Frame>, AsyncDisposable {
  /** What FFmpeg complained about although it succeeded. */
  warning: string | undefined;
  /** FFmpeg was given up because it gave nothing. */
  #silent = false;
  #description: StreamDescription | undefined;
  #file: MediaFile;
  #options: DecoderOptions;
  #process: Process;
  #reader: NutReader;
  #ahead: ReadAhead<Frame>;
  #nut: NutStream | undefined;

  constructor(kind: "picture" | "sound", file: MediaFile, options: DecoderOptions) {
    const { maxFrameSize, signal } = options;
    const depth = kind === "picture" ? PICTURES_AHEAD : SOUNDS_AHEAD;
    const toArguments = kind === "picture" ? rawVideoArguments : rawAudioArguments;
    this.#file = file;
    this.#options = options;
    this.#process = startProcess("ffmpeg", toArguments(file, options), { signal });
    const source = this.#watched(fromStream(this.#process.stdout));
    this.#reader = new NutReader(source, { pooledBuffers: depth + 1, maxFrameSize });
    this.#ahead = new ReadAhead(() => this.#next(), depth);
  }

  get description(): StreamDescription {
    if (this.#description === undefined) throw new Error("Cannot use a lane: not described yet");
    return this.#description;
  }

  describe(description: StreamDescription): void {
    this.#description = description;
  }

  /** Reads the headers, up to the first frame. */
  async readStream(): Promise<NutStream> {
    if (this.#nut !== undefined) return this.#nut;
    const [stream] = await this.#explained(() => this.#reader.readStreams());
    if (stream === undefined) {
      await this.#explained(() => this.#finish());
      throw nothingToSend(this.#file, this.#options);
    }
    this.#nut = stream;
    return stream;
  }

  take(): Promise<Frame | undefined> {
    return this.#ahead.take();
  }

  timeOf(frame: Frame): number {
    return toSeconds(frame.timestamp, this.description.timeBase);
  }

  recycle(frame: Frame): void {
    this.#reader.recycle(frame);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    // What nobody took is still in the pipe, and would keep it open.
    await this.#reader.cancel();
  }

  /** Reads one frame, and moves it to the id and the time base it was described with. */
  async #next(): Promise<Frame | undefined> {
    const nut = await this.readStream();
    const frame = await this.#explained(() => this.#reader.readFrame());
    if (frame === undefined) {
      await this.#explained(() => this.#finish());
      return undefined;
    }
    const { id, timeBase: [numerator, denominator] } = this.description;
    const [nutNumerator, nutDenominator] = nut.timeBase;
    const scale = (nutNumerator * denominator) / (nutDenominator * numerator);
    return { ...frame, streamId: id, timestamp: Math.round(frame.timestamp * scale) };
  }

  async #finish(): Promise<void> {
    const complaints = await this.#process.finished();
    this.warning = lastWords(complaints, this.#file.path);
  }

  /** Ends an FFmpeg that gives nothing for too long, as on a mount that has gone away. */
  #watched(source: ByteSource): ByteSource {
    const { silenceTimeout = SILENCE_TIMEOUT } = this.#options;
    const giveUp = () => {
      this.#silent = true;
      this.#process.kill();
    };
    return {
      read: async (target, min) => {
        using _limit = deadline(silenceTimeout, giveUp);
        return await source.read(target, min);
      },
      cancel: () => source.cancel(),
    };
  }

  /** Turns FFmpeg's failure into the reason why the request fails. */
  async #explained<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      this.#options.signal.throwIfAborted();
      const failure = error instanceof TruncatedError ? await this.#failure(error) : error;
      if (!(failure instanceof ProcessError)) throw failure;
      const reason = this.#silent
        ? "FFmpeg came to nothing for too long"
        : reasonOf(failure, this.#file.path);
      throw new RequestError(
        "media_error",
        `Cannot decode "${this.#file.name}": ${reason}`,
        { cause: failure },
      );
    }
  }

  /** The reason behind output that ended inside a frame. */
  async #failure(truncated: TruncatedError): Promise<unknown> {
    try {
      await this.#process.finished();
      return truncated;
    } catch (error) {
      return error;
    }
  }
}

function nothingToSend({ name }: MediaFile, { start = 0 }: RawOptions): RequestError {
  const place = start > 0 ? `at ${start} s or later` : "that can be decoded";
  return new RequestError("media_error", `Cannot send "${name}": there is nothing ${place}`);
}

/** How FFmpeg ended, and the last of what it said, in one line. */
function reasonOf({ program, failure }: ProcessError, path: string): string {
  const stderr = lastWords(failure.stderr, path) ?? "";
  return new ProcessError(program, { ...failure, stderr }).message;
}
