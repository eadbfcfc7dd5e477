/** A view beside a recording, and its queue. */
import { settlesWithin } from "../base/async.ts";
import { messageOf } from "../base/errors.ts";
import { copyFrame, type Frame, type StreamDescription } from "../media/frame.ts";
import type { Presentation, Sink } from "./sink.ts";

/** Options of {@linkcode LossySink}. */
export interface LossySinkOptions {
  /** Receives a line if the view fails or is closed early. */
  notify?: (line: string) => void;
  /**
   * Milliseconds that the view may take for one frame once all frames are in the queue.
   *
   * @default 5_000
   */
  patience?: number;
}

const PATIENCE = 5_000;

/**
 * Passes frames to a view beside a recording; drops what the view does not take in time, so that the
 * recording never waits. A view that fails is closed, and the recording goes on.
 */
export class LossySink implements Sink {
  /**
   * Does nothing, since a recording cannot seek. Present if the view has it: callers then leave the
   * keys to the view.
   */
  readonly jump?: (to: number) => Promise<void>;
  readonly subtitle?: (text: string, start: number, end: number) => void;
  readonly notify?: (line: string) => void;
  readonly showStatus?: (line: string) => void;
  #sink: Sink;
  #options: Required<LossySinkOptions>;
  #queue = new FrameQueue();
  /** Settles when the view has taken its last frame. */
  #showing: Promise<void> = Promise.resolve();
  #begun = false;
  #closed = false;

  constructor(sink: Sink, { notify = () => {}, patience = PATIENCE }: LossySinkOptions = {}) {
    this.#sink = sink;
    this.#options = { notify, patience };
    // Callers check which methods exist to see who has the terminal.
    if (sink.jump !== undefined) this.jump = () => Promise.resolve();
    if (sink.subtitle !== undefined) {
      this.subtitle = (text, start, end) => sink.subtitle?.(text, start, end);
    }
    if (sink.notify !== undefined) this.notify = (line) => sink.notify?.(line);
    if (sink.showStatus !== undefined) this.showStatus = (line) => sink.showStatus?.(line);
  }

  async begin(presentation: Presentation): Promise<void> {
    const before = this.#queue;
    const { streams, encoding, live } = presentation;
    const queue = new FrameQueue(streams, { raw: encoding === "raw", live });
    this.#queue = queue;
    if (this.#begun) {
      // The recording does not wait until the view is ready for other streams.
      before.discard();
      queue.dropped = before.dropped;
      this.#showing = this.#showing.then(() => this.#start(presentation)).then(() =>
        this.#showAll(queue)
      );
      return;
    }
    this.#begun = true;
    await this.#start(presentation);
    this.#showing = this.#showAll(queue);
  }

  /** Queues a frame. Never waits or fails. */
  show(frame: Frame): Promise<boolean> {
    if (!this.#closed) this.#queue.push(frame);
    return Promise.resolve(!this.#closed);
  }

  async finish(whole: boolean): Promise<string | undefined> {
    this.#queue.end();
    await this.#drain();
    if (!this.#closed) {
      await this.#attempt(async () => {
        await this.#sink.finish(whole);
      });
    }
    const { dropped } = this.#queue;
    if (dropped === 0) return undefined;
    return `the view dropped ${dropped} frame${dropped === 1 ? "" : "s"}`;
  }

  pause(paused: boolean): void {
    this.#sink.pause?.(paused);
  }

  showBriefly(text: string): void {
    this.#sink.showBriefly?.(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#queue.end();
    await this.#sink[Symbol.asyncDispose]();
    await this.#showing;
  }

  async #start(presentation: Presentation): Promise<void> {
    if (!this.#closed) await this.#attempt(() => this.#sink.begin(presentation));
  }

  /** Passes frames to the view as it takes them. */
  async #showAll(queue: FrameQueue): Promise<void> {
    for await (const frame of queue) {
      if (this.#closed) return;
      await this.#attempt(async () => {
        if (!await this.#sink.show(frame)) this.#giveUp("The view is closed");
      });
    }
  }

  /** Waits until the view has taken all queued frames, as long as it takes any. */
  async #drain(): Promise<void> {
    while (!this.#closed) {
      const length = this.#queue.length;
      if (await settlesWithin(this.#showing, this.#options.patience)) return;
      if (this.#queue.length < length) continue;
      this.#giveUp("The view took nothing any more, and was closed");
      await this.#sink[Symbol.asyncDispose]();
    }
    await this.#showing;
  }

  async #attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#giveUp(messageOf(error));
    }
  }

  #giveUp(reason: string): void {
    // Its end has been reported.
    if (!this.#closed) this.#options.notify(`${reason}; the recording goes on`);
    this.#closed = true;
  }
}

/** Video frames in the queue at most: enough for a view that stutters. */
const MAX_VIDEO = 32;

/** The same for raw live video, whose frames get old there. */
const MAX_LIVE_VIDEO = 1;

/** Bytes in the queue at most; a single frame may be larger. */
const MAX_BYTES = 64 << 20;

/** Audio frames in the queue at most. */
const MAX_AUDIO = 500;

/** Options of {@linkcode FrameQueue}. */
export interface FrameQueueOptions {
  /**
   * Frames are raw, so that each can be dropped by itself; encoded ones depend on the last
   * keyframe.
   */
  raw: boolean;
  /** Of a live source: only its newest raw frame is kept. @default false */
  live: boolean;
}

/**
 * Bounded queue of frame copies for a slow consumer. If it is full, raw frames replace the oldest
 * ones; encoded ones are dropped up to the next keyframe.
 */
export class FrameQueue implements AsyncIterable<Frame> {
  dropped = 0;
  #raw: boolean;
  #maxVideo: number;
  #videoIds: Set<number>;
  #frames: Frame[] = [];
  #bytes = 0;
  #skipping = false;
  #ended = false;
  #change = Promise.withResolvers<void>();

  constructor(
    streams: readonly StreamDescription[] = [],
    { raw = true, live = false }: Partial<FrameQueueOptions> = {},
  ) {
    this.#raw = raw;
    this.#maxVideo = raw && live ? MAX_LIVE_VIDEO : MAX_VIDEO;
    this.#videoIds = new Set(streams.filter(({ type }) => type === "video").map(({ id }) => id));
  }

  get length(): number {
    return this.#frames.length;
  }

  /** Adds a copy of a frame, unless there is no room for it. */
  push(frame: Frame): void {
    if (this.#ended) return;
    const isVideo = this.#videoIds.has(frame.streamId);
    if (this.#raw) {
      while (!this.#hasRoom(frame, isVideo)) this.#dropOldest(isVideo);
    } else if (isVideo && this.#skipping && !frame.keyframe || !this.#hasRoom(frame, isVideo)) {
      this.#skipping ||= isVideo;
      this.dropped++;
      return;
    }
    if (isVideo) this.#skipping = false;
    this.#frames.push(copyFrame(frame));
    this.#bytes += frame.data.byteLength;
    this.#notify();
  }

  /** Closes the queue at once: the frames that wait are dropped. */
  discard(): void {
    this.dropped += this.#frames.splice(0).length;
    this.#bytes = 0;
    this.end();
  }

  /** Closes the queue: iteration ends behind the last frame. */
  end(): void {
    this.#ended = true;
    this.#notify();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Frame> {
    while (true) {
      const frame = this.#frames.shift();
      if (frame !== undefined) {
        this.#bytes -= frame.data.byteLength;
        yield frame;
      } else if (this.#ended) {
        return;
      } else {
        await this.#change.promise;
      }
    }
  }

  #hasRoom({ data }: Frame, isVideo: boolean): boolean {
    if (this.#frames.length === 0) return true;
    if (this.#bytes + data.byteLength > MAX_BYTES) return false;
    const same = this.#frames.filter(({ streamId }) => this.#videoIds.has(streamId) === isVideo);
    return same.length < (isVideo ? this.#maxVideo : MAX_AUDIO);
  }

  /** Drops the oldest frame of the same kind, or of any kind if there is none. */
  #dropOldest(isVideo: boolean): void {
    const index = this.#frames.findIndex(({ streamId }) =>
      this.#videoIds.has(streamId) === isVideo
    );
    const [frame] = this.#frames.splice(Math.max(0, index), 1);
    this.#bytes -= frame.data.byteLength;
    this.dropped++;
  }

  #notify(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }
}
