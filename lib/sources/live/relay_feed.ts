import { type Frame, type StreamDescription, toSeconds, toTicks } from "../../media/frame.ts";
import { NutWriter } from "../../nut/writer.ts";

/** A frame that belongs to somebody else, who wants to know when it is needed no more. */
export interface HeldFrame {
  readonly frame: Frame;
  release(): void;
}

/** Frames that a live source is read from, in place of an input that FFmpeg opens itself. */
export interface FrameInput extends Disposable {
  /** What the frames are. */
  readonly streams: readonly StreamDescription[];
  /**
   * Waits for the next frame.
   *
   * @throws the signal's reason, or what the source failed with
   */
  take(signal: AbortSignal): Promise<HeldFrame>;
}

/** Options of {@linkcode FrameFeeder}. */
export interface FrameFeederOptions {
  /** FFmpeg's standard input. */
  sink: WritableStream<Uint8Array>;
  /** Called once where the input fails. */
  onFailure: (error: unknown) => void;
}

/** Writes all that an input gives to FFmpeg, as NUT that begins at the time 0; owns the input. */
export class FrameFeeder implements AsyncDisposable {
  #input: FrameInput;
  #options: FrameFeederOptions;
  #writer: NutWriter | undefined;
  #moments = new CaptureMoments();
  /** Seconds of the first frame. */
  #zero: number | undefined;
  #stop = new AbortController();
  #finished: Promise<void>;

  constructor(input: FrameInput, options: FrameFeederOptions) {
    this.#input = input;
    this.#options = options;
    this.#finished = this.#run();
  }

  /**
   * When the frame came that another was made from: microseconds since 1970.
   *
   * @param seconds of the frame that was made, on FFmpeg's time line
   */
  capturedAt(streamId: number, seconds: number): number | undefined {
    return this.#moments.find(streamId, seconds);
  }

  /** Ends the input at once; for when FFmpeg is gone, which may still be reading it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#finished;
    await (this.#writer ?? this.#options.sink).abort();
    this.#input[Symbol.dispose]();
  }

  async #run(): Promise<void> {
    const { sink, onFailure } = this.#options;
    const { signal } = this.#stop;
    try {
      this.#writer = new NutWriter(sink, this.#input.streams);
      while (true) {
        const held = await this.#input.take(signal);
        try {
          const frame = this.#moved(held.frame);
          if (frame !== undefined) await this.#writer.write(frame);
        } finally {
          held.release();
        }
      }
    } catch (error) {
      // That FFmpeg takes no more is told by its own end.
      if (!signal.aborted && !(error instanceof Deno.errors.BrokenPipe)) onFailure(error);
    }
  }

  /** A frame on FFmpeg's time line; nothing for what is to be left out. */
  #moved(frame: Frame): Frame | undefined {
    const { streamId, timestamp, captured } = frame;
    const stream = this.#input.streams.find(({ id }) => id === streamId);
    if (stream === undefined) return undefined;
    const { timeBase } = stream;
    this.#zero ??= toSeconds(timestamp, timeBase);
    const moved = timestamp - toTicks(this.#zero, timeBase);
    // What is shown before the first frame builds upon others, which are not there.
    if (moved < 0) return undefined;
    if (captured !== undefined) this.#moments.add(streamId, toSeconds(moved, timeBase), captured);
    return { ...frame, timestamp: moved };
  }
}

/** Seconds that are remembered of a stream. */
const REMEMBERED = 10;

/** Seconds by which the two ends may differ in rounding. */
const ROUNDING = 0.002;

/** When the frames came that were handed over, by their moments on the time line. Pure. */
export class CaptureMoments {
  #streams = new Map<number, { seconds: number; captured: number }[]>();

  /**
   * @param seconds on the time line
   * @param captured microseconds since 1970
   */
  add(streamId: number, seconds: number, captured: number): void {
    const known = this.#streams.get(streamId) ?? [];
    while (known.length > 0 && known[0].seconds < seconds - REMEMBERED) known.shift();
    known.push({ seconds, captured });
    this.#streams.set(streamId, known);
  }

  /** The moment of the last frame that had begun by then; nothing where there is none. */
  find(streamId: number, seconds: number): number | undefined {
    let found: { seconds: number; captured: number } | undefined;
    for (const moment of this.#streams.get(streamId) ?? []) {
      if (moment.seconds > seconds + ROUNDING) continue;
      if (found === undefined || moment.seconds >= found.seconds) found = moment;
    }
    return found?.captured;
  }
}
