/** A live source whose frames a test makes one by one. */
import { FRAME_HEADROOM, type StreamDescription } from "../../../lib/media/frame.ts";
import type { TimedFrame } from "../../../lib/media/source.ts";
import { RequestError } from "../../../lib/base/errors.ts";
import { type LiveFeed, SourceEndedError } from "../../../lib/sources/live/feed.ts";
import { GREY } from "../peers/scripted_server.ts";

/** One run of a live source, 10 ticks a second. */
export class HandFeed implements LiveFeed {
  streams: readonly StreamDescription[] = [{ ...GREY, id: 0, timeBase: [1, 10] }];
  recycled = 0;
  isDisposed = false;
  requestKeyframe?: () => void;
  #frames: TimedFrame[] = [];
  #error: Error | undefined;
  #waiting = Promise.withResolvers<void>();
  #calls = 0;
  #news = Promise.withResolvers<void>();

  show(timestamp: number, { keyframe = true } = {}): void {
    const data = new Uint8Array(FRAME_HEADROOM + 4).subarray(FRAME_HEADROOM);
    this.#frames.push({ streamId: 0, timestamp, keyframe, data, due: timestamp / 10 });
    this.#waiting.resolve();
  }

  break(reason: string): void {
    this.#error = new RequestError("media_error", reason);
    this.#waiting.resolve();
  }

  /** Ends it after the frames that were shown. */
  end(warning?: string): void {
    this.#error = new SourceEndedError("it came to its end", { warning });
    this.#waiting.resolve();
  }

  /** Waits until it has been asked for as many frames: all before have been dealt with. */
  async asked(count: number): Promise<void> {
    while (this.#calls < count) await this.#news.promise;
  }

  async next(): Promise<TimedFrame> {
    this.#calls++;
    this.#news.resolve();
    this.#news = Promise.withResolvers();
    while (true) {
      const frame = this.#frames.shift();
      if (frame !== undefined) return frame;
      if (this.#error !== undefined) throw this.#error;
      this.#waiting = Promise.withResolvers();
      await this.#waiting.promise;
    }
  }

  recycle(): void {
    this.recycled++;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.isDisposed = true;
    return Promise.resolve();
  }
}
