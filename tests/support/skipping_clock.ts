import type { Clock } from "../../lib/base/clock.ts";

/** A clock on which every wait is over at once, and has taken its time. */
export class SkippingClock implements Clock {
  /** Milliseconds of each wait. */
  readonly waits: number[] = [];
  #now = 0;

  now(): number {
    return this.#now;
  }

  sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    this.waits.push(milliseconds);
    this.pass(milliseconds);
    return Promise.resolve();
  }

  /** Lets time pass. */
  pass(milliseconds: number): void {
    this.#now += milliseconds;
  }
}
