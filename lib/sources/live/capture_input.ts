/** The frames of one broadcast as the input of another. */
import { RequestError } from "../../base/errors.ts";
import type { Rendition } from "../../ffmpeg/rendition.ts";
import type { DataStream, StreamDescription } from "../../media/frame.ts";
import type { Broadcast } from "./broadcast.ts";
import { StreamsChangedError } from "./feed.ts";
import type { FrameInput } from "./relay_feed.ts";
import type { SharedFrame } from "./shared_frame.ts";
import { LiveQueue, MAX_QUEUED_BYTES, type QueueLimits } from "./subscriber_queue.ts";

/** The rendition that a source is captured in if it can be opened only once. */
export const CAPTURE_RENDITION: Rendition = { encoding: "copy" };

/** Limits of a capture's frames for an FFmpeg: enough while it starts, and little enough to be live. */
const CAPTURE_LIMITS: QueueLimits = {
  videoFrames: 10,
  videoTime: 2000,
  videoBytes: MAX_QUEUED_BYTES,
  audioTime: 2000,
};

/** Frames of a broadcast that another is made from. Subscribed until it is disposed. */
export class CaptureInput implements FrameInput, Disposable {
  readonly streams: readonly StreamDescription[];
  readonly data: readonly DataStream[];
  #capture: Broadcast;
  #queue: LiveQueue;

  private constructor(capture: Broadcast, queue: LiveQueue) {
    this.#capture = capture;
    this.#queue = queue;
    this.streams = capture.streams;
    this.data = capture.data;
  }

  /**
   * Subscribes to a broadcast and waits for its first frame.
   *
   * @throws {RequestError} `media_error` with the reason if it gives nothing
   */
  static async join(capture: Broadcast, signal: AbortSignal): Promise<CaptureInput> {
    const queue = new LiveQueue({
      limits: CAPTURE_LIMITS,
      types: ["video", "audio", "data"],
    });
    await capture.join(queue, signal);
    return new CaptureInput(capture, queue);
  }

  /**
   * @returns `undefined` when the broadcast has ended
   * @throws {RequestError} `media_error` when the broadcast is lost
   * @throws {StreamsChangedError} when its streams change
   */
  async take(signal: AbortSignal): Promise<SharedFrame | undefined> {
    while (true) {
      const item = await this.#queue.take(signal);
      if (item.kind === "frame") return item.frame;
      if (item.kind === "describe") throw new StreamsChangedError("Other streams follow");
      if (item.kind === "end") return undefined;
      const { code, message, reason = message } = item.event;
      if (code !== "source_lost") continue;
      // The capture may be back by now.
      throw this.#capture.outage?.error ?? new RequestError("media_error", reason);
    }
  }

  [Symbol.dispose](): void {
    this.#capture.leave(this.#queue);
  }
}
