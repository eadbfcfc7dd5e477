/** Reads one live source once and hands its frames to all subscribers. */
import { abortable, Backoff, deadline } from "../../base/async.ts";
import { type Clock, wallClock } from "../../base/clock.ts";
import { messageOf, RequestError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import {
  type AnyStream,
  type DataStream,
  sameData,
  sameFormats,
  type StreamDescription,
} from "../../media/frame.ts";
import { Pacer } from "../../media/pacer.ts";
import type { TimedFrame } from "../../media/source.ts";
import { type LiveFeed, SourceEndedError, StreamsChangedError } from "./feed.ts";
import { KeyframeRequests } from "./keyframe_requests.ts";
import type { LiveSource } from "./source_spec.ts";
import { type PrepareFrame, SharedFrame } from "./shared_frame.ts";
import { LiveQueue, QUEUE_LIMITS } from "./subscriber_queue.ts";
import { inTimeBasesOf, LiveTimeline } from "./timeline.ts";

/** Milliseconds that a subscriber waits for the first frame by default. */
const FIRST_FRAME_TIMEOUT = 10_000;

/** Milliseconds of a run after which the backoff is reset. */
const GOOD_RUN = 10_000;

/** Milliseconds between log lines about dropped frames. */
const DROP_LOG_INTERVAL = 1000;

/** Milliseconds before FFmpeg is started for other streams. */
const CHANGE_PAUSE = 100;

/** Options of {@linkcode Broadcast}. */
export interface BroadcastOptions {
  source: LiveSource;
  /** Whether frames arrive faster than real time and have to be paced. */
  isPaced: boolean;
  /** Milliseconds that it runs on without subscribers. */
  linger: number;
  /** Milliseconds that a subscriber waits for the first frame. @default 10_000 */
  firstFrameTimeout?: number;
  /** Starts the source. */
  open: (signal: AbortSignal) => Promise<LiveFeed>;
  /** Encodes each frame once for all subscribers. */
  prepare: PrepareFrame;
  /** Whether opening the source waits until it is there, so that no pause is needed before. */
  isAwaited?: () => boolean;
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
  /** Those that wait for the first frame: they take the streams as they are then. */
  #joining = new Set<LiveQueue>();
  /** Broadcasts that are made from this one. */
  #holders = 0;
  #stop = new AbortController();
  #state: State = { kind: "starting" };
  /** Settles with the first frame or the failure of the first start. */
  #started = Promise.withResolvers<void>();
  #streams: readonly StreamDescription[] = [];
  #data: readonly DataStream[] = [];
  #feed: LiveFeed | undefined;
  #timeline = new LiveTimeline();
  #backoff: Backoff;
  #lingering: AbortController | undefined;
  /** Whether one is about to be asked for, and when one was. */
  #keyframes: KeyframeRequests;
  #drops = { frames: 0, loggedAt: -Infinity };
  /** It is there after an outage, and has yet to give a frame. */
  #isBack = false;
  /** Runs of the source that gave a frame. */
  #runs = 0;
  #finished: Promise<void>;

  constructor(options: BroadcastOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.random);
    this.#keyframes = new KeyframeRequests(options.clock, this.#stop.signal);
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

  /** Data streams of the frames; empty before the first frame. */
  get data(): readonly DataStream[] {
    return this.#data;
  }

  /** Settles when it has stopped, and FFmpeg has ended. */
  get finished(): Promise<void> {
    return this.#finished;
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
    this.#joining.add(queue);
    try {
      await this.begun(signal);
    } catch (error) {
      this.leave(queue);
      throw error;
    } finally {
      this.#joining.delete(queue);
    }
  }

  /**
   * Waits for the first frame if it is starting.
   *
   * @throws {RequestError} `media_error` with the reason if the source gives nothing
   */
  async begun(signal: AbortSignal): Promise<void> {
    if (this.#state.kind === "lost") throw this.#state.error;
    if (this.#state.kind === "starting") await this.#firstFrame(signal);
  }

  /** Adds a subscriber at once, also during an outage. */
  follow(queue: LiveQueue): void {
    this.#queues.add(queue);
    queue.onStarved = () => this.requestKeyframe();
    this.#lingering?.abort();
    this.requestKeyframe();
  }

  /** Asks the source for a keyframe, if it can be asked. */
  requestKeyframe(): void {
    this.#keyframes.ask(() => this.#feed);
  }

  /** Removes a subscriber. Does nothing if it is removed already. */
  leave(queue: LiveQueue): void {
    queue.close();
    queue.onStarved = undefined;
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
    const { firstFrameTimeout: limit = FIRST_FRAME_TIMEOUT } = this.#options;
    const late = Promise.withResolvers<never>();
    using _limit = deadline(limit, () => {
      late.reject(this.#failure(`nothing came within ${limit / 1000} s, ask again later`));
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
    const { source, capture, clock } = this.#options;
    using _hold = capture?.hold();
    while (!signal.aborted) {
      const error = await this.#runOnce();
      if (signal.aborted) break;
      try {
        if (error instanceof StreamsChangedError) {
          // A publisher that changes again and again must not start an FFmpeg each time.
          if (capture !== undefined) await clock.sleep(CHANGE_PAUSE, signal);
          continue;
        }
        // FFmpeg has made its last frame of a capture that has ended.
        if (error instanceof SourceEndedError && capture?.stopped.aborted) {
          for (const queue of this.#queues) queue.end();
          this.#stop.abort();
          break;
        }
        await (capture?.outage === undefined ? this.#pause(error) : this.#awaitCapture(capture));
      } catch (reason) {
        if (!signal.aborted) throw reason;
      }
    }
    this.#started.reject(new RequestError("media_error", `Cannot read "${source.name}": it ended`));
  }

  /** Waits for the backoff time after a failure, unless opening the source waits itself. */
  async #pause(error: RequestError): Promise<void> {
    const { clock, logger, isAwaited } = this.#options;
    if (isAwaited?.()) return this.#lose({ kind: "lost", error, message: error.message });
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

  /** Lets subscribers wait for the first frame after an outage. */
  #startAgain(): void {
    this.#isBack = true;
    this.#state = { kind: "starting" };
    this.#started = Promise.withResolvers();
    this.#started.promise.catch(() => {});
  }

  #lose(outage: Outage): void {
    this.#state = outage;
    this.#started.reject(outage.error);
    const { message, error: { message: reason } } = outage;
    for (const queue of this.#queues) queue.notify({ code: "source_lost", message, reason });
  }

  /** Runs the source until it fails and returns the reason. */
  async #runOnce(): Promise<RequestError | StreamsChangedError> {
    const { clock } = this.#options;
    let runningSince: number | undefined;
    try {
      await using feed = await this.#options.open(this.#stop.signal);
      // Opening has waited for it, so that it is there.
      if (this.#options.isAwaited?.() && this.outage !== undefined) this.#startAgain();
      let frame = await feed.next();
      runningSince = clock.now();
      this.#feed = feed;
      this.#begin(feed, frame);
      const pacer = new Pacer({ speed: 1, clock });
      const unseen = new Set([...this.#streams, ...this.#data].map(({ id }) => id));
      while (true) {
        if (this.#options.isPaced) await pacer.waitFor(frame.due, this.#stop.signal);
        const isFirstOfRun = unseen.delete(frame.streamId) && this.#runs > 1;
        const discontinuity = isFirstOfRun || frame.discontinuity || undefined;
        this.#publish(feed, { ...frame, discontinuity });
        frame = await feed.next();
      }
    } catch (error) {
      if (runningSince !== undefined && clock.now() - runningSince >= GOOD_RUN) {
        this.#backoff.reset();
      }
      const isKnown = error instanceof RequestError || error instanceof StreamsChangedError;
      return isKnown ? error : this.#failure(messageOf(error), error);
    } finally {
      this.#feed = undefined;
    }
  }

  /** Takes over the streams of a run, places it on the timeline, and notifies subscribers. */
  #begin(feed: LiveFeed, first: TimedFrame): void {
    const { source, logger, clock } = this.#options;
    this.#runs++;
    const isReturn = this.#runs > 1;
    const { streams, data = [] } = feed;
    const isSame = sameFormats(this.#streams, streams) && sameData(this.#data, data);
    // Those who know the earlier description go on with its time bases.
    const isKept = isReturn && isSame;
    this.#streams = isKept ? inTimeBasesOf(this.#streams, streams) : streams;
    this.#data = isKept ? inTimeBasesOf(this.#data, data) : data;
    const described = [...this.#queues].filter((queue) => !this.#joining.has(queue));
    if (isReturn && !isSame) {
      for (const queue of described) queue.describe({ streams, data });
    }
    this.#timeline.begin(first.due, clock.now());
    const wasLost = this.#isBack || this.outage !== undefined;
    this.#isBack = false;
    this.#state = { kind: "running" };
    this.#started.resolve();
    if (!wasLost || !isReturn) return;
    const message = `"${source.name}" is back`;
    // The log has the requests of publishers, with a limit for each.
    logger.log(this.#options.isAwaited?.() ? "debug" : "info", message);
    for (const queue of described) queue.notify({ code: "source_back", message });
  }

  #publish(feed: LiveFeed, { due: _due, ...frame }: TimedFrame): void {
    const isOfFrame = ({ id }: AnyStream) => id === frame.streamId;
    const own = feed.streams.find(isOfFrame) ?? feed.data?.find(isOfFrame);
    const described = this.#streams.find(isOfFrame) ?? this.#data.find(isOfFrame);
    if (own === undefined || described === undefined) return;
    const timestamp = this.#timeline.convert(frame.timestamp, own.timeBase, described.timeBase);
    const { captured = wallClock() } = frame;
    const shared = new SharedFrame({ ...frame, timestamp, captured }, {
      type: described.type,
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
