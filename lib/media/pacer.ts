import { abortable } from "../base/async.ts";
import { type Clock, MONOTONIC_CLOCK } from "../base/clock.ts";

/** Milliseconds of the longest timer; a longer one would fire at once. */
export const LONGEST_SLEEP = 2 ** 31 - 1;

/**
 * Milliseconds by which frames are let through early, at most, because the machine has so much to do
 * that waits end late.
 */
const MOST_LAG = 50;

/** Options of {@linkcode Pacer}. */
export interface PacerOptions {
  /** Playback speed, 1 for real time; 0 never waits. */
  speed: number;
  clock?: Clock;
}

/**
 * Schedules frames on a monotonic clock. Every frame is due at its distance from the first one, so
 * that the lateness of one frame does not add to the next and the stream does not drift.
 */
export class Pacer {
  #clock: Clock;
  /** Playback speed, 1 for real time; 0 never waits. */
  readonly speed: number;
  /** Clock time, in milliseconds, at which second 0 of the media is due. */
  #origin: number | undefined;
  /** Milliseconds by which the last wait ended late, up to {@linkcode MOST_LAG}. */
  #lag = 0;
  /** Milliseconds of all pauses that are over. */
  #pauses = 0;
  #paused: { at: number; resumed: PromiseWithResolvers<void> } | undefined;

  constructor({ speed, clock = MONOTONIC_CLOCK }: PacerOptions) {
    this.speed = speed;
    this.#clock = clock;
  }

  /**
   * Waits until a frame is due, and while paused. The first frame is due at once.
   *
   * @param time seconds, from the frame's timestamp
   * @throws the signal's reason if it aborts
   */
  async waitFor(time: number, signal: AbortSignal): Promise<void> {
    while (true) {
      if (this.#paused !== undefined) await this.running(signal);
      else signal.throwIfAborted();
      const wait = this.#dueIn(time);
      if (wait <= 0) return;
      await this.#clock.sleep(Math.min(wait, LONGEST_SLEEP), signal);
      // The time of a pause is not the machine's.
      if (this.#paused === undefined) this.#lag = Math.min(MOST_LAG, -this.#dueIn(time));
    }
  }

  /**
   * Waits while paused.
   *
   * @throws the signal's reason if it aborts
   */
  async running(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (this.#paused !== undefined) {
      await abortable(this.#paused.resumed.promise, signal);
      signal.throwIfAborted();
    }
  }

  /**
   * Whether a frame is due, or will be so soon that it may as well be sent now. The first frame is.
   * On a busy machine that is sooner: fewer waits and writes for the same frames let it catch up.
   *
   * @param time seconds, from the frame's timestamp
   * @param early real seconds by which it may be sent too early
   */
  isDue(time: number, early: number): boolean {
    return this.#paused === undefined && this.#dueIn(time) <= Math.max(early * 1000, this.#lag);
  }

  get isPaused(): boolean {
    return this.#paused !== undefined;
  }

  /** Milliseconds since a fixed time, without those of pauses. */
  get playedTime(): number {
    return (this.#paused?.at ?? this.#clock.now()) - this.#pauses;
  }

  /** Milliseconds since the pause began; `undefined` unless paused. */
  get pausedFor(): number | undefined {
    return this.#paused && this.#clock.now() - this.#paused.at;
  }

  /**
   * Real seconds by which a frame is late; negative before it is due. At speed 0, and before the
   * first frame, nothing is late.
   *
   * @param time seconds, from the frame's timestamp
   */
  lateness(time: number): number {
    if (this.speed === 0 || this.#origin === undefined) return 0;
    const now = this.#paused?.at ?? this.#clock.now();
    return (now - this.#origin) / 1000 - time / this.speed;
  }

  /** Delays all following frames by real seconds. */
  postpone(seconds: number): void {
    if (this.#origin !== undefined) this.#origin += seconds * 1000;
  }

  /** Makes the next frame the first one: it is due at once. */
  restart(): void {
    this.#origin = undefined;
    this.#lag = 0;
  }

  /** Stops the media's time. No effect while paused. */
  pause(): void {
    this.#paused ??= { at: this.#clock.now(), resumed: Promise.withResolvers() };
  }

  /** Continues the media's time. No effect unless paused. */
  resume(): void {
    if (this.#paused === undefined) return;
    const { at, resumed } = this.#paused;
    const duration = this.#clock.now() - at;
    this.#pauses += duration;
    if (this.#origin !== undefined) this.#origin += duration;
    this.#paused = undefined;
    resumed.resolve();
  }

  /** Milliseconds until a frame is due. */
  #dueIn(time: number): number {
    if (this.speed === 0) return 0;
    const offset = time * 1000 / this.speed;
    this.#origin ??= this.#clock.now() - offset;
    return this.#origin + offset - this.#clock.now();
  }
}

/** A frame with the time at which it is due: the earliest timestamp yet to be shown. */
export interface Due<T> {
  item: T;
  /** Seconds; never decreases. */
  due: number;
}

/**
 * Computes when frames in decoding order are due: at the earliest timestamp yet to be shown, as NUT
 * does (specification, "dts"). Times before 0 become 0.
 *
 * The first `delay` frames are held back, since the time at which the first is due depends on them.
 */
export class DecodeOrder<T> {
  #delay: number;
  /** Frames held back at the beginning. */
  #held: T[] = [];
  /** Timestamps yet to be shown, seconds, in ascending order; at most `delay` + 1. */
  #times: number[] = [];
  #last = 0;
  #started = false;

  /** @param delay most frames by which decoding and presentation order differ */
  constructor(delay: number) {
    this.#delay = delay;
  }

  /**
   * Takes the next frame in decoding order.
   *
   * @param time timestamp, seconds
   * @returns the frames of which it is now known when they are due, in decoding order
   */
  add(item: T, time: number): Due<T>[] {
    this.#held.push(item);
    // In place, since this is run for each frame of each viewer.
    let at = this.#times.push(time) - 1;
    for (; at > 0 && this.#times[at - 1] > time; at--) this.#times[at] = this.#times[at - 1];
    this.#times[at] = time;
    return this.#times.length > this.#delay ? this.#release() : [];
  }

  /** Returns the frames that are still held back at the end. */
  end(): Due<T>[] {
    return this.#started ? [] : this.#release();
  }

  #release(): Due<T>[] {
    // The frames held back at the beginning are all due at their earliest time.
    const earliest = this.#started ? this.#times.shift() : this.#times[0];
    if (!this.#started && this.#times.length > this.#delay) this.#times.shift();
    this.#started = true;
    this.#last = Math.max(this.#last, earliest ?? 0);
    const due = this.#last;
    const released = this.#held.map((item) => ({ item, due }));
    this.#held.length = 0;
    return released;
  }
}
