/** Checks that FFmpeg copies the timestamps of pictures as they are. */
import { FormatError } from "../../../base/errors.ts";

/** Options of {@linkcode DecodeTimes}. */
export interface DecodeTimesOptions {
  /** Frames by which decoding is ahead of what is shown. */
  decodeDelay: number;
  /** Ticks of a frame; 0 if unknown. */
  frameTicks: number;
}

/**
 * Follows the decode timestamps that FFmpeg writes. They have to increase; if they do not, it changes
 * the presentation timestamps, too (fftools, `write_packet`). Those that the container does not have
 * are made of the presentation timestamps, as FFmpeg does (libavformat, `compute_pkt_fields`).
 */
export class DecodeTimes {
  #frameTicks: number;
  /** Timestamps of the latest frames, ascending; one more than the delay. */
  #latest: number[];
  #last = -Infinity;
  /** FFmpeg's assumption for the next frame until it knows. */
  #assumed: number | undefined;

  constructor({ decodeDelay, frameTicks }: DecodeTimesOptions) {
    this.#frameTicks = frameTicks;
    this.#latest = Array<number>(decodeDelay + 1).fill(-Infinity);
  }

  /**
   * Adds a frame, in decode order.
   *
   * @param timestamp ticks
   * @param decodeTimestamp ticks; absent if the container has none
   * @throws {FormatError} if FFmpeg changes its timestamp
   */
  add(timestamp: number, decodeTimestamp: number = this.#make(timestamp)): void {
    if (decodeTimestamp <= this.#last || timestamp < decodeTimestamp) {
      throw new FormatError(
        `Cannot copy packets: a frame at ${timestamp} is decoded at ${decodeTimestamp}, expected ` +
          `later than ${this.#last}, and not later than it is shown`,
      );
    }
    this.#last = decodeTimestamp;
  }

  #make(timestamp: number): number {
    const latest = this.#latest;
    latest[0] = timestamp;
    latest.sort((a, b) => a - b);
    const delay = latest.length - 1;
    const assumed = this.#assumed ?? timestamp - delay * this.#frameTicks;
    this.#assumed = assumed + this.#frameTicks;
    return latest[0] === -Infinity ? assumed : latest[0];
  }
}
