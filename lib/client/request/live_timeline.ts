import { type Frame, type StreamDescription, toSeconds, toTicks } from "../../media/frame.ts";

/**
 * Continues the timestamps of a live source over several connections.
 *
 * The timestamps of a later connection may be unrelated to those of the first, since the server may
 * have been restarted. They are moved so that the first frame after a cut follows the last one
 * before it by the time that has passed.
 */
export class LiveTimeline {
  #now: () => number;
  /** Streams of the first connection, by id. */
  #streams: Map<number, StreamDescription>;
  /** Streams of the current connection, by id. */
  #current: Map<number, StreamDescription>;
  /** Time of the first frame, seconds. */
  #start: number | undefined;
  /** Time of the latest frame, seconds, and when it arrived, milliseconds of the clock. */
  #latest: { time: number; arrival: number } | undefined;
  /** Seconds to add; `undefined` between a cut and the first frame after it. */
  #shift: number | undefined = 0;
  /** Highest timestamp of each stream, ticks. */
  #highest = new Map<number, number>();
  /** Streams without a frame since the cut. */
  #cut = new Set<number>();
  #gap = 0;

  /** @param now milliseconds since a fixed time; never goes back */
  constructor(streams: readonly StreamDescription[], now: () => number) {
    this.#now = now;
    this.#streams = new Map(streams.map((stream) => [stream.id, stream]));
    this.#current = this.#streams;
  }

  /** Seconds from the first frame to now. */
  get length(): number {
    return this.#start === undefined ? 0 : this.#nowTime - this.#start;
  }

  /** Seconds since the latest frame arrived. */
  get idle(): number {
    return this.#latest === undefined ? 0 : (this.#now() - this.#latest.arrival) / 1000;
  }

  /** Seconds that are missing at the latest cut. */
  get gap(): number {
    return this.#gap;
  }

  /** Starts another connection, with the streams that it describes. */
  resume(streams: readonly StreamDescription[]): void {
    this.#current = new Map(streams.map((stream) => [stream.id, stream]));
    this.#cut = new Set(this.#streams.keys());
    if (this.#latest !== undefined) this.#shift = undefined;
  }

  /**
   * Moves a frame to its time, in the time base of the first connection.
   *
   * @returns `undefined` for a frame that would precede those before the cut
   */
  retime(frame: Frame): Frame | undefined {
    const { streamId, timestamp } = frame;
    const stream = this.#streams.get(streamId);
    const current = this.#current.get(streamId);
    if (stream === undefined || current === undefined) return frame;
    const originalTime = toSeconds(timestamp, current.timeBase);
    if (this.#shift === undefined) {
      this.#gap = this.idle;
      this.#shift = this.#nowTime - originalTime;
    }
    const time = originalTime + this.#shift;
    const isMoved = this.#shift !== 0 || current.timeBase !== stream.timeBase;
    const ticks = isMoved ? toTicks(time, stream.timeBase) : timestamp;
    const highest = this.#highest.get(streamId) ?? -Infinity;
    const isFirst = this.#cut.has(streamId);
    if (isFirst && ticks <= highest) return undefined;
    this.#cut.delete(streamId);
    this.#highest.set(streamId, Math.max(highest, ticks));
    this.#start ??= time;
    if (time >= (this.#latest?.time ?? -Infinity)) this.#latest = { time, arrival: this.#now() };
    if (isFirst) return { ...frame, timestamp: ticks, discontinuity: true };
    return isMoved ? { ...frame, timestamp: ticks } : frame;
  }

  /** Time of a frame that arrives now, seconds. */
  get #nowTime(): number {
    if (this.#latest === undefined) return 0;
    return this.#latest.time + this.idle;
  }
}
