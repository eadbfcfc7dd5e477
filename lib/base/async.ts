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

/** Limits how many actions run at once; others wait in order. */
export class Semaphore {
  #free: number;
  #waiting: (() => void)[] = [];

  /** @param count actions that may run at once */
  constructor(count: number) {
    this.#free = count;
  }

  /**
   * Runs an action as soon as a slot is free.
   *
   * @throws the signal's reason if it aborts before the action starts; the action's own errors
   */
  async take<T>(action: () => Promise<T>, { signal }: { signal: AbortSignal }): Promise<T> {
    await this.#acquire(signal);
    try {
      return await action();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  async #acquire(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    // At once, so that an action that fails by the same signal does not wake an aborted waiter.
    using _listener = onAbort(signal, () => {
      this.#waiting = this.#waiting.filter((waiting) => waiting !== resolve);
      reject(signal.reason);
    });
    await promise;
  }
}

/** Milliseconds before the first retry. */
const FIRST_DELAY = 1000;

/** Milliseconds before any later retry, at most. */
const MAX_DELAY = 30_000;

/** Random part of a delay, so that peers that failed together do not all return together. */
const JITTER = 0.25;

/** Delays between retries: exponential, with jitter. */
export class Backoff {
  #random: () => number;
  #delay = FIRST_DELAY;

  /** @param random returns numbers from 0 up to 1, as `Math.random` does */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /**
   * Milliseconds to wait before the next retry: 1 s, 2 s, 4 s … 30 s, each up to a quarter longer or
   * shorter, but never below 1 s nor above 30 s.
   */
  next(): number {
    const delay = this.#delay * (1 + JITTER * (2 * this.#random() - 1));
    this.#delay = Math.min(this.#delay * 2, MAX_DELAY);
    return Math.round(Math.min(Math.max(delay, FIRST_DELAY), MAX_DELAY));
  }

  /** Starts again with the first delay. */
  reset(): void {
    this.#delay = FIRST_DELAY;
  }
}

/**
 * Reads a bounded number of items ahead, so that reading the next item overlaps with using the
 * current one. Reads never overlap each other.
 */
export class ReadAhead<T> {
  #next: () => Promise<T | undefined>;
  #pending: Promise<T | undefined>[] = [];
  #last: Promise<T | undefined> | undefined;
  #depth: number;
  #maxDepth: number;

  /**
   * @param next reads the next item, `undefined` at the end
   * @param depth items read beyond the one taken
   * @param maxDepth items up to which the depth grows, doubled with each item that is taken, so
   * that few items are read for a reader that takes few
   */
  constructor(next: () => Promise<T | undefined>, depth: number, maxDepth = depth) {
    this.#next = next;
    this.#depth = depth;
    this.#maxDepth = maxDepth;
  }

  /**
   * Takes the next item.
   *
   * @returns `undefined` at the end, as from every later call
   * @throws the failure of a read, as from every later call
   */
  take(): Promise<T | undefined> {
    while (this.#pending.length <= this.#depth) this.#read();
    this.#depth = Math.min(2 * this.#depth, this.#maxDepth);
    return this.#pending.shift()!;
  }

  #read(): void {
    const item = this.#last === undefined
      ? this.#next()
      : this.#last.then((last) => last === undefined ? undefined : this.#next());
    // A failure is reported to the caller of take(), if there is one.
    item.catch(() => {});
    this.#last = item;
    this.#pending.push(item);
  }
}

/** Calls back everybody who has subscribed. */
export class Changes<Change extends readonly unknown[] = []> {
  #callbacks = new Set<(...change: Change) => void>();

  /** Number of subscribers. */
  get subscribers(): number {
    return this.#callbacks.size;
  }

  /** Calls back at each change, until the result is disposed. */
  subscribe(callback: (...change: Change) => void): Disposable {
    // Of its own, so that a function may subscribe twice.
    const own = (...change: Change) => callback(...change);
    this.#callbacks.add(own);
    return { [Symbol.dispose]: () => void this.#callbacks.delete(own) };
  }

  /** Reports a change. */
  notify(...change: Change): void {
    for (const callback of [...this.#callbacks]) callback(...change);
  }
}
