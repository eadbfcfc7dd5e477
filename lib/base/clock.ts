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
  sleep: (milliseconds, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stop = () => reject(signal.reason);
    const timer = setTimeout(resolve, milliseconds);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop);
    return promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    });
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
