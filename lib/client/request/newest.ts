/** Reads a live response as it comes, and gives a slow consumer the newest of it. */
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { allStreams, type AnyStream } from "../../media/frame.ts";
import type { MediaResponse, OpenResponse, ResponsePart } from "../../protocol/media_response.ts";
import type { Control } from "../../protocol/native/request.ts";
import { SharedFrame } from "../../sources/live/shared_frame.ts";
import { type LiveItem, LiveQueue, QUEUE_LIMITS } from "../../sources/live/subscriber_queue.ts";

/** Limits of the queue: one frame of video, or half a second of frames that depend on each other. */
const NEWEST = { ...QUEUE_LIMITS.newest, videoFrames: 1 };

/** Half a second of any. */
const SMOOTH = { ...QUEUE_LIMITS.newest, videoFrames: Infinity };

/** Milliseconds between two notices of dropped frames. */
const NOTICE_INTERVAL = 1000;

type FramePart = Extract<ResponsePart, { kind: "frame" }>;

/** Options of {@linkcode NewestResponse}. */
export interface NewestOptions {
  clock?: Clock;
  /** Keeps half a second of video for a player that buffers: each gap stops it. @default false */
  smooth?: boolean;
}

/**
 * Keeps nothing but the newest frame of live video in front of a slow consumer, since what waits in
 * sockets gets old. Files are read as they are taken.
 *
 * A frame's memory is valid until the next part is requested. The response has to keep its frames.
 */
export class NewestResponse implements MediaResponse, Disposable {
  /** Absent if the response has none. */
  readonly control?: (control: Control) => Promise<void>;
  #response: OpenResponse;
  #clock: Clock;
  #queue: LiveQueue;
  /** The part that each item of the queue stands for. */
  #parts = new WeakMap<object, ResponsePart>();
  #types = new Map<number, AnyStream["type"]>();
  /** Dropped frames in the last notice of the server, in the last one of all, and when that was. */
  #told = { server: 0, all: 0, at: -Infinity };

  constructor(
    response: OpenResponse,
    { clock = MONOTONIC_CLOCK, smooth = false }: NewestOptions = {},
  ) {
    this.#response = response;
    const limits = smooth ? SMOOTH : NEWEST;
    this.#queue = new LiveQueue({ limits, types: ["video", "audio", "data"] });
    this.#clock = clock;
    // Callers check whether there are controls.
    const { control } = response;
    if (control !== undefined) this.control = (message) => control.call(response, message);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ResponsePart> {
    const parts = this.#response[Symbol.asyncIterator]();
    try {
      while (true) {
        const { done, value: part } = await parts.next();
        if (done) return;
        const isLive = part.kind === "describe" && part.description.live;
        if (isLive) this.#follow(part.description);
        yield part;
        if (part.kind === "frame") this.#response.recycle?.(part.frame);
        if (isLive) break;
      }
      yield* this.#newest(parts);
    } finally {
      await parts.return?.();
    }
  }

  abandon(): void {
    this.#response.abandon?.();
  }

  [Symbol.dispose](): void {
    this.#response[Symbol.dispose]();
  }

  /** The newest parts, while the others are read. */
  async *#newest(parts: AsyncIterator<ResponsePart>): AsyncGenerator<ResponsePart> {
    const reading = this.#read(parts);
    const signal = new AbortController().signal;
    let hasEnded = false;
    try {
      while (true) {
        const item = await this.#queue.take(signal);
        hasEnded = item.kind === "end";
        if (item.kind === "end") return;
        const notice = this.#notice();
        if (notice !== undefined) yield notice;
        const part = this.#partOf(item);
        if (part !== undefined) yield part;
        if (item.kind === "frame") item.frame.release();
      }
    } finally {
      // A read that waits for the next part would not end by itself.
      if (!hasEnded) this.abandon();
      this.#queue.close();
      await reading;
    }
  }

  /** Reads to the end. A failure is thrown behind the parts that wait. Never rejects. */
  async #read(parts: AsyncIterator<ResponsePart>): Promise<void> {
    try {
      while (true) {
        const { done, value: part } = await parts.next();
        if (done) break;
        this.#offer(part);
      }
      this.#queue.end();
    } catch (error) {
      this.#queue.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #follow(description: Parameters<typeof allStreams>[0]): void {
    this.#types = new Map(allStreams(description).map(({ id, type }) => [id, type]));
  }

  #offer(part: ResponsePart): void {
    if (part.kind === "frame") return this.#offerFrame(part);
    if (part.kind === "describe") {
      const { streams, data = [] } = part.description;
      this.#follow(part.description);
      this.#parts.set(streams, part);
      this.#queue.describe({ streams, data });
    } else {
      const event = { code: part.kind, message: "" };
      this.#parts.set(event, part);
      this.#queue.notify(event);
    }
  }

  #offerFrame(part: FramePart): void {
    this.#parts.set(part.frame, part);
    const shared = new SharedFrame(part.frame, {
      type: this.#types.get(part.frame.streamId) ?? "data",
      time: this.#clock.now(),
      prepare: ({ data }) => data,
      recycle: (frame) => this.#response.recycle?.(frame),
    });
    this.#queue.offer(shared);
    shared.release();
  }

  #partOf(item: Exclude<LiveItem, { kind: "end" }>): ResponsePart | undefined {
    if (item.kind === "describe") return this.#parts.get(item.streams);
    const key = item.kind === "frame" ? item.frame.frame : item.event;
    const part = this.#parts.get(key);
    if (part?.kind === "frame" && item.kind === "frame") {
      return { ...part, dropped: part.dropped || item.dropped };
    }
    if (part?.kind === "end") {
      return { ...part, end: { ...part.end, dropped: part.end.dropped + this.#queue.dropped } };
    }
    const dropped = part?.kind === "notice" ? part.notice.dropped : undefined;
    if (dropped === undefined) return part;
    this.#told.server = dropped;
    return this.#notice();
  }

  /** A notice of all frames that were dropped, now and then. */
  #notice(): ResponsePart | undefined {
    const dropped = this.#told.server + this.#queue.dropped;
    const now = this.#clock.now();
    if (dropped === this.#told.all || now - this.#told.at < NOTICE_INTERVAL) return undefined;
    this.#told = { ...this.#told, all: dropped, at: now };
    const message = `${dropped} ${dropped === 1 ? "frame was" : "frames were"} dropped so far`;
    return { kind: "notice", notice: { code: "dropped", message, dropped } };
  }
}
