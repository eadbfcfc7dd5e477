/** Frames that a program hands over: they never make it wait, and are dropped if they are late. */
import { BufferPool } from "../../base/buffer_pool.ts";
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { type Description, type Frame, FRAME_HEADROOM, FRAME_TAILROOM } from "../../media/frame.ts";
import { encodeFrame } from "../../protocol/native/framing.ts";
import { SharedFrame } from "../../sources/live/shared_frame.ts";
import { LiveQueue } from "../../sources/live/subscriber_queue.ts";
import { PublishedRun } from "../../sources/publish/publication.ts";
import { type InputItem, type InputReading, PUBLISH_LIMITS, type PublishInput } from "./input.ts";

/** Frame buffers that are reused; if more frames wait, further ones are allocated. */
const POOLED_BUFFERS = 4;

/** Options of {@linkcode PushedInput}. */
export interface PushedInputOptions {
  /** @default MONOTONIC_CLOCK */
  clock?: Clock;
}

/** An input whose frames a program pushes. While they cannot be sent, the oldest are dropped. */
export class PushedInput implements PublishInput {
  #run: PublishedRun;
  #clock: Clock;
  #pool = new BufferPool(POOLED_BUFFERS);
  #queue: LiveQueue;
  /** Nobody watches. */
  #isPaused = false;
  #readings = 0;
  /** Frames that no connection could use, because they depend on others. */
  #skipped = 0;
  /** Dropped frames that earlier readings have counted. */
  #counted = 0;

  /**
   * @param description streams of the frames
   * @throws {RequestError} `bad_request` if they cannot be published
   */
  constructor(description: Description, { clock = MONOTONIC_CLOCK }: PushedInputOptions = {}) {
    this.#run = new PublishedRun(description, { maxPixels: Infinity });
    this.#clock = clock;
    this.#queue = new LiveQueue({
      limits: PUBLISH_LIMITS,
      types: ["video", "audio", "data"],
      isPaused: () => this.#isPaused,
    });
  }

  /** Frames that were dropped so far. */
  get dropped(): number {
    return this.#queue.dropped + this.#skipped;
  }

  /**
   * Copies frames into the queue: all of them, or none if one is refused.
   *
   * @throws {RequestError} `bad_request` if one does not fit the description of its stream
   * @throws {TypeError} if its data is no `Uint8Array`
   */
  push(...frames: (Omit<Frame, "data"> & { data: Uint8Array })[]): void {
    for (const { data } of frames) {
      if (!(data instanceof Uint8Array)) throw new TypeError("Cannot write: expected a Uint8Array");
    }
    const accepted = frames.map((frame) => this.#run.accept(frame));
    for (const { due: _due, ...frame } of accepted) this.#copy(frame);
  }

  #copy(frame: Omit<Frame, "data"> & { data: Uint8Array }): void {
    const length = frame.data.byteLength;
    const size = FRAME_HEADROOM + length + FRAME_TAILROOM;
    const memory = this.#pool.take(size) ?? new ArrayBuffer(size);
    const data = new Uint8Array(memory, FRAME_HEADROOM, length);
    data.set(frame.data);
    const { streams, data: messages } = this.#run;
    const stream = [...streams, ...messages].find(({ id }) => id === frame.streamId);
    const shared = new SharedFrame({ ...frame, data }, {
      type: stream?.type ?? "data",
      time: this.#clock.now(),
      prepare: encodeFrame,
      recycle: (used) => this.#pool.give(used.data.buffer),
    });
    this.#queue.offer(shared);
    shared.release();
  }

  /** Ends the input after the frames that wait. */
  end(): void {
    this.#queue.end();
  }

  ready(): Promise<void> {
    return Promise.resolve();
  }

  read(): InputReading {
    this.#isPaused = false;
    // Frames that were lost with the last connection may be needed to decode the next ones.
    const needsKeyframe = this.#readings++ > 0 && this.#run.needsKeyframe;
    const earlier = this.#counted;
    return new PushedReading(this.#queue, {
      run: this.#run,
      needsKeyframe,
      onSkipped: () => this.#skipped++,
      dropped: () => this.dropped - earlier,
      onEnd: () => this.#counted = this.dropped,
    });
  }

  stop(): Promise<void> {
    this.#isPaused = true;
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#queue.close();
    return Promise.resolve();
  }
}

interface PushedReadingOptions {
  run: PublishedRun;
  needsKeyframe: boolean;
  /** Called for each frame that cannot be decoded without a keyframe. */
  onSkipped: () => void;
  /** Frames that were dropped and not counted before. */
  dropped: () => number;
  onEnd: () => void;
}

class PushedReading implements InputReading {
  #queue: LiveQueue;
  #options: PushedReadingOptions;
  #isDescribed = false;
  #needsKeyframe: boolean;

  constructor(queue: LiveQueue, options: PushedReadingOptions) {
    this.#queue = queue;
    this.#options = options;
    this.#needsKeyframe = options.needsKeyframe;
  }

  get dropped(): number {
    return this.#options.dropped();
  }

  async take(signal: AbortSignal): Promise<InputItem> {
    if (!this.#isDescribed) {
      this.#isDescribed = true;
      const { streams, data } = this.#options.run;
      return { kind: "describe", streams, data };
    }
    let hasSkipped = false;
    while (true) {
      const item = await this.#queue.take(signal);
      // Only broadcasts have events.
      if (item.kind === "event") continue;
      if (item.kind !== "frame" || item.frame.type !== "video") return item;
      if (this.#needsKeyframe && !item.frame.frame.keyframe) {
        item.frame.release();
        this.#options.onSkipped();
        hasSkipped = true;
        continue;
      }
      this.#needsKeyframe = false;
      return { ...item, dropped: item.dropped || hasSkipped };
    }
  }

  [Symbol.dispose](): void {
    this.#options.onEnd();
  }
}
