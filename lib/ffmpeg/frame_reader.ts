/** Reads the frames that one FFmpeg writes to its standard output as NUT. */
import { deadline } from "../base/async.ts";
import { fromStream } from "../base/byte_reader.ts";
import { ProcessError, TruncatedError } from "../base/errors.ts";
import { DecodeOrder, type Due } from "../media/pacer.ts";
import { type Frame, type Rational, toSeconds } from "../media/frame.ts";
import type { TimedFrame } from "../media/source.ts";
import type { NutStream } from "../nut/demuxer.ts";
import { NutReader, type NutReaderOptions } from "../nut/reader.ts";
import type { Process } from "./process.ts";

/** How an FFmpeg ended. */
export interface FfmpegEnd {
  /** The last of its standard error. */
  stderr: string;
  /** It wrote nothing for too long and was killed. */
  isTimedOut: boolean;
  /** Its status, if it failed. */
  failure?: ProcessError;
  /** Its output ended inside an element. */
  truncation?: TruncatedError;
}

/** Options of {@linkcode FrameReader}. */
export interface FrameReaderOptions extends NutReaderOptions {
  /** Milliseconds without output after which FFmpeg is killed. */
  readTimeout: number;
  /** Kills FFmpeg; its reason is then thrown in place of FFmpeg's failure. */
  signal: AbortSignal;
  /** Makes the error for an FFmpeg that failed or ended too soon. */
  toError: (end: FfmpegEnd) => Error;
}

/** Frames of one FFmpeg, which it owns: ended at the latest when the reader is disposed. */
export class FrameReader implements AsyncDisposable {
  #process: Process;
  #nut: NutReader;
  #options: FrameReaderOptions;
  #isTimedOut = false;
  #orders = new Map<number, DecodeOrder<Frame>>();
  /** Frames whose due time is known. */
  #due: TimedFrame[] = [];

  constructor(process: Process, options: FrameReaderOptions) {
    this.#process = process;
    this.#options = options;
    const onTimeout = this.#giveUp;
    this.#nut = new NutReader(fromStream(process.stdout), { ...options, onTimeout });
  }

  /** The last of what FFmpeg has written to its standard error so far. */
  get stderr(): string {
    return this.#process.complaints;
  }

  /**
   * Reads the headers, up to the first frame.
   *
   * @returns the streams; none if FFmpeg wrote nothing
   * @throws {FormatError} for anything but NUT
   */
  async readStreams(): Promise<NutStream[]> {
    return await this.#read(() => this.#nut.readStreams());
  }

  /**
   * Reads the next frame, as FFmpeg wrote it. It is the caller's until it is recycled.
   *
   * @returns `undefined` at the end of the output, which says nothing of FFmpeg's status
   * @throws {FormatError} for bytes that break the format
   */
  async readFrame(): Promise<Frame | undefined> {
    return await this.#read(() => this.#nut.readFrame());
  }

  /** Takes a frame's memory back. Nothing may use the frame any more. */
  recycle(frame: Frame): void {
    this.#nut.recycle(frame);
  }

  /**
   * Adds a frame, in decode order, for {@linkcode FrameReader.takeDue}.
   *
   * @param stream the stream that FFmpeg wrote it in
   * @param timeBase of the frame's timestamp
   */
  addDue(frame: Frame, stream: NutStream, timeBase: Rational): void {
    let order = this.#orders.get(stream.id);
    if (order === undefined) {
      order = new DecodeOrder(stream.type === "video" ? stream.decodeDelay : 0);
      this.#orders.set(stream.id, order);
    }
    this.#pushDue(order.add(frame, toSeconds(frame.timestamp, timeBase)));
  }

  /** Says that no more frames are added, so that all are due. */
  endDue(): void {
    for (const order of this.#orders.values()) this.#pushDue(order.end());
  }

  /** Takes the next frame whose due time is known, if any. */
  takeDue(): TimedFrame | undefined {
    return this.#due.shift();
  }

  /** Waits until FFmpeg has ended, and throws if it failed. */
  async finish(): Promise<void> {
    const end = await this.#end();
    if (end.failure !== undefined) throw this.#options.toError(end);
  }

  /** Waits until FFmpeg has ended, and returns the error for that. */
  async endError(truncation?: TruncatedError): Promise<Error> {
    return this.#options.toError({ ...await this.#end(), truncation });
  }

  /** Ends FFmpeg at once. */
  kill(): void {
    this.#process.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    // Output that nobody took would keep the pipe open.
    await this.#nut.cancel();
  }

  async #end(): Promise<FfmpegEnd> {
    try {
      // FFmpeg may hang after its output has ended.
      using _limit = deadline(this.#options.readTimeout, this.#giveUp);
      const stderr = await this.#process.finished();
      return { stderr, isTimedOut: this.#isTimedOut };
    } catch (error) {
      this.#options.signal.throwIfAborted();
      if (!(error instanceof ProcessError)) throw error;
      return { stderr: error.failure.stderr, isTimedOut: this.#isTimedOut, failure: error };
    }
  }

  async #read<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      this.#options.signal.throwIfAborted();
      throw error instanceof TruncatedError ? await this.endError(error) : error;
    }
  }

  #pushDue(frames: readonly Due<Frame>[]): void {
    for (const { item, due } of frames) this.#due.push({ ...item, due });
  }

  #giveUp = (): void => {
    this.#isTimedOut = true;
    this.#process.kill();
  };
}
