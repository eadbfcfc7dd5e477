import { deadline } from "../base/async.ts";
import { messageOf } from "../base/errors.ts";
import type { Frame, StreamDescription } from "../media/frame.ts";
import type { Presentation, Sink } from "./sink.ts";

/** Options of {@linkcode LossySink}. */
export interface LossySinkOptions {
  /** Told what has become of the view, where it leaves early. */
  notify?: (line: string) => void;
  /** Milliseconds that a view may take for one frame when everything else is over. */
  patience?: number;
}

/** Milliseconds until a view that takes nothing is given up, when everything else is over. */
const PATIENCE = 5_000;

/**
 * Has a view look on while something else is done that must not suffer from it, such as a
 * recording: what the view does not take in time is left out, and whatever becomes of the view,
 * the rest goes on.
 */
export class LossySink implements Sink {
  /** There where the view's is: whoever looks has keys. Nobody seeks while this looks on. */
  readonly jump?: (to: number) => Promise<void>;
  readonly notify?: (line: string) => void;
  readonly showStatus?: (line: string) => void;
  #sink: Sink;
  #options: Required<LossySinkOptions>;
  #queue = new FrameQueue();
  /** Settled when the view is done with all that it gets. */
  #looking: Promise<void> = Promise.resolve();
  #gone = false;

  constructor(sink: Sink, { notify = () => {}, patience = PATIENCE }: LossySinkOptions = {}) {
    this.#sink = sink;
    this.#options = { notify, patience };
    // Who has the terminal is told by these being there.
    if (sink.jump !== undefined) this.jump = () => Promise.resolve();
    if (sink.notify !== undefined) this.notify = (line) => sink.notify?.(line);
    if (sink.showStatus !== undefined) this.showStatus = (line) => sink.showStatus?.(line);
  }

  async begin(presentation: Presentation): Promise<void> {
    this.#queue = new FrameQueue(presentation.streams, { raw: presentation.encoding === "raw" });
    await this.#attempt(() => this.#sink.begin(presentation));
    if (!this.#gone) this.#looking = this.#look();
  }

  /** Never waits, and never fails. */
  show(frame: Frame): Promise<boolean> {
    if (!this.#gone) this.#queue.push(frame);
    return Promise.resolve(!this.#gone);
  }

  async finish(whole: boolean): Promise<string | undefined> {
    this.#queue.end();
    await this.#drained();
    if (!this.#gone) {
      await this.#attempt(async () => {
        await this.#sink.finish(whole);
      });
    }
    const { dropped } = this.#queue;
    if (dropped === 0) return undefined;
    return `the view left out ${dropped} frame${dropped === 1 ? "" : "s"}`;
  }

  pause(paused: boolean): void {
    this.#sink.pause?.(paused);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#gone = true;
    this.#queue.end();
    await this.#sink[Symbol.asyncDispose]();
    await this.#looking;
  }

  /** Hands the view one frame after the other, as it takes them. */
  async #look(): Promise<void> {
    for await (const frame of this.#queue) {
      if (this.#gone) return;
      await this.#attempt(async () => {
        if (!await this.#sink.show(frame)) this.#lose("The view is closed");
      });
    }
  }

  /** Waits until the view has taken what it still has to get, for as long as it takes anything. */
  async #drained(): Promise<void> {
    while (!this.#gone) {
      const length = this.#queue.length;
      const over = Promise.withResolvers<"late">();
      using _limit = deadline(this.#options.patience, () => over.resolve("late"));
      const outcome = await Promise.race([this.#looking, over.promise]);
      if (outcome !== "late") return;
      if (this.#queue.length < length) continue;
      this.#lose("The view took nothing any more, and was closed");
      await this.#sink[Symbol.asyncDispose]();
    }
    await this.#looking;
  }

  async #attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#lose(messageOf(error));
    }
  }

  #lose(reason: string): void {
    // Who gave it up already knows why.
    if (!this.#gone) this.#options.notify(`${reason}; the recording goes on`);
    this.#gone = true;
  }
}

/** Pictures that wait at the most: enough for a view that stutters. */
const MAX_PICTURES = 32;

/** Bytes of all that waits, at the most, but for one frame. */
const MAX_BYTES = 64 << 20;

/** Runs of samples, or packets of sound, that wait at the most. */
const MAX_SOUNDS = 500;

/** What {@linkcode FrameQueue} has to know. */
export interface FrameQueueOptions {
  /** Every frame stands for itself; otherwise pictures refer to the ones since a keyframe. */
  raw: boolean;
}

/**
 * Copies of frames on their way to somebody who may be slow, bounded. Where there is no room, of raw
 * frames the oldest give way; of encoded ones, those up to the next keyframe are left out.
 */
export class FrameQueue implements AsyncIterable<Frame> {
  /** Frames that were left out. */
  dropped = 0;
  #raw: boolean;
  #pictures: Set<number>;
  #frames: Frame[] = [];
  #bytes = 0;
  #skipping = false;
  #ended = false;
  #news = Promise.withResolvers<void>();

  constructor(
    streams: readonly StreamDescription[] = [],
    { raw = true }: Partial<FrameQueueOptions> = {},
  ) {
    this.#raw = raw;
    this.#pictures = new Set(streams.filter(({ type }) => type === "video").map(({ id }) => id));
  }

  /** Frames that wait. */
  get length(): number {
    return this.#frames.length;
  }

  /** Takes a copy of a frame, unless there is no room for it. */
  push(frame: Frame): void {
    if (this.#ended) return;
    const isPicture = this.#pictures.has(frame.streamId);
    if (this.#raw) {
      while (!this.#hasRoom(frame, isPicture)) this.#dropOldest(isPicture);
    } else if (isPicture && this.#skipping && !frame.keyframe || !this.#hasRoom(frame, isPicture)) {
      this.#skipping ||= isPicture;
      this.dropped++;
      return;
    }
    if (isPicture) this.#skipping = false;
    this.#frames.push({ ...frame, data: frame.data.slice() });
    this.#bytes += frame.data.byteLength;
    this.#notify();
  }

  /** Nothing more comes. */
  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** The frames as they come, up to the end. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Frame> {
    while (true) {
      const frame = this.#frames.shift();
      if (frame !== undefined) {
        this.#bytes -= frame.data.byteLength;
        yield frame;
      } else if (this.#ended) {
        return;
      } else {
        await this.#news.promise;
      }
    }
  }

  #hasRoom({ data }: Frame, isPicture: boolean): boolean {
    if (this.#frames.length === 0) return true;
    if (this.#bytes + data.byteLength > MAX_BYTES) return false;
    const same = this.#frames.filter(({ streamId }) => this.#pictures.has(streamId) === isPicture);
    return same.length < (isPicture ? MAX_PICTURES : MAX_SOUNDS);
  }

  /** Leaves out the oldest of its kind, or, where there is none, the oldest of all. */
  #dropOldest(isPicture: boolean): void {
    const index = this.#frames.findIndex(({ streamId }) =>
      this.#pictures.has(streamId) === isPicture
    );
    const [frame] = this.#frames.splice(Math.max(0, index), 1);
    this.#bytes -= frame.data.byteLength;
    this.dropped++;
  }

  #notify(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}
