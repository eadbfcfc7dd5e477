/** Measures how long a viewer has wanted no frame. */
import type { Clock } from "../../base/clock.ts";
import type { Pacer } from "../../media/pacer.ts";

/** Milliseconds of a pause after which the decoder of a viewer is free for others. */
const MAX_PAUSE = 10_000;

/**
 * Milliseconds for which a viewer takes nothing that is due after which its decoder is free for
 * others: longer than a wireless network is interrupted for, and less than most people wait.
 */
const MAX_STALL = 3000;

/** Measures for how long a viewer has wanted no frame although one is due, or has been paused. */
export class IdleMeter {
  #pacer: Pick<Pacer, "speed" | "lateness" | "pausedFor">;
  #clock: Pick<Clock, "now">;
  /** Since when no frame is wanted, and when the latest one is due; absent while one is. */
  #resting: { since: number; due?: number } | undefined;

  constructor(
    pacer: Pick<Pacer, "speed" | "lateness" | "pausedFor">,
    { clock }: { clock: Pick<Clock, "now"> },
  ) {
    this.#pacer = pacer;
    this.#clock = clock;
  }

  /**
   * Notes that no frame is wanted for now.
   *
   * @param due seconds; when the latest frame is due, absent before the first one
   */
  rest(due?: number): void {
    this.#resting = { since: this.#clock.now(), due };
  }

  /** Notes that a frame is wanted. */
  wake(): void {
    this.#resting = undefined;
  }

  /** Milliseconds until the viewer counts as idle; 0 or less if it does, `Infinity` if a frame is wanted. */
  get idleIn(): number {
    if (this.#resting === undefined) return Infinity;
    const { since, due } = this.#resting;
    const { speed, pausedFor } = this.#pacer;
    const rested = this.#clock.now() - since;
    if (pausedFor !== undefined) return MAX_PAUSE - Math.min(rested, pausedFor);
    const isTimed = speed > 0 && due !== undefined;
    return MAX_STALL - (isTimed ? Math.min(rested, 1000 * this.#pacer.lateness(due)) : rested);
  }
}
