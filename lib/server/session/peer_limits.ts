/** Limits of one peer: the time for its request, and the rate at which it makes the server work. */
import { deadline } from "../../base/async.ts";
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";

/** Limits on the work that a peer may cause. */
export interface RateLimits {
  /** Messages a second. */
  messages: number;
  /** Bytes a second. */
  bytes: number;
  /** Milliseconds of the rate that may be used at once. */
  burst: number;
}

/** Limits of a peer whose token was accepted, or needs none: more than honest peers send. */
export const PEER_LIMITS: RateLimits = { messages: 2000, bytes: 2e6, burst: 100 };

/** Limits of a peer until its token is accepted. The longest request is read at once. */
export const STRANGER_LIMITS: RateLimits = { messages: 20, bytes: 64 * 1024, burst: 1000 };

/** Work that a peer causes once. */
export interface Work {
  /** @default 1 */
  messages?: number;
  /** @default 0 */
  bytes?: number;
}

/** Measures the work for a peer, which is not read while it is ahead of its limits. */
export class PeerRate {
  limits: RateLimits;
  #clock: Clock;
  /** Clock time up to which the work so far uses the rate. */
  #usedUntil = -Infinity;

  constructor(limits: RateLimits, clock: Clock = MONOTONIC_CLOCK) {
    this.limits = limits;
    this.#clock = clock;
  }

  /** Counts work that is done for the peer. */
  count({ messages = 1, bytes = 0 }: Work = {}): void {
    const { limits } = this;
    const seconds = Math.max(messages / limits.messages, bytes / limits.bytes);
    const earliest = this.#clock.now() - limits.burst;
    this.#usedUntil = Math.max(this.#usedUntil, earliest) + seconds * 1000;
  }

  /**
   * Waits until the peer may be read again.
   *
   * @param options milliseconds to wait at least and at most
   * @returns `undefined` if there is nothing to wait for
   */
  pause(
    signal: AbortSignal,
    { min = 0, max = Infinity }: { min?: number; max?: number } = {},
  ): Promise<void> | undefined {
    const wait = Math.min(max, Math.max(min, this.#usedUntil - this.#clock.now()));
    return wait >= 1 ? this.#clock.sleep(wait, signal) : undefined;
  }
}

/**
 * The time for a request to arrive: from when the server begins to wait for its first byte, with the
 * TLS handshake before it, until it is complete.
 */
export class RequestTimeout implements Disposable {
  /** Called when the time is over. */
  onExpiry: () => void;
  readonly #milliseconds: number;
  #limit: Disposable | undefined;

  constructor(milliseconds: number, onExpiry: () => void) {
    this.#milliseconds = milliseconds;
    this.onExpiry = onExpiry;
  }

  /** Begins to wait, unless that has begun. */
  start(): void {
    this.#limit ??= deadline(this.#milliseconds, () => this.onExpiry());
  }

  /** Ends the wait, since the request is there. */
  end(): void {
    this.#limit?.[Symbol.dispose]();
    this.#limit = undefined;
  }

  [Symbol.dispose](): void {
    this.end();
  }
}
