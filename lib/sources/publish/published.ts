/** Sources that publishers send: who has which name, and what happens when one leaves. */
import { abortable, onAbort } from "../../base/async.ts";
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { RequestError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { DataStream, Frame, StreamDescription } from "../../media/frame.ts";
import type { TimedFrame } from "../../media/source.ts";
import { MAX_PUBLISHED_NAME } from "../../protocol/native/request.ts";
import { type FeedOpener, type LiveFeed, StreamsChangedError } from "../live/feed.ts";
import type { PublishedRun } from "./publication.ts";
import type { LiveSources } from "../live/registry.ts";
import type { LiveSource } from "../live/source_spec.ts";

/** Frames that may wait for the broadcast; the publisher is not read beyond that. */
const MAX_WAITING = 1;

/** Milliseconds between two log lines about a lost publisher. */
const LOG_INTERVAL = 1000;

/** Requests of the server to a publisher. */
export type PublisherAction = "pause" | "resume" | "keyframe";

/** The connection of a publisher. */
export interface Publisher {
  /** Sends nothing while nobody watches. */
  readonly onDemand: boolean;
  /** Asks it for something. */
  ask(action: PublisherAction): void;
  /** Called with the number of viewers. */
  onViewers(viewers: number): void;
  /** Takes back the memory of a frame. Nothing may use the frame any more. */
  recycle(frame: Frame): void;
  /** Ends it, because another publisher takes its name. */
  evict(error: RequestError): void;
}

/** Options of {@linkcode Publications}. */
export interface PublicationsOptions {
  /** Names at once. */
  max: number;
  /** Seconds for which the name of a lost publisher is kept. */
  linger: number;
  logger: Logger;
  clock?: Clock;
}

/** The published sources of a server. */
export class Publications implements Disposable {
  #live: LiveSources;
  #options: PublicationsOptions;
  #sources = new Map<string, PublishedSource>();

  constructor(live: LiveSources, options: PublicationsOptions) {
    this.#live = live;
    this.#options = options;
  }

  /** Names that are taken, those of lost publishers included, but not what is kept for anybody. */
  get count(): number {
    return [...this.#sources.values()].filter((source) => source.isTaken).length;
  }

  /**
   * Adds a source that stays without a publisher, too. Only {@linkcode Publications.begin} with
   * `reserved` gives it to one.
   *
   * @throws {RequestError} `bad_request` if there is a live source of that name
   */
  reserve(source: LiveSource): void {
    this.#add(source, { isReserved: true });
  }

  /**
   * Whether a publisher may have a name now.
   *
   * @param options whether it is a reserved name, and the turn of a publisher that may go on
   */
  isFree(
    name: string,
    { reserved = false, turn }: { reserved?: boolean; turn?: symbol } = {},
  ): boolean {
    const known = this.#sources.get(name);
    if (known === undefined) return this.#live.find(name) === undefined;
    return !known.isHeld && (reserved || known.turn === turn);
  }

  /**
   * Gives a name to a publisher.
   *
   * @param options whether to take it from another publisher, and whether it is a reserved one
   * @throws {RequestError} `busy` if it is taken, or too many are; `bad_request` if it cannot be one
   */
  begin(
    name: string,
    publisher: Publisher,
    { replace = false, reserved = false }: { replace?: boolean; reserved?: boolean } = {},
  ): PublishedSource {
    if (name.length > MAX_PUBLISHED_NAME) {
      const reason =
        `the name has ${name.length} characters, expected ${MAX_PUBLISHED_NAME} at most`;
      throw refused(name.slice(0, 20), "bad_request", reason);
    }
    if (/\p{Cc}/u.test(name)) {
      throw refused(name, "bad_request", "it has a control character");
    }
    const known = this.#sources.get(name);
    const isOwn = known !== undefined && known.isReserved === reserved;
    if (!isOwn && this.#live.find(name) !== undefined) {
      throw refused(name, "busy", "a live source of the server has that name");
    }
    if (known?.isHeld && !replace) {
      throw refused(
        name,
        "busy",
        "another publisher has that name, expected another name, or replace: true",
      );
    }
    if (!known?.isTaken && this.count >= this.#options.max) {
      throw refused(name, "busy", `there are ${this.#options.max} publishers, try again later`);
    }
    const source = known ?? this.#add({ name, kind: "published", input: "" });
    source.attach(publisher);
    return source;
  }

  [Symbol.dispose](): void {
    for (const source of [...this.#sources.values()]) source[Symbol.dispose]();
  }

  #add(
    about: LiveSource,
    { isReserved = false }: { isReserved?: boolean } = {},
  ): PublishedSource {
    const { name } = about;
    const source = new PublishedSource(name, {
      ...{ ...this.#options, isReserved },
      onRemove: () => this.#sources.delete(name),
    });
    source.register(this.#live, about);
    this.#sources.set(name, source);
    return source;
  }
}

function refused(name: string, code: RequestError["code"], reason: string): RequestError {
  return new RequestError(code, `Cannot publish "${name}": ${reason}`);
}

/** Options of {@linkcode PublishedSource}. */
interface SourceOptions extends Omit<PublicationsOptions, "max"> {
  /** It stays without a publisher. @default false */
  isReserved?: boolean;
  onRemove: () => void;
}

/**
 * One published source, from its first publisher until it ends or does not come back, or until the
 * server ends if it is reserved.
 */
export class PublishedSource implements FeedOpener, Disposable {
  readonly isAwaited = true;
  #name: string;
  #options: SourceOptions;
  #registration: Disposable | undefined;
  #live: LiveSources | undefined;
  #publisher: Publisher | undefined;
  #turn = Symbol();
  #run: PublishedRun | undefined;
  /** The newest run, if somebody watches. */
  #feed: PublishedFeed | undefined;
  /** Aborts when nobody watches any more; `undefined` while nobody does. */
  #watching: AbortSignal | undefined;
  #viewers = 0;
  /** Clock time of the last log line about a lost publisher. */
  #loggedAt = -Infinity;
  /** Settles when a run begins. */
  #described = Promise.withResolvers<void>();
  /** Ends the wait for a lost publisher. */
  #waiting: AbortController | undefined;

  constructor(name: string, options: SourceOptions) {
    this.#name = name;
    this.#options = options;
  }

  /** Adds it to the live sources, until it is disposed. */
  register(live: LiveSources, source: LiveSource): void {
    this.#live = live;
    this.#registration = live.add(source, this);
  }

  /** Whether a publisher has it now. */
  get isHeld(): boolean {
    return this.#publisher !== undefined;
  }

  /** Stands for the publisher that has it, or had it last: another with each one. */
  get turn(): symbol {
    return this.#turn;
  }

  /** Whether a publisher has it, or may come back to it. */
  get isTaken(): boolean {
    return this.isHeld || !this.isReserved;
  }

  /** Whether it stays without a publisher. */
  get isReserved(): boolean {
    return this.#options.isReserved ?? false;
  }

  get isWatched(): boolean {
    return this.#watching !== undefined;
  }

  get described(): PublishedRun | undefined {
    return this.#run;
  }

  /** Gives it to a publisher, and ends the one that has it. */
  attach(publisher: Publisher): void {
    this.#waiting?.abort();
    const before = this.#publisher;
    if (before !== undefined) {
      this.#lose("another publisher takes its place");
      before.evict(refused(this.#name, "bad_request", "another publisher has taken its place"));
    }
    this.#publisher = publisher;
    this.#turn = Symbol();
    if (publisher.onDemand && !this.isWatched) publisher.ask("pause");
    if (this.#viewers > 0) publisher.onViewers(this.#viewers);
  }

  /** Begins a run: frames of these streams follow. */
  describe(publisher: Publisher, run: PublishedRun): void {
    if (this.#publisher !== publisher) return;
    this.#run = run;
    this.#feed?.end(new StreamsChangedError("Other streams follow"));
    this.#feed = this.isWatched ? new PublishedFeed(run, publisher) : undefined;
    this.#live?.changes.notify();
    this.#described.resolve();
    this.#described = Promise.withResolvers();
  }

  /**
   * Passes a frame on; resolves when it is time for the next one.
   *
   * @param frame as {@linkcode PublishedRun.accept} returns it
   */
  async push(publisher: Publisher, frame: TimedFrame): Promise<void> {
    if (this.#publisher === publisher && this.#feed !== undefined) await this.#feed.push(frame);
    else publisher.recycle(frame);
  }

  /** Ends the source: viewers get what waits for them, and then the end. */
  end(publisher: Publisher): void {
    if (this.#publisher === publisher) this[Symbol.dispose]();
  }

  /** Keeps the name for a while: the publisher, or another one, may go on. */
  async lose(publisher: Publisher): Promise<void> {
    if (this.#publisher !== publisher) return;
    const { linger, clock = MONOTONIC_CLOCK, logger } = this.#options;
    const within = this.isReserved ? "" : ` within ${linger} s`;
    this.#lose(`its publisher is gone, and may come back${within}`);
    const waiting = this.#waiting = new AbortController();
    if (clock.now() - this.#loggedAt >= LOG_INTERVAL) {
      this.#loggedAt = clock.now();
      logger.log("warn", `"${this.#name}" has lost its publisher`);
    }
    if (this.isReserved) return;
    try {
      await clock.sleep(linger * 1000, waiting.signal);
    } catch (error) {
      if (waiting.signal.aborted) return;
      throw error;
    }
    logger.log("info", `"${this.#name}" is given up: its publisher has not come back`);
    this[Symbol.dispose]();
  }

  async open(signal: AbortSignal): Promise<LiveFeed> {
    signal.throwIfAborted();
    if (this.#watching !== signal) {
      this.#watching = signal;
      onAbort(signal, () => this.#unwatch(signal));
      if (this.#publisher?.onDemand) this.#publisher.ask("resume");
    }
    while (this.#publisher === undefined || this.#run === undefined) {
      await abortable(this.#described.promise, signal);
    }
    signal.throwIfAborted();
    if (this.#feed === undefined || this.#feed.isOver) {
      this.#feed = new PublishedFeed(this.#run, this.#publisher);
    }
    return this.#feed;
  }

  onViewers(viewers: number): void {
    this.#viewers = viewers;
    this.#publisher?.onViewers(viewers);
  }

  /** Removes the source. */
  [Symbol.dispose](): void {
    this.#waiting?.abort();
    this.#lose("it has ended");
    this.#registration?.[Symbol.dispose]();
    this.#options.onRemove();
  }

  #unwatch(signal: AbortSignal): void {
    if (this.#watching !== signal) return;
    this.#watching = undefined;
    this.#feed?.end(signal.reason);
    this.#feed = undefined;
    if (this.#publisher?.onDemand) this.#publisher.ask("pause");
  }

  #lose(reason: string): void {
    const error = new RequestError("media_error", `Cannot read "${this.#name}": ${reason}`);
    this.#feed?.end(error);
    this.#publisher = this.#run = this.#feed = undefined;
  }
}

/** The frames of one run, on their way to the broadcast. */
class PublishedFeed implements LiveFeed {
  readonly streams: readonly StreamDescription[];
  readonly data: readonly DataStream[];
  #publisher: Publisher;
  #needsKeyframe: boolean;
  #waiting: TimedFrame[] = [];
  /** Why no more frames come. */
  #last: unknown;
  /** Settles when a frame is added or taken, or at the end. */
  #changed = Promise.withResolvers<void>();

  constructor(run: PublishedRun, publisher: Publisher) {
    this.streams = run.streams;
    this.data = run.data;
    this.#needsKeyframe = run.needsKeyframe;
    this.#publisher = publisher;
    this.requestKeyframe();
  }

  /** Whether it takes no more frames. */
  get isOver(): boolean {
    return this.#last !== undefined;
  }

  requestKeyframe(): void {
    if (this.#needsKeyframe) this.#publisher.ask("keyframe");
  }

  async push(frame: TimedFrame): Promise<void> {
    if (this.#last !== undefined) return this.recycle(frame);
    this.#waiting.push(frame);
    this.#notify();
    // Nobody may ever take what waits in a run that has ended.
    while (this.#last === undefined && this.#waiting.length > MAX_WAITING) {
      await this.#changed.promise;
    }
  }

  async next(): Promise<TimedFrame> {
    while (true) {
      const frame = this.#waiting.shift();
      if (frame !== undefined) {
        this.#notify();
        return frame;
      }
      if (this.#last !== undefined) throw this.#last;
      await this.#changed.promise;
    }
  }

  recycle(frame: Frame): void {
    this.#publisher.recycle(frame);
  }

  /** Ends it after the frames that wait. */
  end(reason: unknown): void {
    this.#last ??= reason;
    this.#notify();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.end(new Error("The feed is closed"));
    for (const frame of this.#waiting.splice(0)) this.recycle(frame);
    this.#notify();
    return Promise.resolve();
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
