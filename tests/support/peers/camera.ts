/** A camera that publishes in real time. */
import type { FrameFields, TestPublisher } from "./test_publisher.ts";

/** Milliseconds from frame to frame. */
export const FRAME_INTERVAL = 40;

/** Sends frames in real time until it is disposed. */
export class Camera implements AsyncDisposable {
  /** Timestamp of the next frame, milliseconds. */
  #next: number;
  #stop = Promise.withResolvers<void>();
  #isStopped = false;
  #sending: Promise<void>;

  /**
   * @param make what is sent at a timestamp; its time base is milliseconds
   * @param options timestamp of the first frame
   */
  constructor(
    publisher: TestPublisher,
    make: (timestamp: number) => FrameFields | readonly FrameFields[],
    { from = 0 }: { from?: number } = {},
  ) {
    this.#next = from;
    this.#sending = this.#send(publisher, make);
  }

  /** Ends; returns the timestamp at which another goes on. */
  async stop(): Promise<number> {
    this.#isStopped = true;
    this.#stop.resolve();
    await this.#sending;
    return this.#next;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #send(
    publisher: TestPublisher,
    make: (timestamp: number) => FrameFields | readonly FrameFields[],
  ): Promise<void> {
    while (!this.#isStopped) {
      for (const frame of [make(this.#next)].flat()) {
        await publisher.send({ timestamp: this.#next, ...frame });
      }
      this.#next += FRAME_INTERVAL;
      await this.#interval();
    }
  }

  async #interval(): Promise<void> {
    const timer = setTimeout(() => this.#tick.resolve(), FRAME_INTERVAL);
    this.#tick = Promise.withResolvers();
    await Promise.race([this.#tick.promise, this.#stop.promise]);
    clearTimeout(timer);
  }

  #tick = Promise.withResolvers<void>();
}
