import { type Clock, MONOTONIC_CLOCK } from "../base/clock.ts";

/** Milliseconds that a timer can count; a longer one would fire at once. */
export const LONGEST_SLEEP = 2 ** 31 - 1;

/** Options of {@linkcode Pacer}. */
export interface PacerOptions {
  /** Playing speed, 1 being real time; 0 for no waiting at all. */
  speed: number;
  clock?: Clock;
}

/**
 * Tells when a frame is due: at its own timestamp's distance from the first frame's, on a clock
 * that never goes back. Every frame is measured from the first, so that lateness of one frame
 * never adds to the next and the stream does not drift.
 */
export class Pacer {
  #clock: Clock;
  /** Playing speed, 1 being real time; 0 for no waiting at all. */
  readonly speed: number;
  /** Clock time, in milliseconds, at which the moment 0 s of the media is due. */
  #origin: number | undefined;
  #paused: { at: number; resumed: PromiseWithResolvers<void> } | undefined;

  constructor({ speed, clock = MONOTONIC_CLOCK }: PacerOptions) {
    this.speed = speed;
    this.#clock = clock;
  }

  /**
   * Waits until a frame is due, and while the stream is paused.
   *
   * @param moment seconds, from the frame's timestamp
   * @throws the signal's reason when that fires
   */
  async waitFor(moment: number, signal: AbortSignal): Promise<void> {
    while (true) {
      await this.running(signal);
      const wait = this.#dueIn(moment);
      if (wait <= 0) return;
      await this.#clock.sleep(Math.min(wait, LONGEST_SLEEP), signal);
    }
  }

  /**
   * Waits while the stream is paused.
   *
   * @throws the signal's reason when that fires
   */
  async running(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (this.#paused !== undefined) {
      await orAborted(this.#paused.resumed.promise, signal);
      signal.throwIfAborted();
    }
  }

  /** Whether the media's time stands still. */
  get isPaused(): boolean {
    return this.#paused !== undefined;
  }

  /**
   * Tells by how much a moment is over: real seconds, below zero before it is due. At speed 0, and
   * before the first moment, nothing is ever late.
   */
  lateness(moment: number): number {
    if (this.speed === 0 || this.#origin === undefined) return 0;
    const now = this.#paused?.at ?? this.#clock.now();
    return (now - this.#origin) / 1000 - moment / this.speed;
  }

  /** Lets all moments that follow be due later, by real seconds. */
  postpone(seconds: number): void {
    if (this.#origin !== undefined) this.#origin += seconds * 1000;
  }

  /** Forgets the beginning: the next moment asked for is due at once, and the others follow it. */
  restart(): void {
    this.#origin = undefined;
  }

  /** Stops the media's time. Harmless when repeated. */
  pause(): void {
    this.#paused ??= { at: this.#clock.now(), resumed: Promise.withResolvers() };
  }

  /** Lets the media's time go on from where it stopped. Harmless when repeated. */
  resume(): void {
    if (this.#paused === undefined) return;
    const { at, resumed } = this.#paused;
    if (this.#origin !== undefined) this.#origin += this.#clock.now() - at;
    this.#paused = undefined;
    resumed.resolve();
  }

  /** Milliseconds until the moment is due; the first one asked for is due at once. */
  #dueIn(moment: number): number {
    if (this.speed === 0) return 0;
    const offset = moment * 1000 / this.speed;
    this.#origin ??= this.#clock.now() - offset;
    return this.#origin + offset - this.#clock.now();
  }
}

/** Waits for a promise, or for the signal, whichever comes first. */
async function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<void>();
  const stop = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", stop);
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
