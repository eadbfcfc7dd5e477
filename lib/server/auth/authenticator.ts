/** Checks tokens, and slows down guessing. */
import { abortable } from "../../base/async.ts";
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { RequestError } from "../../base/errors.ts";
import { networkOf } from "../../net/address.ts";
import type { Secret } from "../../net/secret.ts";

/** Options of {@linkcode Authenticator.authenticate}. */
export interface AuthenticateOptions {
  address: string;
  /** Ends the wait, because the peer has left or the server stops. */
  signal: AbortSignal;
}

/** Checks the tokens of requests. Without a token of its own, it accepts every request. */
export class Authenticator {
  /** SHA-256 of the token, so that comparing takes the same time for tokens of any length. */
  #digest: Uint8Array | undefined;
  #throttle: Throttle;

  constructor(clock?: Clock) {
    this.#throttle = new Throttle(clock);
  }

  get isRequired(): boolean {
    return this.#digest !== undefined;
  }

  /** Stands for the current token: another object after another token was set. */
  get current(): unknown {
    return this.#digest;
  }

  /** Replaces the token; requests are checked against the earlier one until the result resolves. */
  async setToken(token: Secret | undefined): Promise<void> {
    const digest = token === undefined ? undefined : await digestOf(token.reveal());
    const isSame = digest !== undefined && this.#digest !== undefined &&
      areEqual(digest, this.#digest);
    if (!isSame) this.#digest = digest;
  }

  /**
   * Checks the token of a request. Failures are delayed, see {@linkcode Throttle}.
   *
   * @throws {RequestError} `unauthorized` if the token is missing or wrong
   */
  async authenticate(
    token: string | undefined,
    { address, signal }: AuthenticateOptions,
  ): Promise<void> {
    if (!this.isRequired) return;
    if (token === undefined) {
      throw new RequestError("unauthorized", "Cannot serve without a token: this server needs one");
    }
    const given = await digestOf(token);
    const isRight = () => this.#digest === undefined || areEqual(given, this.#digest);
    if (await this.#throttle.attempt(address, isRight, { signal })) return;
    throw new RequestError("unauthorized", "Cannot serve with that token: it is not the right one");
  }
}

async function digestOf(token: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token)));
}

/** Compares two digests; the time does not depend on their bytes. */
function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  let difference = one.byteLength ^ other.byteLength;
  one.forEach((byte, at) => difference |= byte ^ other[at]);
  return difference === 0;
}

/**
 * Milliseconds by which the first failure of a network is delayed; doubled for each further one.
 */
const FIRST_DELAY = 250;

/** Longest delay, milliseconds. */
const LONGEST_DELAY = 8_000;

/** Milliseconds after its last failure until a network is forgotten. */
const FORGET_AFTER = 10 * 60_000;

/** Networks remembered at most; the one that failed longest ago is forgotten first. */
const MAX_NETWORKS = 4096;

/** Attempts that may wait, for one network and in total; further ones get a busy error. */
const MAX_WAITING = { each: 4, all: 64 };

/** State of a network that has failed. */
interface NetworkRecord {
  failures: number;
  /** Clock time of the last failure. */
  failedAt: number;
  /** Clock time at which the next attempt may be checked. */
  nextAllowed: number;
  /** Settles when the last attempt in the queue is over. */
  turn: Promise<void>;
  waiting: number;
}

/** Throttles failed token attempts per network. Networks without failures are never delayed. */
export class Throttle {
  #clock: Clock;
  /** By network; the one that failed longest ago comes first. */
  #records = new Map<string, NetworkRecord>();
  #waiting = 0;

  constructor(clock: Clock = MONOTONIC_CLOCK) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#records.size;
  }

  /**
   * Checks an attempt. Attempts of a network that has failed are checked one after the other, so
   * that parallel requests gain nothing.
   *
   * @returns the result of `isRight`; a failure only after the delay
   * @throws {RequestError} `busy` if too many attempts wait
   * @throws the signal's reason if it aborts first
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
      signal.throwIfAborted();
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
      // An aborted attempt does not move those behind it forward.
      before.then(resolve);
    }
  }

  /** Delays the next attempt of a network. The delay stands even if the peer leaves. */
  #delayNext(key: string, record: NetworkRecord): void {
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

  #findRecord(key: string): NetworkRecord | undefined {
    const record = this.#records.get(key);
    if (record === undefined) return undefined;
    if (record.waiting > 0 || this.#clock.now() - record.failedAt < FORGET_AFTER) return record;
    this.#records.delete(key);
    return undefined;
  }

  #addRecord(key: string): NetworkRecord {
    const now = this.#clock.now();
    const record = {
      failures: 0,
      failedAt: now,
      nextAllowed: now,
      turn: Promise.resolve(),
      waiting: 0,
    };
    this.#records.set(key, record);
    if (this.#records.size > MAX_NETWORKS) {
      const oldest = this.#records.keys().next().value;
      if (oldest !== undefined) this.#records.delete(oldest);
    }
    return record;
  }
}
