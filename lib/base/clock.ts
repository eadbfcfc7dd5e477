import { abortable } from "./async.ts";

/** Time that goes on evenly; passed in, so that tests need not wait. */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number;
  /** Waits; rejects with the signal's reason when that fires first. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** Real time. */
export const MONOTONIC_CLOCK: Clock = {
  now: () => performance.now(),
  sleep: async (milliseconds, signal) => {
    signal.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, milliseconds);
    try {
      await abortable(promise, signal);
    } finally {
      clearTimeout(timer);
    }
  },
};

/**
 * The time of day, for comparing moments on different machines. It may jump when somebody sets the
 * clock; what only measures how long something takes goes by `performance.now()`.
 *
 * @returns microseconds since 1970, as exact as the system tells
 */
export function wallClock(): number {
  return Number(Temporal.Now.instant().epochNanoseconds / 1000n);
}
