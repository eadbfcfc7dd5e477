/** A file or the standard input: played in real time, and held up while frames cannot be sent. */
import { abortable } from "../../base/async.ts";
import { type Clock, MONOTONIC_CLOCK, wallClock } from "../../base/clock.ts";
import { RequestError } from "../../base/errors.ts";
import { Pacer } from "../../media/pacer.ts";
import type { TimedFrame } from "../../media/source.ts";
import { encodeFrame } from "../../protocol/native/framing.ts";
import { type LiveFeed, SourceEndedError } from "../../sources/live/feed.ts";
import { SharedFrame } from "../../sources/live/shared_frame.ts";
import type { InputItem, InputReading, PublishInput } from "./input.ts";

/** Seconds by which a file may be late before its time is put off, so that it does not rush. */
const MAX_LATENESS = 0.5;

/** Options of {@linkcode PacedInput}. */
export interface PacedInputOptions {
  /** Starts the input. */
  open: (signal: AbortSignal) => Promise<LiveFeed>;
  /** Whether a program writes it, which may take its time: it is then ready at once. */
  isAwaited?: boolean;
  /**
   * Seconds by which frames may be early: those that a program sent while FFmpeg started would
   * otherwise delay all that follow. The time of such an input is its own, and is never put off.
   *
   * @default 0
   */
  lead?: number;
  clock?: Clock;
}

/** An input that is read once, each frame when it is due. */
export class PacedInput implements PublishInput {
  #options: PacedInputOptions;
  #clock: Clock;
  #stop = new AbortController();
  #feed: Promise<LiveFeed> | undefined;
  /** The next frame, until it is taken. */
  #next: Promise<TimedFrame> | undefined;
  #readings = 0;

  constructor(options: PacedInputOptions) {
    this.#options = options;
    this.#clock = options.clock ?? MONOTONIC_CLOCK;
  }

  async ready(signal: AbortSignal): Promise<void> {
    if (!this.#options.isAwaited) await abortable(this.#open(), signal);
  }

  read(): InputReading {
    const { lead = 0 } = this.#options;
    this.#readings++;
    return new PacedReading(this.#open(), {
      ...{ lead, clock: this.#clock },
      next: (feed) => this.#next ??= feed.next(),
      taken: () => this.#next = undefined,
      // Frames that were lost with the last connection may be needed to decode the next ones.
      needsKeyframe: this.#readings > 1,
    });
  }

  async stop(): Promise<void> {
    // Unread, it waits.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    const [feed] = await Promise.allSettled([this.#feed]);
    if (feed.status === "fulfilled") await feed.value?.[Symbol.asyncDispose]();
    await Promise.allSettled([this.#next]);
  }

  #open(): Promise<LiveFeed> {
    this.#feed ??= this.#options.open(this.#stop.signal);
    // It may fail while nobody waits for it.
    this.#feed.catch(() => {});
    return this.#feed;
  }
}

interface PacedReadingOptions {
  lead: number;
  clock: Clock;
  /** Reads the next frame; gives the same one until it is taken. */
  next: (feed: LiveFeed) => Promise<TimedFrame>;
  taken: () => void;
  needsKeyframe: boolean;
}

class PacedReading implements InputReading {
  dropped = 0;
  #feed: Promise<LiveFeed>;
  #options: PacedReadingOptions;
  #pacer: Pacer;
  #isDescribed = false;
  #isFirst = true;
  #needsKeyframe: boolean;
  /** Frames were dropped before the next one. */
  #hasDropped = false;

  constructor(feed: Promise<LiveFeed>, options: PacedReadingOptions) {
    this.#feed = feed;
    this.#options = options;
    this.#pacer = new Pacer({ speed: 1, clock: options.clock });
    this.#needsKeyframe = options.needsKeyframe;
  }

  async take(signal: AbortSignal): Promise<InputItem> {
    const feed = await abortable(this.#feed, signal);
    if (!this.#isDescribed) {
      this.#isDescribed = true;
      return { kind: "describe", streams: feed.streams, data: feed.data ?? [] };
    }
    try {
      while (true) {
        const item = await this.#takeFrame(feed, signal);
        if (item !== undefined) return item;
      }
    } catch (error) {
      if (error instanceof SourceEndedError) {
        return { kind: "end", warning: error.warning };
      }
      throw error;
    }
  }

  [Symbol.dispose](): void {
    // The feed belongs to the input.
  }

  /** @returns `undefined` if the frame is dropped */
  async #takeFrame(feed: LiveFeed, signal: AbortSignal): Promise<InputItem | undefined> {
    const frame = await abortable(this.#options.next(feed), signal);
    const stream = feed.streams.find(({ id }) => id === frame.streamId);
    if (stream === undefined) {
      throw new RequestError(
        "internal",
        `Cannot take a frame: stream ${frame.streamId} is unknown`,
      );
    }
    const isVideo = stream.type === "video";
    if (this.#needsKeyframe && isVideo && !frame.keyframe) {
      this.#options.taken();
      feed.recycle(frame);
      this.dropped++;
      this.#hasDropped = true;
      return undefined;
    }
    await this.#pace(frame.due, signal);
    this.#options.taken();
    if (isVideo) this.#needsKeyframe = false;
    const dropped = isVideo && this.#hasDropped;
    if (isVideo) this.#hasDropped = false;
    const { due: _due, ...rest } = frame;
    const shared = new SharedFrame({ ...rest, captured: wallClock() }, {
      ...{ type: stream.type, time: this.#options.clock.now(), prepare: encodeFrame },
      recycle: (used) => feed.recycle(used),
    });
    return { kind: "frame", frame: shared, dropped, discontinuity: false };
  }

  async #pace(due: number, signal: AbortSignal): Promise<void> {
    const { lead } = this.#options;
    await this.#pacer.waitFor(due, signal);
    if (this.#isFirst) {
      this.#isFirst = false;
      this.#pacer.postpone(-lead);
      return;
    }
    const lateness = this.#pacer.lateness(due);
    if (lead === 0 && lateness > MAX_LATENESS) this.#pacer.postpone(lateness);
  }
}
