import type { Connection } from "../../protocol/native/connection.ts";

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

/** Microseconds from one question for the server's time to the next. */
const INTERVAL = 1_000_000;

/** A pong as it comes over the wire. */
interface Pong {
  payload: Uint8Array<ArrayBuffer>;
  /** Microseconds since 1970 by the server's clock; 0 where it does not say. */
  timestamp: number;
}

/** Keeps asking a server for its time while frames come, and tells how old live frames are. */
export class ClockWatch {
  #connection: Pick<Connection, "send">;
  #clock: () => number;
  #offset = new ClockOffset();
  #asked = -Infinity;
  #count = 0n;

  /** @param clock microseconds since 1970; never goes back */
  constructor(connection: Pick<Connection, "send">, clock: () => number) {
    this.#connection = connection;
    this.#clock = clock;
  }

  /** Sends a ping, unless one was sent just now. */
  async ask(): Promise<void> {
    const now = this.#clock();
    if (now - this.#asked < INTERVAL) return;
    this.#asked = now;
    const payload = new Uint8Array(8);
    new DataView(payload.buffer).setBigUint64(0, ++this.#count, true);
    await this.#connection.send("ping", payload, { timestamp: now });
  }

  /** Takes the answer to the newest ping; others came too late to say anything. */
  hear({ payload, timestamp }: Pong): void {
    if (timestamp === 0 || payload.byteLength !== 8) return;
    if (new DataView(payload.buffer, payload.byteOffset).getBigUint64(0, true) !== this.#count) {
      return;
    }
    this.#offset.add({ sent: this.#asked, received: this.#clock(), remote: timestamp });
  }

  /**
   * How long ago a moment was.
   *
   * @param captured microseconds since 1970 by the server's clock
   * @returns milliseconds, 0 at least; `undefined` where the server's clock is not known yet
   */
  since(captured: number | undefined): number | undefined {
    const offset = this.#offset.microseconds;
    if (captured === undefined || offset === undefined) return undefined;
    return Math.max(0, (this.#clock() + offset - captured) / 1000);
  }
}
