/** The time line of a live source over several connections. Pure, but for the clock. */
import { type Frame, type StreamDescription, toSeconds, toTicks } from "../../media/frame.ts";

/**
 * Moves the timestamps of a live source's later connections onto the line of the first, on by the
 * time that has passed: whoever asks again may get another server, or the same one started anew,
 * whose timestamps have nothing to do with those before.
 */
export class LiveTimeline {
  #now: () => number;
  /** By its id, each stream as it was described first. */
  #streams: Map<number, StreamDescription>;
  /** The same of the connection that is open. */
  #current: Map<number, StreamDescription>;
  /** Seconds at which the first frame lay. */
  #begin: number | undefined;
  /** Seconds of the furthest frame so far, and when it came, in milliseconds. */
  #newest: { moment: number; at: number } | undefined;
  /** Seconds that are added; `undefined` from a cut to the first frame behind it. */
  #shift: number | undefined = 0;
  /** Highest timestamp of each stream, ticks. */
  #highest = new Map<number, number>();
  /** Streams of which nothing has come since the cut. */
  #fresh = new Set<number>();
  #gap = 0;

  /** @param now milliseconds since some fixed moment; never goes back */
  constructor(streams: readonly StreamDescription[], now: () => number) {
    this.#now = now;
    this.#streams = new Map(streams.map((stream) => [stream.id, stream]));
    this.#current = this.#streams;
  }

  /** Seconds from the first frame to now, on the line. */
  get length(): number {
    return this.#begin === undefined ? 0 : this.#due - this.#begin;
  }

  /** Seconds that have passed since the furthest frame. */
  get silence(): number {
    return this.#newest === undefined ? 0 : (this.#now() - this.#newest.at) / 1000;
  }

  /** Seconds that are missing at the newest cut. */
  get gap(): number {
    return this.#gap;
  }

  /** What follows comes over another connection. */
  resume(streams: readonly StreamDescription[]): void {
    this.#current = new Map(streams.map((stream) => [stream.id, stream]));
    this.#fresh = new Set(this.#streams.keys());
    if (this.#newest !== undefined) this.#shift = undefined;
  }

  /** A frame where it belongs; `undefined` for one that would go back behind what came. */
  place(frame: Frame): Frame | undefined {
    const { streamId, timestamp } = frame;
    const stream = this.#streams.get(streamId);
    const current = this.#current.get(streamId);
    if (stream === undefined || current === undefined) return frame;
    const moment = toSeconds(timestamp, current.timeBase);
    if (this.#shift === undefined) {
      this.#gap = this.silence;
      this.#shift = this.#due - moment;
    }
    const moved = moment + this.#shift;
    const isMoved = this.#shift !== 0 || current.timeBase !== stream.timeBase;
    const ticks = isMoved ? toTicks(moved, stream.timeBase) : timestamp;
    const highest = this.#highest.get(streamId) ?? -Infinity;
    const isFresh = this.#fresh.has(streamId);
    if (isFresh && ticks <= highest) return undefined;
    this.#fresh.delete(streamId);
    this.#highest.set(streamId, Math.max(highest, ticks));
    this.#begin ??= moved;
    if (moved >= (this.#newest?.moment ?? -Infinity)) {
      this.#newest = { moment: moved, at: this.#now() };
    }
    if (isFresh) return { ...frame, timestamp: ticks, discontinuity: true };
    return isMoved ? { ...frame, timestamp: ticks } : frame;
  }

  /** Seconds at which a frame lies that comes now. */
  get #due(): number {
    if (this.#newest === undefined) return 0;
    return this.#newest.moment + this.silence;
  }
}
