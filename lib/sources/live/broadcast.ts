/** The one time line of a live source, however often it is started again. Pure. */
import { Backoff, deadline } from "../../base/async.ts";
import { type Clock, wallClock } from "../../base/clock.ts";
import { messageOf, RequestError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { type Rational, sameFormats, type StreamDescription } from "../../media/frame.ts";
import { Pacer } from "../../media/pacer.ts";
import type { TimedFrame } from "../../media/source.ts";
import type { LiveFeed } from "./feed.ts";
import type { LiveSource } from "./source_spec.ts";
import { LiveQueue, QUEUE_LIMITS, SharedFrame } from "./subscriber_queue.ts";

/** Milliseconds that a viewer waits for the first frame of a source that is being started. */
const FIRST_FRAME_TIMEOUT = 10_000;

/** Milliseconds of running after which a failure counts as the first again. */
const GOOD_RUN = 10_000;

/** Milliseconds between lines in the log about frames that were left out. */
const DROPS_LOGGED = 1000;

/** Options of {@linkcode Broadcast}. */
export interface BroadcastOptions {
  source: LiveSource;
  /** Frames come faster than real time, and have to be held until they are due. */
  isPaced: boolean;
  /** Milliseconds that it runs on without viewers. */
  linger: number;
  /** Starts the source. */
  open: (signal: AbortSignal) => Promise<LiveFeed>;
  /** What it is made from, where that is a broadcast, too: it goes away and comes back with it. */
  capture?: Broadcast;
  clock: Clock;
  logger: Logger;
  /** Numbers from 0 up to 1. */
  random?: () => number;
}

/** Why there is nothing to see for now. */
export interface Absence {
  kind: "away";
  error: RequestError;
  /** What viewers are told of it. */
  message: string;
}

/** Where a broadcast stands. */
type State = { kind: "starting" } | { kind: "running" } | Absence;

/**
 * One live source in one rendition, read once for all its viewers, and started again whenever it
 * fails. Each viewer has a queue of its own; a slow one holds up nobody.
 */
export class Broadcast {
  #options: BroadcastOptions;
  #viewers = new Set<LiveQueue>();
  /** Broadcasts that are made from this one. */
  #holders = 0;
  #stop = new AbortController();
  #state: State = { kind: "starting" };
  /** Settled when the first frame has come, or the first start has failed. */
  #started = Promise.withResolvers<void>();
  #streams: readonly StreamDescription[] = [];
  #timeline = new LiveTimeline();
  #backoff: Backoff;
  #lingering: AbortController | undefined;
  #drops = { frames: 0, loggedAt: -Infinity };
  /** How often the source has given something. */
  #runs = 0;
  #finished: Promise<void>;

  constructor(options: BroadcastOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.random);
    // Whoever waits for it hears of a failure; nobody may.
    this.#started.promise.catch(() => {});
    this.#finished = this.#run();
    this.#linger();
  }

  /** Viewers that it has now, and broadcasts that are made from it. */
  get viewers(): number {
    return this.#viewers.size + this.#holders;
  }

  /** Why there is nothing to see for now; nothing while it runs, or is being started. */
  get absence(): Absence | undefined {
    return this.#state.kind === "away" ? this.#state : undefined;
  }

  /** What the frames are; empty before the first of them. */
  get streams(): readonly StreamDescription[] {
    return this.#streams;
  }

  /** Fires when it is over, because nobody watched for a while or the server ends. */
  get over(): AbortSignal {
    return this.#stop.signal;
  }

  /**
   * Adds a viewer, once there is something to see. Frames come into the queue from here on.
   *
   * @throws {RequestError} `media_error` with the reason where there is nothing
   */
  async join(queue: LiveQueue, signal: AbortSignal): Promise<void> {
    if (this.#state.kind === "away") throw this.#state.error;
    this.follow(queue);
    try {
      if (this.#state.kind === "starting") await this.#firstFrame(signal);
    } catch (error) {
      this.leave(queue);
      throw error;
    }
  }

  /** Adds a viewer at once, also while there is nothing but news. */
  follow(queue: LiveQueue): void {
    this.#viewers.add(queue);
    this.#lingering?.abort();
  }

  /** Lets a viewer go. Harmless when repeated. */
  leave(queue: LiveQueue): void {
    queue.close();
    if (this.#viewers.delete(queue) && this.viewers === 0) this.#linger();
  }

  /** Keeps it running for another that is made from it, until what is returned is disposed. */
  hold(): Disposable {
    this.#holders++;
    this.#lingering?.abort();
    return {
      [Symbol.dispose]: () => {
        this.#holders--;
        if (this.viewers === 0) this.#linger();
      },
    };
  }

  /** Ends it, and waits until FFmpeg is gone. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#lingering?.abort();
    await this.#finished;
    for (const queue of this.#viewers) {
      queue.fail(new RequestError("media_error", "Cannot go on: the server ends"));
    }
  }

  async #firstFrame(signal: AbortSignal): Promise<void> {
    const { promise, reject } = Promise.withResolvers<never>();
    const giveUp = () => reject(signal.reason);
    signal.addEventListener("abort", giveUp);
    using _limit = deadline(FIRST_FRAME_TIMEOUT, () => {
      reject(this.#failure(`nothing came within ${FIRST_FRAME_TIMEOUT / 1000} s, ask again later`));
    });
    try {
      signal.throwIfAborted();
      await Promise.race([this.#started.promise, promise]);
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** Ends it after a while, unless somebody joins. */
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
    if (this.viewers > 0) return;
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
        await (capture?.absence === undefined ? this.#pause(error) : this.#await(capture));
      } catch (reason) {
        if (!signal.aborted) throw reason;
      }
    }
    this.#started.reject(new RequestError("media_error", `Cannot read "${source.name}": it ended`));
  }

  /** Lets some time pass after a failure. */
  async #pause(error: RequestError): Promise<void> {
    const { clock, logger } = this.#options;
    const wait = this.#backoff.next();
    const message = `${error.message}; it is tried again in ${(wait / 1000).toFixed(1)} s`;
    logger.log(this.absence === undefined ? "warn" : "info", message);
    this.#lose({ kind: "away", error, message });
    await clock.sleep(wait, this.#stop.signal);
  }

  /** Waits until what it is made from is there again, and passes on what is said of it. */
  async #await(capture: Broadcast): Promise<void> {
    const news = new LiveQueue({ limits: QUEUE_LIMITS.drop, isPaused: () => true });
    capture.follow(news);
    try {
      while (capture.absence !== undefined) {
        this.#lose(capture.absence);
        await news.take(this.#stop.signal);
      }
    } catch (error) {
      // It came back as something else, of which those who are made from it have a say of their own.
      if (this.#stop.signal.aborted || !(error instanceof RequestError)) throw error;
    } finally {
      capture.leave(news);
    }
  }

  #lose(absence: Absence): void {
    this.#state = absence;
    this.#started.reject(absence.error);
    const { message } = absence;
    for (const queue of this.#viewers) queue.tell({ code: "source_lost", message });
  }

  /** Runs the source until it fails, and tells why it did. */
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
        const isNewRun = unseen.delete(frame.streamId) && this.#runs > 1;
        this.#publish(feed, { ...frame, discontinuity: isNewRun || undefined });
        frame = await feed.next();
      }
    } catch (error) {
      if (runningSince !== undefined && clock.now() - runningSince >= GOOD_RUN) {
        this.#backoff.reset();
      }
      return error instanceof RequestError ? error : this.#failure(messageOf(error), error);
    }
  }

  /** Takes up a run: what the streams are, where it stands in time, and who has to know. */
  #begin(feed: LiveFeed, first: TimedFrame): void {
    const { source, logger, clock } = this.#options;
    this.#runs++;
    const isReturn = this.#runs > 1;
    if (isReturn && !sameFormats(this.#streams, feed.streams)) {
      const error = this.#failure("it came back as something else, ask for it again");
      for (const queue of [...this.#viewers]) queue.fail(error);
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
    for (const queue of this.#viewers) queue.tell({ code: "source_back", message });
  }

  #publish(feed: LiveFeed, { due: _due, ...frame }: TimedFrame & { discontinuity?: true }): void {
    const own = feed.streams.find(({ id }) => id === frame.streamId);
    const described = this.#streams.find(({ id }) => id === frame.streamId);
    if (own === undefined || described === undefined) return;
    const timestamp = this.#timeline.convert(frame.timestamp, own.timeBase, described.timeBase);
    const { captured = wallClock() } = frame;
    const shared = new SharedFrame({ ...frame, timestamp, captured }, {
      isPicture: described.type === "video",
      at: this.#options.clock.now(),
      recycle: (used) => feed.recycle(used),
    });
    let dropped = 0;
    for (const queue of this.#viewers) dropped += queue.offer(shared);
    shared.release();
    if (dropped > 0) this.#logDrops(dropped);
  }

  #logDrops(frames: number): void {
    const { clock, logger, source } = this.#options;
    this.#drops.frames += frames;
    if (clock.now() - this.#drops.loggedAt < DROPS_LOGGED) return;
    logger.log("warn", `"${source.name}": left out ${this.#drops.frames} frames of slow viewers`);
    this.#drops = { frames: 0, loggedAt: clock.now() };
  }

  #failure(reason: string, cause?: unknown): RequestError {
    const { name } = this.#options.source;
    return new RequestError("media_error", `Cannot read "${name}": ${reason}`, { cause });
  }
}

/** Seconds by which a new run at least comes after the one before. */
const SHORTEST_GAP = 0.001;

/** Turns each run's own timestamps into those of the whole: from 0 on, never back. */
export class LiveTimeline {
  /** Milliseconds, on any clock, of the moment 0. */
  #zero: number | undefined;
  /** Seconds that are added to the run's own. */
  #shift = 0;
  /** Seconds of the latest frame. */
  #latest = 0;

  /**
   * Begins a run.
   *
   * @param first seconds, on the run's own time line, of its first frame
   * @param now milliseconds, on the same clock each time
   */
  begin(first: number, now: number): void {
    const isFirstRun = this.#zero === undefined;
    this.#zero ??= now;
    const moment = Math.max(
      (now - this.#zero) / 1000,
      isFirstRun ? 0 : this.#latest + SHORTEST_GAP,
    );
    this.#shift = moment - first;
  }

  /**
   * Converts a timestamp of the run.
   *
   * @param ticks in the run's own time base
   * @returns ticks in the time base that the stream was described with
   */
  convert(ticks: number, from: Rational, to: Rational): number {
    const scale = (from[0] * to[1]) / (from[1] * to[0]);
    const shifted = Math.round(ticks * scale) + Math.round(this.#shift * to[1] / to[0]);
    this.#latest = Math.max(this.#latest, shifted * to[0] / to[1]);
    return shifted;
  }
}
