/** The rate at which a publisher is read. */
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { RequestError } from "../../base/errors.ts";
import { PeerRate, type Work } from "./peer_limits.ts";

/** Seconds by which timestamps may be ahead of real time. */
const MAX_LEAD = 2;

/** Milliseconds from there on after which they are refused. */
const LONGEST_LEAD = 60_000;

/** Limits of a publisher: messages are frames. */
const LIMITS = { messages: 2000, bytes: 2e9, burst: 100 };

/** Milliseconds that a frame is held back at most, so that pings are read. */
const LONGEST_WAIT = 1000;

/** Holds a publisher back that sends faster than in real time, or more than a server can carry. */
export class PublishRate {
  #clock: Clock;
  /** Clock time and timestamp of the first frame: milliseconds, seconds. */
  #first: { at: number; due: number } | undefined;
  #rate: PeerRate;

  constructor(clock: Clock = MONOTONIC_CLOCK) {
    this.#clock = clock;
    this.#rate = new PeerRate(LIMITS, clock);
  }

  /** Begins with other timestamps. */
  restart(): void {
    this.#first = undefined;
  }

  /**
   * Waits until a frame may be passed on.
   *
   * @param bytes of its data
   * @param due seconds, from its timestamp
   * @throws {RequestError} `bad_request` for a timestamp that is far ahead of real time
   */
  async wait(bytes: number, due: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    this.#first ??= { at: now, due };
    const lead = (due - this.#first.due) * 1000 - (now - this.#first.at) - MAX_LEAD * 1000;
    if (lead > LONGEST_LEAD) {
      const seconds = Math.round(lead / 1000);
      const message = `a timestamp is ${seconds} s ahead of real time, expected the next frame`;
      throw new RequestError("bad_request", `Cannot take what is published: ${message}`);
    }
    await this.spend({ bytes }, signal, { lead });
  }

  /**
   * Waits until something else may be taken.
   *
   * @param options milliseconds to wait at least
   */
  async spend(
    work: Work,
    signal: AbortSignal,
    { lead = 0 }: { lead?: number } = {},
  ): Promise<void> {
    this.#rate.count(work);
    await this.#rate.pause(signal, { min: lead, max: LONGEST_WAIT });
  }
}
