/** Retries with growing pauses, and their messages to the user. */
import { Backoff } from "../../base/async.ts";
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { messageOf, RequestError } from "../../base/errors.ts";
import { ConnectError, CutError, isTransient } from "../../net/errors.ts";
import type { Observation } from "../../net/observer.ts";

/** Retries in a row, unless the user sets another number. */
const DEFAULT_RETRIES = 5;

/** Limits on retries in a row; `Infinity` for none. */
export interface RetryLimits {
  /** Before anything was received. */
  first: number;
  /** After that. */
  later: number;
}

/** Every failure is final. */
export const NO_RETRIES: RetryLimits = { first: 0, later: 0 };

/**
 * The limits that `--retries` sets. By default the first connection is not retried, so that a wrong
 * address is reported at once.
 */
export function limitsOf({ retries }: { retries?: number }): RetryLimits {
  return { first: retries ?? 0, later: retries ?? DEFAULT_RETRIES };
}

/** Options of {@linkcode Retries}. */
export interface RetriesOptions {
  limits: RetryLimits;
  /** Called with a line for the user. */
  notify: (line: string) => void;
  /** Each attempt waits for the peer, so that there is no pause before it. @default false */
  waits?: boolean;
  clock?: Clock;
  /** Sees the retries. */
  observe?: Observation;
  /** Gives numbers from 0 up to 1. @default Math.random */
  random?: () => number;
}

/** A failed attempt. */
export interface Failure {
  error: unknown;
  /** The line for the user. @default the error's message */
  message?: string;
  /** Something was received, in this attempt or an earlier one. */
  hasReceived: boolean;
  /** Retry, even if {@linkcode isTransient} says otherwise. @default false */
  transient?: boolean;
}

/** Retries failed attempts, with a growing wait before each. */
export class Retries {
  #options: RetriesOptions;
  #clock: Clock;
  #backoff: Backoff;
  #count = 0;

  constructor(options: RetriesOptions) {
    this.#options = options;
    this.#clock = options.clock ?? MONOTONIC_CLOCK;
    this.#backoff = new Backoff(options.random);
  }

  /**
   * Waits until the next attempt is due.
   *
   * @throws the failure, if it is permanent or the limit is reached; the signal's reason if that
   * aborts
   */
  async wait(
    { error, message, hasReceived, transient }: Failure,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    if (!transient && !isTransient(error)) throw error;
    const { limits, notify, observe, waits = false } = this.#options;
    const limit = hasReceived ? limits.later : limits.first;
    const reason = hasReceived && error instanceof ConnectError ? error.brief : messageOf(error);
    if (this.#count >= limit) {
      throw this.#count > 0 ? withCount(error, { reason, count: this.#count }) : error;
    }
    this.#count++;
    const count = limit === Infinity ? "" : ` (${this.#count} of ${limit})`;
    if (waits) {
      observe?.retry(`when it comes back${count}`);
      return notify(`${message ?? reason}; waiting for it to come back${count}`);
    }
    const wait = this.#backoff.next();
    const seconds = Math.max(1, Math.round(wait / 1000));
    observe?.retry(`in ${(wait / 1000).toFixed(1)} s${count}`);
    notify(`${message ?? reason}; trying again in ${seconds} s${count}`);
    await this.#clock.sleep(wait, signal);
  }

  /** Resets the count of retries; called when something was received. */
  reset(): void {
    this.#count = 0;
    this.#backoff.reset();
  }

  /** Repeats an action until it succeeds. Throws as {@linkcode Retries.wait} does. */
  async persist<Result>(action: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    while (true) {
      try {
        return await action();
      } catch (error) {
        await this.wait({ error, hasReceived: false }, signal);
      }
    }
  }
}

/** An error of the same class whose message says how often it was retried. */
function withCount(error: unknown, { reason, count }: { reason: string; count: number }): Error {
  const message = `${reason}; tried again ${count === 1 ? "once" : `${count} times`}`;
  if (error instanceof RequestError) {
    return new RequestError(error.code, message, { cause: error });
  }
  const Kind = [CutError, ConnectError].find((kind) => error instanceof kind) ?? Error;
  return new Kind(message, { cause: error });
}
