/** Bounds what waits in the buffers of sockets for a script that reads slowly. */
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";

/** Milliseconds for which frames may wait in the buffers of a slow script. */
const MAX_WAIT = 100;

/** Milliseconds after which a write was slow: the buffers are full. */
const SLOW = 50;

/** Milliseconds between two looks at the buffers. */
const INTERVAL = 50;

/** Milliseconds without a wait after which a script is not slow: from its first frame, and later. */
const [FIRST_CALM, CALM] = [2_000, 10_000];

/** Part of the newest frame in the mean time for a byte. */
const WEIGHT = 0.3;

/** Options of {@linkcode ScriptBacklog}. */
export interface ScriptBacklogOptions {
  /** Bytes that the script has not read, as far as the system tells. */
  unread: () => Promise<number | undefined>;
  signal: AbortSignal;
  /** Milliseconds in which a script has to read something. */
  stallTimeout: number;
  /** Called if it does not. */
  onStall: () => void;
  /** @default MONOTONIC_CLOCK */
  clock?: Clock;
}

/**
 * Waits with the next frame until a slow script has nearly read the last one, so that it is a new
 * one. While a script is quick, it costs nothing.
 */
export class ScriptBacklog {
  #options: ScriptBacklogOptions;
  #clock: Clock;
  /** Time up to which the script counts as slow. */
  #slowUntil: number | undefined;
  /** Time at which the last frame was written. */
  #last: number;
  /** Mean milliseconds in which the script takes a byte. */
  #pace: number | undefined;

  constructor(options: ScriptBacklogOptions) {
    this.#options = options;
    this.#clock = options.clock ?? MONOTONIC_CLOCK;
    this.#last = this.#clock.now();
  }

  /**
   * Waits behind a frame of a live source.
   *
   * @param begun when its write began
   * @throws the signal's reason
   */
  async afterFrame(bytes: number, begun: number): Promise<void> {
    const now = this.#clock.now();
    const pace = (now - this.#last) / Math.max(1, bytes);
    this.#last = now;
    this.#slowUntil ??= now + FIRST_CALM;
    if (now - begun >= SLOW) this.#slowUntil = now + CALM;
    if (now >= this.#slowUntil) {
      this.#pace = undefined;
      return;
    }
    this.#pace = pace + (1 - WEIGHT) * ((this.#pace ?? pace) - pace);
    await this.#waitUntilRead(this.#pace);
  }

  async #waitUntilRead(pace: number): Promise<void> {
    const { unread, signal, stallTimeout, onStall } = this.#options;
    let progress = { bytes: Infinity, at: this.#clock.now() };
    while (true) {
      const bytes = await unread();
      if (bytes === undefined || bytes * pace <= MAX_WAIT) return;
      const now = this.#clock.now();
      this.#slowUntil = now + CALM;
      if (bytes < progress.bytes) progress = { bytes, at: now };
      else if (now - progress.at >= stallTimeout) onStall();
      await this.#clock.sleep(INTERVAL, signal);
    }
  }
}
