/**
 * Runs an action once when a signal aborts, at once if it already has.
 *
 * @returns removes the listener when disposed
 *
 * @example
 * ```ts
 * import { onAbort } from "./async.ts";
 *
 * const controller = new AbortController();
 * using _listener = onAbort(controller.signal, () => console.log("stopped"));
 * ```
 */
export function onAbort(signal: AbortSignal, action: () => void): Disposable {
  if (signal.aborted) action();
  else signal.addEventListener("abort", action, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", action) };
}

/**
 * Waits for a promise, or until a signal aborts.
 *
 * @throws the signal's reason if it aborts first; the promise's own failure is then ignored
 */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  using _listener = onAbort(signal, () => aborted.reject(signal.reason));
  return await Promise.race([promise, aborted.promise]);
}

/**
 * Calls `onExpiry` once, `milliseconds` from now, unless disposed before.
 *
 * @example
 * ```ts
 * import { deadline } from "./async.ts";
 *
 * const controller = new AbortController();
 * using _limit = deadline(10_000, () => controller.abort());
 * ```
 */
export function deadline(milliseconds: number, onExpiry: () => void): Disposable {
  const timer = setTimeout(onExpiry, milliseconds);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/**
 * Waits for a promise, but no longer than `milliseconds`.
 *
 * @returns false if the time is over first; the promise's own failure is then ignored
 */
export async function settlesWithin(
  promise: Promise<unknown>,
  milliseconds: number,
): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>();
  using _limit = deadline(milliseconds, () => resolve(false));
  return await Promise.race([promise.then(() => true), late]);
}

/** Lets a bounded number of things happen at once; others wait in their order. */
export class Semaphore {
  #free: number;
  #waiting: (() => void)[] = [];

  /** @param count that may happen at once */
  constructor(count: number) {
    this.#free = count;
  }

  /**
   * Does something in its turn.
   *
   * @throws the signal's reason where it fires before the turn comes, or whatever the action throws
   */
  async take<T>(action: () => Promise<T>, { signal }: { signal: AbortSignal }): Promise<T> {
    await this.#turn(signal);
    try {
      return await action();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    try {
      await abortable(promise, signal);
    } catch (error) {
      this.#waiting = this.#waiting.filter((waiting) => waiting !== resolve);
      throw error;
    }
  }
}

/** Milliseconds before the first try again, and the most there ever are. */
const FIRST = 1000;
const LONGEST = 30_000;

/** Part of a wait that is left to chance, so that many who failed together do not return so. */
const JITTER = 0.25;

/** How long to wait before trying again what failed: doubled each time, up to half a minute. */
export class Backoff {
  #random: () => number;
  #wait = FIRST;

  /** @param random gives numbers from 0 up to 1, as `Math.random` does */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /**
   * Milliseconds to wait before the next try: 1 s, 2 s, 4 s … 30 s, each up to a quarter longer or
   * shorter, but never below 1 s nor above 30 s.
   */
  next(): number {
    const wait = this.#wait * (1 + JITTER * (2 * this.#random() - 1));
    this.#wait = Math.min(this.#wait * 2, LONGEST);
    return Math.round(Math.min(Math.max(wait, FIRST), LONGEST));
  }

  /** Begins anew, after all went well for a while. */
  reset(): void {
    this.#wait = FIRST;
  }
}

/**
 * Calls a source a bounded number of items ahead of whoever takes them, so that reading the next
 * overlaps with using this one. Calls never overlap each other.
 */
export class ReadAhead<T> {
  #next: () => Promise<T | undefined>;
  #slots: Promise<T | undefined>[] = [];
  #last: Promise<T | undefined> | undefined;
  #depth: number;

  /**
   * @param next gives the next item, `undefined` at the end
   * @param depth items asked for beyond the one taken
   */
  constructor(next: () => Promise<T | undefined>, depth: number) {
    this.#next = next;
    this.#depth = depth;
  }

  /**
   * Takes the next item.
   *
   * @returns `undefined` at the end, and ever after
   * @throws whatever the source threw, and ever after
   */
  take(): Promise<T | undefined> {
    while (this.#slots.length <= this.#depth) this.#ask();
    return this.#slots.shift()!;
  }

  #ask(): void {
    const slot = this.#last === undefined
      ? this.#next()
      : this.#last.then((item) => item === undefined ? undefined : this.#next());
    // A failure that nobody takes any more is no news to anybody.
    slot.catch(() => {});
    this.#last = slot;
    this.#slots.push(slot);
  }
}
