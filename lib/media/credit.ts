/** How much live video may be under way to a viewer that wants the newest. */
import { type Clock, MONOTONIC_CLOCK } from "../base/clock.ts";

/** Frames that may be under way, however old. */
const MAX_FRAMES = 2;

/** Milliseconds of the longest way there and back that is taken into account: that by a satellite. */
const MAX_ROUND_TRIP = 1000;

/** Options of {@linkcode Credit}. */
export interface CreditOptions {
  clock?: Pick<Clock, "now">;
  /**
   * Milliseconds of video that may be under way, so that a long way does not cost frames.
   *
   * @default 100
   */
  time?: number;
}

/** Default for {@linkcode CreditOptions.time}. */
const MAX_TIME = 100;

/**
 * Compares the frames that were sent with those that the viewer has taken. What is under way waits
 * in the buffers of sockets, where it gets old.
 */
export class Credit {
  #clock: Pick<Clock, "now">;
  #time: number;
  #taken = 0;
  /** When each frame under way was sent, the oldest first; milliseconds. */
  #underWay: number[] = [];
  /** Milliseconds in which the viewer could tell at the earliest that it has taken a frame. */
  #roundTrip = 0;

  constructor({ clock = MONOTONIC_CLOCK, time = MAX_TIME }: CreditOptions = {}) {
    this.#clock = clock;
    this.#time = time;
  }

  /** Whether a frame may be sent. Time alone never opens it. */
  get isOpen(): boolean {
    if (this.#underWay.length < MAX_FRAMES) return true;
    // On a long way frames do not get old by waiting: holding them up would only cost some.
    return this.#clock.now() - this.#underWay[0] < this.#time + this.#roundTrip;
  }

  /** Counts a frame that is being sent. */
  sent(): void {
    this.#underWay.push(this.#clock.now());
  }

  /**
   * Takes what the viewer tells. A number that is no more than the one before, or more than was
   * sent, is ignored.
   *
   * @param frames taken so far
   * @param roundTrip milliseconds of the shortest round trip that the viewer has measured, if any
   * @returns whether it was taken over
   */
  take(frames: unknown, roundTrip?: unknown): boolean {
    if (typeof frames !== "number" || !Number.isInteger(frames)) return false;
    const more = frames - this.#taken;
    if (more <= 0 || more > this.#underWay.length) return false;
    this.#taken = frames;
    this.#underWay.splice(0, more);
    if (typeof roundTrip === "number" && roundTrip >= 0) {
      this.#roundTrip = Math.min(roundTrip, MAX_ROUND_TRIP);
    }
    return true;
  }
}
