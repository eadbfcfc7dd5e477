import { createHash, timingSafeEqual } from "node:crypto";
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { RequestError } from "../../base/errors.ts";
import { networkOf } from "../../net/address.ts";
import type { Secret } from "../../net/secret.ts";

/** What {@linkcode Access.admit} has to know of a peer. */
export interface Visitor {
  /** IP address. */
  address: string;
  /** Fires when the peer need not be answered any more. */
  signal: AbortSignal;
}

/** Lets in who has the token. Where there is none, everybody may enter. */
export class Access {
  /** Of the token: it has the same length whatever the token's is. */
  #digest: Uint8Array | undefined;
  #throttle: Throttle;

  constructor(token?: Secret, clock?: Clock) {
    this.#throttle = new Throttle(clock);
    this.expect(token);
  }

  /** Whether a token is needed. */
  get isGuarded(): boolean {
    return this.#digest !== undefined;
  }

  /** Names the token that is right from now on. */
  expect(token: Secret | undefined): void {
    this.#digest = token === undefined ? undefined : digestOf(token.reveal());
  }

  /**
   * Looks at the token of a request, wrong ones more and more slowly.
   *
   * @throws {RequestError} `unauthorized` where it is not the right one
   */
  async admit(token: string | undefined, { address, signal }: Visitor): Promise<void> {
    if (!this.isGuarded) return;
    if (token === undefined) {
      throw new RequestError("unauthorized", "Cannot serve without a token: this server needs one");
    }
    const given = digestOf(token);
    const isRight = () => this.#digest === undefined || timingSafeEqual(given, this.#digest);
    if (await this.#throttle.judge(address, isRight, { signal })) return;
    throw new RequestError("unauthorized", "Cannot serve with that token: it is not the right one");
  }
}

function digestOf(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}

/** Milliseconds that the first wrong answer takes; each further one takes twice as long. */
const FIRST_DELAY = 250;

/** Milliseconds that one takes at the most. */
const LONGEST_DELAY = 8_000;

/** Milliseconds after which an address that tries no more has never tried. */
const MEMORY = 10 * 60_000;

/** Addresses that are remembered; the one that tried longest ago makes room for the next. */
const MAX_ADDRESSES = 4096;

/** Attempts that may wait for their turn: of one address, and of all. */
const MAX_WAITING = { each: 4, all: 64 };

/** What is known of an address from which something wrong came. */
interface Record {
  failures: number;
  /** Clock time of the last wrong one. */
  since: number;
  /** Clock time at which the next attempt may be looked at. */
  free: number;
  /** Settled when the attempt that came last is over, or given up. */
  turn: Promise<void>;
  waiting: number;
}

/** Slows those down who guess, each address by itself. Where nothing was wrong, nobody waits. */
export class Throttle {
  #clock: Clock;
  /** The one that tried longest ago comes first. */
  #records = new Map<string, Record>();
  #waiting = 0;

  constructor(clock: Clock = MONOTONIC_CLOCK) {
    this.#clock = clock;
  }

  /** Addresses that are remembered. */
  get size(): number {
    return this.#records.size;
  }

  /**
   * Looks at an attempt when its turn has come: those of one address, once it had one wrong, follow
   * each other, so that no answer tells anything sooner because many ask at once.
   *
   * @returns what `isRight` says; where that is no, after the delay
   * @throws {RequestError} `busy` where too many wait
   * @throws the signal's reason when that fires
   */
  async judge(
    address: string,
    isRight: () => boolean,
    { signal }: { signal: AbortSignal },
  ): Promise<boolean> {
    const key = networkOf(address);
    const known = this.#recall(key);
    let found = known === undefined ? isRight() : undefined;
    if (found) return true;
    const record = known ?? this.#remember(key);
    if (record.waiting >= MAX_WAITING.each || this.#waiting >= MAX_WAITING.all) {
      throw new RequestError("busy", "Cannot serve now: too many wait for a look at their token");
    }
    const before = record.turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    record.turn = promise;
    record.waiting++;
    this.#waiting++;
    try {
      await orAborted(before, signal);
      await this.#sleepUntil(record.free, signal);
      found ??= isRight();
      if (found) return true;
      this.#punish(key, record);
      await this.#sleepUntil(record.free, signal);
      return false;
    } finally {
      record.waiting--;
      this.#waiting--;
      // Who leaves before the turn has come does not bring it forward for those behind.
      before.then(resolve);
    }
  }

  /** Whoever leaves meanwhile does not shorten the delay for those that follow. */
  #punish(key: string, record: Record): void {
    record.since = this.#clock.now();
    record.free = record.since + Math.min(FIRST_DELAY * 2 ** record.failures++, LONGEST_DELAY);
    this.#records.delete(key);
    this.#records.set(key, record);
  }

  async #sleepUntil(moment: number, signal: AbortSignal): Promise<void> {
    const wait = moment - this.#clock.now();
    if (wait > 0) await this.#clock.sleep(wait, signal);
  }

  #recall(key: string): Record | undefined {
    const record = this.#records.get(key);
    if (record === undefined) return undefined;
    if (record.waiting > 0 || this.#clock.now() - record.since < MEMORY) return record;
    this.#records.delete(key);
    return undefined;
  }

  #remember(key: string): Record {
    const now = this.#clock.now();
    const record = { failures: 0, since: now, free: now, turn: Promise.resolve(), waiting: 0 };
    this.#records.set(key, record);
    if (this.#records.size > MAX_ADDRESSES) {
      const oldest = this.#records.keys().next().value;
      if (oldest !== undefined) this.#records.delete(oldest);
    }
    return record;
  }
}

/** Waits, but not beyond the signal. */
async function orAborted(wait: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const stop = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", stop);
  try {
    await Promise.race([wait, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
