/** Monotonic time; injected, so that tests need not wait. */
export interface Clock {
  /** Milliseconds since a fixed time; never goes back. */
  now(): number;
  /** @throws the signal's reason if it aborts first */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** The system's monotonic clock. */
export const MONOTONIC_CLOCK: Clock = {
  now: () => performance.now(),
  // As few objects as it takes: each viewer sleeps dozens of times a second.
  sleep: (milliseconds, signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      const timer = setTimeout(() => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      }, milliseconds);
      signal.addEventListener("abort", onAbort, { once: true });
    }),
};

/**
 * The time of day, to compare times on different machines. It jumps when the clock is set; use
 * `performance.now()` to measure durations.
 *
 * @returns microseconds since 1970, as precise as the system's clock
 */
export function wallClock(): number {
  return Number(Temporal.Now.instant().epochNanoseconds / 1000n);
}
