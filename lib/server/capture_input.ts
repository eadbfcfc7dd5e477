import { RequestError } from "../core/errors.ts";
import type { StreamDescription } from "../core/frame.ts";
import type { FrameInput } from "../media/frame_input.ts";
import type { Broadcast } from "./broadcast.ts";
import { LiveQueue, MAX_QUEUED_BYTES, type QueueLimits } from "./live_queue.ts";
import type { SharedFrame } from "./shared_frame.ts";

/** How much of a capture waits for an FFmpeg: enough for its start, and little enough to be live. */
const LIMITS: QueueLimits = {
  pictures: 10,
  pictureTime: 2000,
  pictureBytes: MAX_QUEUED_BYTES,
  soundTime: 2000,
};

/** Frames of one broadcast that another is made from: a viewer like others, until disposed. */
export class CaptureInput implements FrameInput, Disposable {
  readonly streams: readonly StreamDescription[];
  #capture: Broadcast;
  #queue: LiveQueue;

  private constructor(capture: Broadcast, queue: LiveQueue) {
    this.#capture = capture;
    this.#queue = queue;
    this.streams = capture.streams;
  }

  /**
   * Joins a broadcast, once there is something to see.
   *
   * @throws {RequestError} `media_error` with the reason where there is nothing
   */
  static async join(capture: Broadcast, signal: AbortSignal): Promise<CaptureInput> {
    const queue = new LiveQueue({ limits: LIMITS });
    await capture.join(queue, signal);
    return new CaptureInput(capture, queue);
  }

  /** @throws {RequestError} `media_error` with the reason when the broadcast goes away */
  async take(signal: AbortSignal): Promise<SharedFrame> {
    while (true) {
      const item = await this.#queue.take(signal);
      if (item.kind === "frame") return item.frame;
      const { code, message } = item.notice;
      if (code !== "source_lost") continue;
      throw this.#capture.absence?.error ?? new RequestError("media_error", message);
    }
  }

  [Symbol.dispose](): void {
    this.#capture.leave(this.#queue);
  }
}
