import { createHash, timingSafeEqual } from "node:crypto";
import { abortable } from "../../base/async.ts";
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { RequestError } from "../../base/errors.ts";
import { networkOf } from "../../net/address.ts";
import type { Secret } from "../../net/token.ts";

/** What {@linkcode Access.admit} has to know of a peer. */
export interface AuthenticateOptions {
  /** IP address. */
  address: string;
  /** Fires when the peer need not be answered any more. */
  signal: AbortSignal;
}

/** Lets in who has the token. Where there is none, everybody may enter. */
export class Authenticator {
  /** Of the token: it has the same length whatever the token's is. */
  #digest: Uint8Array | undefined;
  #throttle: Throttle;

  constructor(token?: Secret, clock?: Clock) {
    this.#throttle = new Throttle(clock);
    this.setToken(token);
  }

  /** Whether a token is needed. */
  get isRequired(): boolean {
    return this.#digest !== undefined;
  }

  /** Names the token that is right from now on. */
  setToken(token: Secret | undefined): void {
    this.#digest = token === undefined ? undefined : digestOf(token.reveal());
  }

  /**
   * Looks at the token of a request, wrong ones more and more slowly.
   *
   * @throws {RequestError} `unauthorized` where it is not the right one
   */
  async authenticate(
    token: string | undefined,
    { address, signal }: AuthenticateOptions,
  ): Promise<void> {
    if (!this.isRequired) return;
    if (token === undefined) {
      throw new RequestError("unauthorized", "Cannot serve without a token: this server needs one");
    }
    const given = digestOf(token);
    const isRight = () => this.#digest === undefined || timingSafeEqual(given, this.#digest);
    if (await this.#throttle.attempt(address, isRight, { signal })) return;
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
const FORGET_AFTER = 10 * 60_000;

/** Addresses that are remembered; the one that tried longest ago makes room for the next. */
const MAX_ADDRESSES = 4096;

/** Attempts that may wait for their turn: of one address, and of all. */
const MAX_WAITING = { each: 4, all: 64 };

/** What is known of an address from which something wrong came. */
interface PeerRecord {
  failures: number;
  /** Clock time of the last wrong one. */
  failedAt: number;
  /** Clock time at which the next attempt may be looked at. */
  nextAllowed: number;
  /** Settled when the attempt that came last is over, or given up. */
  turn: Promise<void>;
  waiting: number;
}

/** Slows those down who guess, each address by itself. Where nothing was wrong, nobody waits. */
export class Throttle {
  #clock: Clock;
  /** The one that tried longest ago comes first. */
  #records = new Map<string, PeerRecord>();
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
  async attempt(
    address: string,
    isRight: () => boolean,
    { signal }: { signal: AbortSignal },
  ): Promise<boolean> {
    const key = networkOf(address);
    const known = this.#findRecord(key);
    let found = known === undefined ? isRight() : undefined;
    if (found) return true;
    const record = known ?? this.#addRecord(key);
    if (record.waiting >= MAX_WAITING.each || this.#waiting >= MAX_WAITING.all) {
      throw new RequestError("busy", "Cannot serve now: too many wait for a look at their token");
    }
    const before = record.turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    record.turn = promise;
    record.waiting++;
    this.#waiting++;
    try {
      await abortable(before, signal);
      await this.#sleepUntil(record.nextAllowed, signal);
      found ??= isRight();
      if (found) return true;
      this.#delayNext(key, record);
      await this.#sleepUntil(record.nextAllowed, signal);
      return false;
    } finally {
      record.waiting--;
      this.#waiting--;
      // Who leaves before the turn has come does not bring it forward for those behind.
      before.then(resolve);
    }
  }

  /** Whoever leaves meanwhile does not shorten the delay for those that follow. */
  #delayNext(key: string, record: PeerRecord): void {
    record.failedAt = this.#clock.now();
    record.nextAllowed = record.failedAt +
      Math.min(FIRST_DELAY * 2 ** record.failures++, LONGEST_DELAY);
    this.#records.delete(key);
    this.#records.set(key, record);
  }

  async #sleepUntil(time: number, signal: AbortSignal): Promise<void> {
    const wait = time - this.#clock.now();
    if (wait > 0) await this.#clock.sleep(wait, signal);
  }

  #findRecord(key: string): PeerRecord | undefined {
    const record = this.#records.get(key);
    if (record === undefined) return undefined;
    if (record.waiting > 0 || this.#clock.now() - record.failedAt < FORGET_AFTER) return record;
    this.#records.delete(key);
    return undefined;
  }

  #addRecord(key: string): PeerRecord {
    const now = this.#clock.now();
    const record = {
      failures: 0,
      failedAt: now,
      nextAllowed: now,
      turn: Promise.resolve(),
      waiting: 0,
    };
    this.#records.set(key, record);
    if (this.#records.size > MAX_ADDRESSES) {
      const oldest = this.#records.keys().next().value;
      if (oldest !== undefined) this.#records.delete(oldest);
    }
    return record;
  }
}
