/** A camera or another live input: runs on whatever the connection does, and drops what is late. */
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { RequestError } from "../../base/errors.ts";
import { encodeFrame } from "../../protocol/native/framing.ts";
import { Broadcast } from "../../sources/live/broadcast.ts";
import type { LiveFeed } from "../../sources/live/feed.ts";
import type { SharedFrame } from "../../sources/live/shared_frame.ts";
import type { LiveSource } from "../../sources/live/source_spec.ts";
import type { SourceStreams } from "../../sources/live/source_streams.ts";
import { LiveQueue, QUEUE_LIMITS } from "../../sources/live/subscriber_queue.ts";
import { type InputItem, type InputReading, PUBLISH_LIMITS, type PublishInput } from "./input.ts";

/** Options of {@linkcode LiveInput}. */
export interface LiveInputOptions {
  source: LiveSource;
  /** Starts the input. */
  open: (signal: AbortSignal) => Promise<LiveFeed>;
  /** Called with a line for the user when the input is lost, and when it is back. */
  notify: (line: string) => void;
  clock?: Clock;
  /** It is opened only while somebody watches. */
  onDemand?: boolean;
}

/** A live input, which is started again whenever it fails. */
export class LiveInput implements PublishInput {
  #options: LiveInputOptions;
  #running: RunningInput | undefined;

  constructor(options: LiveInputOptions) {
    this.#options = options;
  }

  async ready(signal: AbortSignal): Promise<void> {
    const { source, open, onDemand } = this.#options;
    // Any other may be there later: it is started again until it works.
    if (source.kind !== "generator" || onDemand) return;
    try {
      await using _feed = await open(signal);
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  }

  read(): InputReading {
    this.#running ??= new RunningInput(this.#options);
    return this.#running.read();
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** The input from one start to the next stop. */
class RunningInput implements AsyncDisposable {
  #broadcast: Broadcast;
  /** Gets nothing but events, and keeps the input running. */
  #events = new LiveQueue({ limits: QUEUE_LIMITS.drop, isPaused: () => true });
  #told: Promise<void>;
  #queues = new Set<LiveQueue>();
  /** Why starting it again does not help. */
  #failure: RequestError | undefined;

  constructor({ source, open, notify, clock = MONOTONIC_CLOCK }: LiveInputOptions) {
    this.#broadcast = new Broadcast({
      ...{ source, clock, linger: 0, prepare: encodeFrame },
      isPaced: source.kind === "generator",
      open: async (signal) => {
        try {
          return await open(signal);
        } catch (error) {
          if (error instanceof RequestError && error.code === "unsupported") this.#fail(error);
          throw error;
        }
      },
      // The events say the same in words for the one who publishes.
      logger: { log: () => {} },
    });
    this.#broadcast.follow(this.#events);
    this.#told = this.#tell(notify);
  }

  read(): InputReading {
    const queue = new DescribedQueue(() => this.#broadcast);
    if (this.#failure !== undefined) queue.fail(this.#failure);
    this.#queues.add(queue);
    this.#broadcast.follow(queue);
    return new LiveReading(queue, () => {
      this.#queues.delete(queue);
      this.#broadcast.leave(queue);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const queue of this.#queues) this.#broadcast.leave(queue);
    this.#events.end();
    await this.#told;
    await this.#broadcast.stop();
  }

  #fail(error: RequestError): void {
    this.#failure = error;
    for (const queue of this.#queues) queue.fail(error);
  }

  async #tell(notify: (line: string) => void): Promise<void> {
    const { signal } = new AbortController();
    while (true) {
      const item = await this.#events.take(signal);
      if (item.kind === "end") return;
      if (item.kind === "event" && this.#failure === undefined) notify(item.event.message);
    }
  }
}

/** A queue that keeps the streams of its first frame: the input may have others once it is taken. */
class DescribedQueue extends LiveQueue {
  described: SourceStreams | undefined;
  #current: () => SourceStreams;

  constructor(current: () => SourceStreams) {
    super({ limits: PUBLISH_LIMITS });
    this.#current = current;
  }

  override offer(frame: SharedFrame): number {
    if (this.described === undefined) {
      const { streams, data } = this.#current();
      this.described = { streams, data };
    }
    return super.offer(frame);
  }
}

/** The frames of a live input for one connection. */
class LiveReading implements InputReading {
  #queue: DescribedQueue;
  #leave: () => void;
  #isDescribed = false;
  /** The first frame, until its streams have been taken. */
  #first: InputItem | undefined;

  constructor(queue: DescribedQueue, leave: () => void) {
    this.#queue = queue;
    this.#leave = leave;
  }

  get dropped(): number {
    return this.#queue.dropped;
  }

  async take(signal: AbortSignal): Promise<InputItem> {
    while (true) {
      const item = this.#first ?? await this.#queue.take(signal);
      this.#first = undefined;
      // The input itself tells about its outages.
      if (item.kind === "event") continue;
      const { described } = this.#queue;
      if (item.kind === "frame" && !this.#isDescribed && described !== undefined) {
        this.#isDescribed = true;
        this.#first = item;
        return { kind: "describe", ...described };
      }
      if (item.kind === "describe") this.#isDescribed = true;
      return item;
    }
  }

  [Symbol.dispose](): void {
    if (this.#first?.kind === "frame") this.#first.frame.release();
    this.#first = undefined;
    this.#leave();
  }
}
