/** Reads one live source once and hands its frames to all subscribers. */
import { abortable, Backoff, deadline } from "../../base/async.ts";
import { type Clock, wallClock } from "../../base/clock.ts";
import { messageOf, RequestError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { type Rational, sameFormats, type StreamDescription } from "../../media/frame.ts";
import { Pacer } from "../../media/pacer.ts";
import type { TimedFrame } from "../../media/source.ts";
import type { LiveFeed } from "./feed.ts";
import type { LiveSource } from "./source_spec.ts";
import { LiveQueue, type PrepareFrame, QUEUE_LIMITS, SharedFrame } from "./subscriber_queue.ts";

/** Milliseconds that a subscriber waits for the first frame of a source that is starting. */
const FIRST_FRAME_TIMEOUT = 10_000;

/** Milliseconds of a run after which the backoff is reset. */
const GOOD_RUN = 10_000;

/** Milliseconds between log lines about dropped frames. */
const DROP_LOG_INTERVAL = 1000;

/** Options of {@linkcode Broadcast}. */
export interface BroadcastOptions {
  source: LiveSource;
  /** Whether frames arrive faster than real time and have to be paced. */
  isPaced: boolean;
  /** Milliseconds that it runs on without subscribers. */
  linger: number;
  /** Starts the source. */
  open: (signal: AbortSignal) => Promise<LiveFeed>;
  /** Encodes each frame once for all subscribers. */
  prepare: PrepareFrame;
  /** The broadcast that it is made from, if any: both are lost and come back together. */
  capture?: Broadcast;
  clock: Clock;
  logger: Logger;
  /** Returns numbers from 0 up to 1. */
  random?: () => number;
}

/** The time in which a source gives no frames and is going to be started again. */
export interface Outage {
  kind: "lost";
  error: RequestError;
  /** Text for subscribers. */
  message: string;
}

type State = { kind: "starting" } | { kind: "running" } | Outage;

/**
 * One live source in one rendition, read once for all its subscribers and started again whenever
 * it fails. Each subscriber has a queue of its own, so a slow one delays no other.
 */
export class Broadcast {
  #options: BroadcastOptions;
  #queues = new Set<LiveQueue>();
  /** Broadcasts that are made from this one. */
  #holders = 0;
  #stop = new AbortController();
  #state: State = { kind: "starting" };
  /** Settles with the first frame or the failure of the first start. */
  #started = Promise.withResolvers<void>();
  #streams: readonly StreamDescription[] = [];
  #timeline = new LiveTimeline();
  #backoff: Backoff;
  #lingering: AbortController | undefined;
  #drops = { frames: 0, loggedAt: -Infinity };
  /** Runs of the source that gave a frame. */
  #runs = 0;
  #finished: Promise<void>;

  constructor(options: BroadcastOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.random);
    // Subscribers that wait for it get the failure; there may be none.
    this.#started.promise.catch(() => {});
    this.#finished = this.#run();
    this.#linger();
  }

  /** Number of subscribers and of broadcasts that are made from it. */
  get subscribers(): number {
    return this.#queues.size + this.#holders;
  }

  /** The current outage; `undefined` while it runs or starts. */
  get outage(): Outage | undefined {
    return this.#state.kind === "lost" ? this.#state : undefined;
  }

  /** The streams of the frames; empty before the first frame. */
  get streams(): readonly StreamDescription[] {
    return this.#streams;
  }

  /** Aborts when it stops, because of {@linkcode Broadcast.stop} or for lack of subscribers. */
  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  /**
   * Adds a subscriber and waits for the first frame. Frames are queued from here on.
   *
   * @throws {RequestError} `media_error` with the reason if the source gives nothing
   */
  async join(queue: LiveQueue, signal: AbortSignal): Promise<void> {
    if (this.#state.kind === "lost") throw this.#state.error;
    this.follow(queue);
    try {
      if (this.#state.kind === "starting") await this.#firstFrame(signal);
    } catch (error) {
      this.leave(queue);
      throw error;
    }
  }

  /** Adds a subscriber at once, also during an outage. */
  follow(queue: LiveQueue): void {
    this.#queues.add(queue);
    this.#lingering?.abort();
  }

  /** Removes a subscriber. Does nothing if it is removed already. */
  leave(queue: LiveQueue): void {
    queue.close();
    if (this.#queues.delete(queue) && this.subscribers === 0) this.#linger();
  }

  /** Keeps it running for a broadcast that is made from it, until the result is disposed. */
  hold(): Disposable {
    this.#holders++;
    this.#lingering?.abort();
    return {
      [Symbol.dispose]: () => {
        this.#holders--;
        if (this.subscribers === 0) this.#linger();
      },
    };
  }

  /** Ends all subscribers after the frames that wait for them, and stops. */
  async end(): Promise<void> {
    for (const queue of this.#queues) queue.end();
    await this.stop();
  }

  /** Stops it and waits until FFmpeg has ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#lingering?.abort();
    await this.#finished;
    for (const queue of this.#queues) {
      queue.fail(new RequestError("media_error", "Cannot go on: the server ends"));
    }
  }

  async #firstFrame(signal: AbortSignal): Promise<void> {
    const late = Promise.withResolvers<never>();
    using _limit = deadline(FIRST_FRAME_TIMEOUT, () => {
      const reason = `nothing came within ${FIRST_FRAME_TIMEOUT / 1000} s, ask again later`;
      late.reject(this.#failure(reason));
    });
    await abortable(Promise.race([this.#started.promise, late.promise]), signal);
  }

  /** Stops it after the linger time unless there are subscribers then. */
  async #linger(): Promise<void> {
    const { clock, linger } = this.#options;
    const waiting = new AbortController();
    this.#lingering?.abort();
    this.#lingering = waiting;
    if (this.#stop.signal.aborted) return;
    try {
      await clock.sleep(linger, waiting.signal);
    } catch (error) {
      if (waiting.signal.aborted) return;
      throw error;
    }
    if (this.subscribers > 0) return;
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { source, capture } = this.#options;
    using _hold = capture?.hold();
    while (!signal.aborted) {
      const error = await this.#runOnce();
      if (signal.aborted) break;
      try {
        await (capture?.outage === undefined ? this.#pause(error) : this.#awaitCapture(capture));
      } catch (reason) {
        if (!signal.aborted) throw reason;
      }
    }
    this.#started.reject(new RequestError("media_error", `Cannot read "${source.name}": it ended`));
  }

  /** Waits for the backoff time after a failure. */
  async #pause(error: RequestError): Promise<void> {
    const { clock, logger } = this.#options;
    const wait = this.#backoff.next();
    const message = `${error.message}; it is tried again in ${(wait / 1000).toFixed(1)} s`;
    logger.log(this.outage === undefined ? "warn" : "info", message);
    this.#lose({ kind: "lost", error, message });
    await clock.sleep(wait, this.#stop.signal);
  }

  /** Waits until the capture runs again and passes its outages on to the subscribers. */
  async #awaitCapture(capture: Broadcast): Promise<void> {
    const events = new LiveQueue({ limits: QUEUE_LIMITS.drop, isPaused: () => true });
    capture.follow(events);
    try {
      while (capture.outage !== undefined) {
        this.#lose(capture.outage);
        if ((await events.take(this.#stop.signal)).kind === "end") return;
      }
    } catch (error) {
      // The capture came back with other streams; whether those fit is checked with the next run.
      if (this.#stop.signal.aborted || !(error instanceof RequestError)) throw error;
    } finally {
      capture.leave(events);
    }
  }

  #lose(outage: Outage): void {
    this.#state = outage;
    this.#started.reject(outage.error);
    const { message } = outage;
    for (const queue of this.#queues) queue.notify({ code: "source_lost", message });
  }

  /** Runs the source until it fails and returns the reason. */
  async #runOnce(): Promise<RequestError> {
    const { clock } = this.#options;
    let runningSince: number | undefined;
    try {
      await using feed = await this.#options.open(this.#stop.signal);
      let frame = await feed.next();
      runningSince = clock.now();
      this.#begin(feed, frame);
      const pacer = new Pacer({ speed: 1, clock });
      const unseen = new Set(this.#streams.map(({ id }) => id));
      while (true) {
        if (this.#options.isPaced) await pacer.waitFor(frame.due, this.#stop.signal);
        const isFirstOfRun = unseen.delete(frame.streamId) && this.#runs > 1;
        this.#publish(feed, { ...frame, discontinuity: isFirstOfRun || undefined });
        frame = await feed.next();
      }
    } catch (error) {
      if (runningSince !== undefined && clock.now() - runningSince >= GOOD_RUN) {
        this.#backoff.reset();
      }
      return error instanceof RequestError ? error : this.#failure(messageOf(error), error);
    }
  }

  /** Takes over the streams of a run, places it on the timeline, and notifies subscribers. */
  #begin(feed: LiveFeed, first: TimedFrame): void {
    const { source, logger, clock } = this.#options;
    this.#runs++;
    const isReturn = this.#runs > 1;
    if (isReturn && !sameFormats(this.#streams, feed.streams)) {
      const error = this.#failure("it came back as something else, ask for it again");
      for (const queue of this.#queues) queue.fail(error);
      this.#streams = feed.streams;
    } else if (!isReturn) {
      this.#streams = feed.streams;
    }
    this.#timeline.begin(first.due, clock.now());
    this.#state = { kind: "running" };
    this.#started.resolve();
    if (!isReturn) return;
    const message = `"${source.name}" is back`;
    logger.log("info", message);
    for (const queue of this.#queues) queue.notify({ code: "source_back", message });
  }

  #publish(feed: LiveFeed, { due: _due, ...frame }: TimedFrame & { discontinuity?: true }): void {
    const own = feed.streams.find(({ id }) => id === frame.streamId);
    const described = this.#streams.find(({ id }) => id === frame.streamId);
    if (own === undefined || described === undefined) return;
    const timestamp = this.#timeline.convert(frame.timestamp, own.timeBase, described.timeBase);
    const { captured = wallClock() } = frame;
    const shared = new SharedFrame({ ...frame, timestamp, captured }, {
      isVideo: described.type === "video",
      time: this.#options.clock.now(),
      prepare: this.#options.prepare,
      recycle: (used) => feed.recycle(used),
    });
    let dropped = 0;
    for (const queue of this.#queues) dropped += queue.offer(shared);
    shared.release();
    if (dropped > 0) this.#logDrops(dropped);
  }

  #logDrops(frames: number): void {
    const { clock, logger, source } = this.#options;
    this.#drops.frames += frames;
    if (clock.now() - this.#drops.loggedAt < DROP_LOG_INTERVAL) return;
    logger.log("warn", `"${source.name}": dropped ${this.#drops.frames} frames of slow clients`);
    this.#drops = { frames: 0, loggedAt: clock.now() };
  }

  #failure(reason: string, cause?: unknown): RequestError {
    const { name } = this.#options.source;
    return new RequestError("media_error", `Cannot read "${name}": ${reason}`, { cause });
  }
}

/** Seconds from the last frame of a run to the first of the next, at least. */
const MIN_GAP = 0.001;

/** Maps the timestamps of all runs of a source to one timeline that begins at 0 and never goes back. */
export class LiveTimeline {
  /** Milliseconds, on any clock, of time 0. */
  #zero: number | undefined;
  /** Seconds to add to the timestamps of the current run. */
  #shift = 0;
  /** Seconds of the latest frame. */
  #latest = 0;

  /**
   * Begins a run.
   *
   * @param first seconds of its first frame by its own timestamps
   * @param now milliseconds, always on the same clock
   */
  begin(first: number, now: number): void {
    const isFirstRun = this.#zero === undefined;
    this.#zero ??= now;
    const seconds = Math.max((now - this.#zero) / 1000, isFirstRun ? 0 : this.#latest + MIN_GAP);
    this.#shift = seconds - first;
  }

  /**
   * Converts a timestamp of the run.
   *
   * @param ticks in the run's own time base
   * @returns ticks in the time base of the stream's description
   */
  convert(ticks: number, from: Rational, to: Rational): number {
    const scale = (from[0] * to[1]) / (from[1] * to[0]);
    const shifted = Math.round(ticks * scale) + Math.round(this.#shift * to[1] / to[0]);
    this.#latest = Math.max(this.#latest, shifted * to[0] / to[1]);
    return shifted;
  }
}
