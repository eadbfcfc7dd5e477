import { abortable, deadline } from "../../../lib/base/async.ts";
import type { Clock } from "../../../lib/base/clock.ts";
import { PATIENCE } from "./patience.ts";

/** Settings of a {@linkcode HandClock}. */
export interface HandClockOptions {
  /** Each sleep ends at once, and its time passes. @default false */
  skips?: boolean;
  /** Milliseconds at the start. @default 0 */
  time?: number;
}

/** A clock that stands still until a test lets time pass. */
export class HandClock implements Clock {
  /** Milliseconds. */
  time: number;
  /** Milliseconds of each sleep so far. */
  readonly waits: number[] = [];
  #skips: boolean;
  #sleepers = new Set<{ until: number; wake: () => void }>();
  #news = Promise.withResolvers<void>();

  constructor({ skips = false, time = 0 }: HandClockOptions = {}) {
    this.#skips = skips;
    this.time = time;
  }

  now(): number {
    return this.time;
  }

  async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.waits.push(milliseconds);
    if (this.#skips) return this.pass(milliseconds);
    const { promise, resolve } = Promise.withResolvers<void>();
    const sleeper = { until: this.time + milliseconds, wake: resolve };
    this.#sleepers.add(sleeper);
    this.#news.resolve();
    this.#news = Promise.withResolvers();
    try {
      await abortable(promise, signal);
    } finally {
      this.#sleepers.delete(sleeper);
    }
  }

  /**
   * Waits until at least one caller sleeps.
   *
   * @returns the times at which they wake, milliseconds
   */
  async asleep(): Promise<number[]> {
    const missed = Promise.withResolvers<never>();
    using _limit = deadline(PATIENCE, () => missed.reject(new Error("Nobody waits for the clock")));
    while (this.#sleepers.size === 0) await Promise.race([this.#news.promise, missed.promise]);
    return [...this.#sleepers].map(({ until }) => until);
  }

  /** Milliseconds until the next sleeper wakes; `Infinity` when nobody sleeps. */
  get next(): number {
    return Math.min(...[...this.#sleepers].map(({ until }) => until)) - this.time;
  }

  /**
   * Waits until at least one caller sleeps, and moves the time to where the first one wakes.
   *
   * @returns milliseconds that pass
   */
  async passToNext(): Promise<number> {
    const wakes = Math.min(...await this.asleep());
    const passed = wakes - this.time;
    this.pass(passed);
    return passed;
  }

  /** Moves the time forward and wakes the callers whose time has come. */
  pass(milliseconds: number): void {
    this.time += milliseconds;
    for (const sleeper of this.#sleepers) {
      if (sleeper.until > this.time) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }
}
