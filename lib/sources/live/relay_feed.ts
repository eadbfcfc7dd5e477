/** Feeds the frames of one broadcast to the FFmpeg of another. */
import {
  type DataStream,
  type Frame,
  FRAME_HEADROOM,
  FRAME_TAILROOM,
  type StreamDescription,
  toSeconds,
  toTicks,
} from "../../media/frame.ts";
import { NutWriter } from "../../nut/writer.ts";

/** Packets that FFmpeg may hold back, because decoders reorder them and work in several threads. */
const MOST_HELD = 32;

/** A frame that has to be released after use. */
export interface HeldFrame {
  readonly frame: Frame;
  release(): void;
}

/** Frames to read in place of an input that FFmpeg opens. */
export interface FrameInput extends Disposable {
  /** The streams of the frames. */
  readonly streams: readonly StreamDescription[];
  /** The data streams of the frames, which FFmpeg does not get. */
  readonly data?: readonly DataStream[];
  /**
   * Waits for the next frame.
   *
   * @returns `undefined` at the end of the source
   * @throws the signal's reason, or the error that the source failed with
   */
  take(signal: AbortSignal): Promise<HeldFrame | undefined>;
}

/** Options of {@linkcode FrameFeeder}. */
export interface FrameFeederOptions {
  /** FFmpeg's standard input. */
  output: WritableStream<Uint8Array>;
  /** Called with each message of a data stream, on FFmpeg's timeline. */
  onData?: (message: Frame) => void;
  /** Called once if the input fails. */
  onFailure: (error: unknown) => void;
}

/** Writes the frames of an input, which it owns, to FFmpeg: as NUT that begins at time 0. */
export class FrameFeeder implements AsyncDisposable {
  #input: FrameInput;
  #options: FrameFeederOptions;
  #writer: NutWriter | undefined;
  #captureTimes = new CaptureTimes();
  /** Seconds of the first frame. */
  #zero: number | undefined;
  /** Frames that FFmpeg may hold back. */
  #mostHeld: number;
  /** Frames that FFmpeg got since it last gave one. */
  #unanswered = 0;
  /** Since when FFmpeg has to give something, by `performance.now()`; absent if it need not. */
  #owesSince: number | undefined;
  #isOver = false;
  #stop = new AbortController();
  #finished: Promise<void>;

  constructor(input: FrameInput, options: FrameFeederOptions) {
    const isRaw = ({ codec }: StreamDescription) =>
      codec === "rawvideo" || codec.startsWith("pcm_");
    this.#input = input;
    this.#options = options;
    this.#mostHeld = input.streams.every(isRaw) ? 1 : MOST_HELD;
    this.#finished = this.#run();
  }

  /**
   * Returns the capture time of the frame that one of FFmpeg's was made from.
   *
   * @param seconds of FFmpeg's frame, on its timeline
   * @returns microseconds since 1970
   */
  capturedAt(streamId: number, seconds: number): number | undefined {
    return this.#captureTimes.find(streamId, seconds);
  }

  /** Notes that FFmpeg has given something. */
  answered(): void {
    this.#unanswered = 0;
    this.#owesSince = this.#isOver ? performance.now() : undefined;
  }

  /**
   * Milliseconds that FFmpeg may still take to give something.
   *
   * @param limit milliseconds that it may take for what it got
   */
  timeLeft(limit: number): number {
    if (this.#owesSince === undefined) return limit;
    return this.#owesSince + limit - performance.now();
  }

  /** Ends the input at once. FFmpeg, which may be reading it, must have ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#finished;
    await (this.#writer ?? this.#options.output).abort();
    this.#input[Symbol.dispose]();
  }

  async #run(): Promise<void> {
    const { output, onData, onFailure } = this.#options;
    const { signal } = this.#stop;
    try {
      this.#writer = new NutWriter(output, this.#input.streams);
      while (true) {
        const held = await this.#input.take(signal);
        if (held === undefined) {
          this.#isOver = true;
          this.#owesSince ??= performance.now();
          return await this.#writer.close();
        }
        try {
          const message = this.#shiftedMessage(held.frame);
          if (message !== undefined) {
            onData?.(message);
            continue;
          }
          const frame = this.#shifted(held.frame);
          if (frame === undefined) continue;
          if (++this.#unanswered > this.#mostHeld) this.#owesSince ??= performance.now();
          await this.#writer.write(frame);
        } finally {
          held.release();
        }
      }
    } catch (error) {
      // FFmpeg reads no more: how it ended is reported elsewhere.
      if (!signal.aborted && !(error instanceof Deno.errors.BrokenPipe)) onFailure(error);
    }
  }

  /** A copy of a message on FFmpeg's timeline; `undefined` if the frame is none. */
  #shiftedMessage({ data: shared, ...frame }: Frame): Frame | undefined {
    const stream = this.#input.data?.find(({ id }) => id === frame.streamId);
    if (stream === undefined) return undefined;
    const memory = new Uint8Array(FRAME_HEADROOM + shared.byteLength + FRAME_TAILROOM);
    const data = memory.subarray(FRAME_HEADROOM, FRAME_HEADROOM + shared.byteLength);
    data.set(shared);
    const zero = toTicks(this.#zero ?? 0, stream.timeBase);
    // Before the first frame of video or audio there is no timeline yet.
    const timestamp = this.#zero === undefined ? 0 : frame.timestamp - zero;
    return { ...frame, timestamp, data };
  }

  /** Shifts a frame to FFmpeg's timeline; `undefined` if it is dropped. */
  #shifted(frame: Frame): Frame | undefined {
    const { streamId, timestamp, captured } = frame;
    const stream = this.#input.streams.find(({ id }) => id === streamId);
    if (stream === undefined) return undefined;
    const { timeBase } = stream;
    this.#zero ??= toSeconds(timestamp, timeBase);
    const shifted = timestamp - toTicks(this.#zero, timeBase);
    // Frames shown before the first one depend on others that are missing.
    if (shifted < 0) return undefined;
    if (captured !== undefined) {
      this.#captureTimes.add(streamId, toSeconds(shifted, timeBase), captured);
    }
    return { ...frame, timestamp: shifted };
  }
}

/** Seconds of a stream for which capture times are kept. */
const KEPT_TIME = 10;

/** Seconds by which the timestamps of input and output may differ by rounding. */
const ROUNDING = 0.002;

/** Capture times of the frames fed to FFmpeg, by their time on its timeline. */
export class CaptureTimes {
  #streams = new Map<number, { seconds: number; captured: number }[]>();

  /**
   * @param seconds on the timeline
   * @param captured microseconds since 1970
   */
  add(streamId: number, seconds: number, captured: number): void {
    const known = this.#streams.get(streamId) ?? [];
    while (known.length > 0 && known[0].seconds < seconds - KEPT_TIME) known.shift();
    known.push({ seconds, captured });
    this.#streams.set(streamId, known);
  }

  /** Returns the capture time of the latest frame that has begun by then, if any. */
  find(streamId: number, seconds: number): number | undefined {
    let found: { seconds: number; captured: number } | undefined;
    for (const entry of this.#streams.get(streamId) ?? []) {
      if (entry.seconds > seconds + ROUNDING) continue;
      if (found === undefined || entry.seconds >= found.seconds) found = entry;
    }
    return found?.captured;
  }
}
