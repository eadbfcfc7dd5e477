/** Estimates the clock of a peer from pings, for the latency of live frames. */
/** One ping and its pong. */
export interface ClockSample {
  /** When the ping was sent, microseconds of the own clock. */
  sent: number;
  /** When the pong arrived, microseconds of the own clock. */
  received: number;
  /** Time of the other clock in between, microseconds. */
  remote: number;
}

/** Samples to keep. A clock that was set is followed after as many. */
const MAX_SAMPLES = 30;

/**
 * Estimates how far another machine's clock is ahead of the own, from pings and pongs. Uses the
 * sample with the shortest round trip, whose error is smallest.
 */
export class ClockOffset {
  #samples: ClockSample[] = [];

  /** Adds a sample, unless the own clock was set back meanwhile. */
  add(sample: ClockSample): void {
    if (sample.received < sample.sent) return;
    this.#samples.push(sample);
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
  }

  /** Microseconds by which the other clock is ahead; `undefined` before the first sample. */
  get microseconds(): number | undefined {
    let best: ClockSample | undefined;
    for (const sample of this.#samples) {
      if (best === undefined || roundTripOf(sample) <= roundTripOf(best)) best = sample;
    }
    return best && best.remote - (best.sent + best.received) / 2;
  }
}

function roundTripOf({ sent, received }: ClockSample): number {
  return received - sent;
}

/** Microseconds between pings. */
const INTERVAL = 1_000_000;

/** A pong of the native protocol. */
interface Pong {
  payload: Uint8Array<ArrayBuffer>;
  /** Microseconds since 1970 of the sender's clock; 0 if unknown. */
  timestamp: number;
}

/** Sends pings; a connection of the native protocol. */
export interface PingSender {
  /** @param options time of sending, microseconds since 1970 */
  send(kind: "ping", payload: Uint8Array, options: { timestamp: number }): Promise<void>;
}

/** Measures the latency of live frames: pings the sender for its time while frames arrive. */
export class ClockSync {
  #connection: PingSender;
  #clock: () => number;
  #offset = new ClockOffset();
  #sent = -Infinity;
  #count = 0n;
  /** Milliseconds of the shortest round trip so far. */
  #roundTrip: number | undefined;

  /** @param clock microseconds since 1970; never goes back */
  constructor(connection: PingSender, clock: () => number) {
    this.#connection = connection;
    this.#clock = clock;
  }

  /** Sends a ping, at most once a second. */
  async ping(): Promise<void> {
    const now = this.#clock();
    if (now - this.#sent < INTERVAL) return;
    this.#sent = now;
    const payload = new Uint8Array(8);
    new DataView(payload.buffer).setBigUint64(0, ++this.#count, true);
    await this.#connection.send("ping", payload, { timestamp: now });
  }

  /** Evaluates the pong to the latest ping, and ignores every other. */
  onPong({ payload, timestamp }: Pong): void {
    if (timestamp === 0 || payload.byteLength !== 8) return;
    if (new DataView(payload.buffer, payload.byteOffset).getBigUint64(0, true) !== this.#count) {
      return;
    }
    const sample = { sent: this.#sent, received: this.#clock(), remote: timestamp };
    this.#offset.add(sample);
    const roundTrip = Math.max(0, roundTripOf(sample) / 1000);
    this.#roundTrip = Math.min(roundTrip, this.#roundTrip ?? Infinity);
  }

  /**
   * Milliseconds of the shortest round trip, which did not wait behind frames; `undefined` before the
   * first pong.
   */
  get roundTrip(): number | undefined {
    return this.#roundTrip;
  }

  /** Microseconds by which the sender's clock is ahead; `undefined` before the first pong. */
  get offset(): number | undefined {
    return this.#offset.microseconds;
  }

  /**
   * Milliseconds since a frame was captured, at least 0; `undefined` if unknown.
   *
   * @param captured microseconds since 1970 of the sender's clock
   */
  latencyOf(captured: number | undefined): number | undefined {
    const offset = this.#offset.microseconds;
    if (captured === undefined || offset === undefined) return undefined;
    return Math.max(0, (this.#clock() + offset - captured) / 1000);
  }

  /**
   * Converts a capture time to the own clock, at most now; `undefined` if unknown.
   *
   * @param captured microseconds since 1970 of the sender's clock
   * @returns microseconds since 1970
   */
  ownTimeOf(captured: number | undefined): number | undefined {
    const offset = this.#offset.microseconds;
    if (captured === undefined || offset === undefined) return undefined;
    return Math.min(this.#clock(), Math.round(captured - offset));
  }
}
