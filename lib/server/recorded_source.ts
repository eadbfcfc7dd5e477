import type { StreamDescription } from "../core/frame.ts";
import type { FrameSource, TimedFrame } from "../media/source.ts";
import type { Recording } from "./head_cache.ts";

/** Seconds of raw pictures that are recorded: in less, FFmpeg starts and gives as many again. */
const RAW_SPAN = 0.3;

/** The same for all else: encoders are slow to begin, and what they give is small. */
const PACKET_SPAN = 1;

/** A source whose first frames are recorded while they pass by. */
export class RecordedSource implements FrameSource {
  readonly streams: readonly StreamDescription[];
  readonly notes: readonly string[];
  #source: FrameSource;
  #recording: Recording;
  #isLasting: () => Promise<boolean>;

  /**
   * @param isLasting looks, when all is recorded, whether it may be kept
   */
  constructor(source: FrameSource, recording: Recording, isLasting: () => Promise<boolean>) {
    this.streams = source.streams;
    this.notes = source.notes;
    this.#source = source;
    this.#recording = recording;
    this.#isLasting = isLasting;
  }

  get warning(): string | undefined {
    return this.#source.warning;
  }

  async *frames(): AsyncGenerator<TimedFrame> {
    const recording = this.#recording;
    const frames = this.#source.frames();
    const span = spanOf(this.streams);
    let end = Infinity;
    try {
      for await (const frame of frames) {
        // What is for decoding only has no moment of its own.
        if (end === Infinity && frame.due >= 0) end = frame.due + span;
        if (frame.due >= end) await this.#keep(false);
        else recording.add(frame);
        yield frame;
        if (!recording.isOver) continue;
        yield* frames;
        return;
      }
      await this.#keep(true);
    } finally {
      recording.drop();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#recording.drop();
    await this.#source[Symbol.asyncDispose]();
  }

  async #keep(isWhole: boolean): Promise<void> {
    const { streams, notes } = this;
    // What is damaged may well be decoded to something else the next time.
    const isSound = this.warning === undefined;
    if (isSound && await this.#isLasting()) this.#recording.keep({ streams, notes, isWhole });
    else this.#recording.drop();
  }
}

function spanOf(streams: readonly StreamDescription[]): number {
  const isRaw = streams.some(({ type, codec }) => type === "video" && codec === "rawvideo");
  return isRaw ? RAW_SPAN : PACKET_SPAN;
}
