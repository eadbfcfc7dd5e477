import { type AnyStream, type Frame, toSeconds, toTicks } from "../../media/frame.ts";

/** Seconds by which a frame may be ahead of the clock and still follow the one before. */
const AHEAD = 1;

/** Options of {@linkcode LiveTimeline.resume}. */
export interface ResumeOptions {
  /** Other streams, which follow the earlier ones. @default the streams as before */
  streams?: readonly AnyStream[];
  /** Of those, the video and audio are as before: only data streams are others. */
  isSameMedia?: boolean;
  /** On the same connection: the timestamps go on if that is likely. */
  isSameConnection?: boolean;
}

/**
 * Continues the timestamps of a live source over several connections.
 *
 * The timestamps of a later connection may be unrelated to those of the first, since the server may
 * have been restarted. They are moved so that the first frame after a cut follows the last one
 * before it by the time that has passed. Messages of data streams follow the video and audio.
 */
export class LiveTimeline {
  #now: () => number;
  /** Streams that are passed on, by id. */
  #streams: Map<number, AnyStream>;
  /** Streams of the current connection, by id. */
  #current: Map<number, AnyStream>;
  /** There is video or audio. */
  #hasMedia: boolean;
  /** Time of the first frame, seconds. */
  #start: number | undefined;
  /** Time of the latest frame, seconds, and when it arrived, milliseconds of the clock. */
  #latest: { time: number; arrival: number } | undefined;
  /** Seconds to add; `undefined` between a cut and the first frame after it. */
  #shift: number | undefined = 0;
  /** Seconds that were added before, if the timestamps may go on. */
  #lastShift: number | undefined;
  /** Highest timestamp of each stream, seconds. */
  #highest = new Map<number, number>();
  /** Streams without a frame since the cut. */
  #cut = new Set<number>();
  #gap = 0;

  /** @param now milliseconds since a fixed time; never goes back */
  constructor(streams: readonly AnyStream[], now: () => number) {
    this.#now = now;
    this.#streams = byId(streams);
    this.#current = this.#streams;
    this.#hasMedia = hasMedia(streams);
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

  /** Continues with another description. */
  resume(
    described: readonly AnyStream[],
    { streams, isSameMedia = streams === undefined, isSameConnection = false }: ResumeOptions = {},
  ): void {
    this.#current = byId(described);
    if (streams !== undefined) this.#streams = byId(streams);
    this.#hasMedia = hasMedia([...this.#streams.values()]);
    this.#cut = new Set(isSameMedia ? this.#streams.keys() : []);
    if (this.#latest === undefined) return;
    this.#lastShift = isSameConnection ? this.#shift : undefined;
    this.#shift = undefined;
  }

  /**
   * Moves a frame to its time, in the time base of the stream that is passed on.
   *
   * @returns `undefined` for a frame that would precede those before the cut
   */
  retime(frame: Frame): Frame | undefined {
    const { streamId, timestamp } = frame;
    const stream = this.#streams.get(streamId);
    const current = this.#current.get(streamId);
    if (stream === undefined || current === undefined) return frame;
    const originalTime = toSeconds(timestamp, current.timeBase);
    const isLeading = stream.type !== "data" || !this.#hasMedia;
    if (isLeading) this.#shift ??= this.#shiftFor(originalTime);
    const shift = this.#shift ?? this.#nowTime - originalTime;
    const time = originalTime + shift;
    const isMoved = shift !== 0 || current.timeBase !== stream.timeBase;
    const ticks = isMoved ? toTicks(time, stream.timeBase) : timestamp;
    const reached = toSeconds(ticks, stream.timeBase);
    const highest = this.#highest.get(streamId) ?? -Infinity;
    const isFirst = this.#cut.has(streamId) && stream.type !== "data";
    if (isFirst && reached <= highest) return undefined;
    this.#cut.delete(streamId);
    this.#highest.set(streamId, Math.max(highest, reached));
    if (isLeading) {
      this.#start ??= time;
      if (time >= (this.#latest?.time ?? -Infinity)) this.#latest = { time, arrival: this.#now() };
    }
    if (isFirst) return { ...frame, timestamp: ticks, discontinuity: true };
    return isMoved ? { ...frame, timestamp: ticks } : frame;
  }

  /** Time of a frame that arrives now, seconds. */
  get #nowTime(): number {
    if (this.#latest === undefined) return 0;
    return this.#latest.time + this.idle;
  }

  /** Seconds to add from the first frame after a cut on. */
  #shiftFor(originalTime: number): number {
    const { time } = this.#latest ?? { time: 0 };
    const reached = originalTime + (this.#lastShift ?? NaN);
    if (this.#lastShift !== undefined && reached >= time && reached <= this.#nowTime + AHEAD) {
      return this.#lastShift;
    }
    this.#gap = this.idle;
    return this.#nowTime - originalTime;
  }
}

function byId(streams: readonly AnyStream[]): Map<number, AnyStream> {
  return new Map(streams.map((stream) => [stream.id, stream]));
}

function hasMedia(streams: readonly AnyStream[]): boolean {
  return streams.some(({ type }) => type !== "data");
}
