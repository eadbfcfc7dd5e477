import type { Clock } from "../../lib/base/clock.ts";
import { deadline } from "../../lib/base/async.ts";
import { PATIENCE } from "./patience.ts";

/** A clock that stands still until a test lets time pass. */
export class HandClock implements Clock {
  /** Milliseconds. */
  time = 0;
  #sleepers = new Set<{ until: number; wake: () => void }>();
  #news = Promise.withResolvers<void>();

  now(): number {
    return this.time;
  }

  async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper = { until: this.time + milliseconds, wake: resolve };
    const stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    this.#sleepers.add(sleeper);
    this.#news.resolve();
    this.#news = Promise.withResolvers();
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", stop);
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

  /**
   * Waits until at least one caller sleeps, and moves the time to where the first one wakes.
   *
   * @returns milliseconds that pass
   */
  async passToNext(): Promise<number> {
    const wakes = Math.min(...await this.asleep());
    const passed = wakes - this.time;
    this.time = wakes;
    this.pass(0);
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
