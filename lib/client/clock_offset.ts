/** One ping and its pong. */
export interface ClockSample {
  /** When the ping was sent, microseconds by the own clock. */
  sent: number;
  /** When the pong came, microseconds by the own clock. */
  received: number;
  /** What the other clock showed in between, microseconds. */
  remote: number;
}

/** Samples that are looked at; a clock that was set anew is followed when they are over. */
const REMEMBERED = 30;

/**
 * How much another machine's clock is ahead of the own, estimated from pings and pongs: by the one
 * with the shortest way there and back, which leaves least room for a difference between the two.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ClockOffset } from "./clock_offset.ts";
 *
 * const offset = new ClockOffset();
 * offset.add({ sent: 1000, received: 1200, remote: 6100 });
 * assertEquals(offset.microseconds, 5000);
 * ```
 */
export class ClockOffset {
  #samples: ClockSample[] = [];

  /** Takes a sample into account, unless the own clock went back meanwhile. */
  add(sample: ClockSample): void {
    if (sample.received < sample.sent) return;
    this.#samples.push(sample);
    if (this.#samples.length > REMEMBERED) this.#samples.shift();
  }

  /** Microseconds by which the other clock is ahead; `undefined` before the first sample. */
  get microseconds(): number | undefined {
    let best: ClockSample | undefined;
    for (const sample of this.#samples) {
      if (best === undefined || wayOf(sample) <= wayOf(best)) best = sample;
    }
    return best && best.remote - (best.sent + best.received) / 2;
  }
}

function wayOf({ sent, received }: ClockSample): number {
  return received - sent;
}
