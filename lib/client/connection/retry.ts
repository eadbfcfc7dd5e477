import { Backoff } from "../../base/async.ts";
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { messageOf, RequestError } from "../../base/errors.ts";
import { ConnectError, CutError, mayPass } from "./errors.ts";

/** Tries in a row where nothing else is said. */
export const USUAL_RETRIES = 5;

/** How often something is tried again, in a row. */
export interface RetryLimits {
  /** Before anything has come. */
  first: number;
  /** After that. */
  later: number;
}

/** What {@linkcode Retries} has to know. */
export interface RetriesOptions {
  limits: RetryLimits;
  /** Told what failed, and when it is tried again. */
  tell: (line: string) => void;
  clock?: Clock;
  /** Gives numbers from 0 up to 1, as `Math.random` does. */
  random?: () => number;
}

/** What one try came to. */
export interface Failure {
  error: unknown;
  /** What the user is told; the error's own message where absent. */
  told?: string;
  /** Something had come before: in this row or an earlier one. */
  begun: boolean;
  /** It may well be over the next time, although others of its kind are not. */
  passing?: boolean;
}

/** How often, and after how long, the client tries again what failed. */
export class Retries {
  #options: RetriesOptions;
  #clock: Clock;
  #backoff: Backoff;
  #tried = 0;

  constructor(options: RetriesOptions) {
    this.#options = options;
    this.#clock = options.clock ?? MONOTONIC_CLOCK;
    this.#backoff = new Backoff(options.random);
  }

  /**
   * Waits until it is time to try again.
   *
   * @throws the failure, where it is of no use to try again, or has been tried often enough; the
   * signal's reason where that fires
   */
  async wait({ error, told, begun, passing }: Failure, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!passing && !mayPass(error)) throw error;
    const { limits, tell } = this.#options;
    const most = begun ? limits.later : limits.first;
    const message = begun && error instanceof ConnectError ? error.brief : messageOf(error);
    if (this.#tried >= most) {
      throw this.#tried > 0 ? tried(error, { message, times: this.#tried }) : error;
    }
    this.#tried++;
    const wait = this.#backoff.next();
    const seconds = Math.max(1, Math.round(wait / 1000));
    tell(`${told ?? message}; trying again in ${seconds} s (${this.#tried} of ${most})`);
    await this.#clock.sleep(wait, signal);
  }

  /** Begins to count anew, since something has come. */
  reset(): void {
    this.#tried = 0;
    this.#backoff.reset();
  }

  /** Does what may fail for a while, before anything has come, until it succeeds or may not fail. */
  async persist<Result>(action: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    while (true) {
      try {
        return await action();
      } catch (error) {
        await this.wait({ error, begun: false }, signal);
      }
    }
  }
}

/** The same failure, which says how often it was tried again. */
function tried(error: unknown, { message, times }: { message: string; times: number }): Error {
  const text = `${message}; tried again ${times === 1 ? "once" : `${times} times`}`;
  if (error instanceof RequestError) return new RequestError(error.code, text, { cause: error });
  const Kind = [CutError, ConnectError].find((kind) => error instanceof kind) ?? Error;
  return new Kind(text, { cause: error });
}
