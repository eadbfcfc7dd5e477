import { DecodeOrder } from "../lib/media/pacer.ts";
import { type Rational, type StreamDescription, toSeconds } from "../lib/media/frame.ts";

interface Stream {
  timeBase: Rational;
  /** Absent for frames that come in the order in which they are shown. */
  order?: DecodeOrder<Arrival>;
}

interface Arrival {
  /** Clock time, in milliseconds. */
  now: number;
  /** It is shown, and not only decoded. */
  isShown: boolean;
}

/**
 * Compares the arrival of a viewer's frames with the times at which they are due: the first one that
 * is shown at its arrival, and anew behind each seek. Frames that are only decoded are not due.
 */
export class PlayMeter {
  /** Milliseconds by which frames are late, negative if the first one took longer; all but that. */
  readonly lateness: number[] = [];
  #described: readonly StreamDescription[] = [];
  #streams = new Map<number, Stream>();
  /** Seconds on the timeline of the timestamps at which the run of frames begins. */
  #beginning = 0;
  /** Clock time, in milliseconds, at which the run of frames begins. */
  #origin: number | undefined;
  /** Milliseconds of the run that frames have come for. */
  #played = 0;

  /** Sets the streams that frames belong to. */
  describe(streams: readonly StreamDescription[]): void {
    this.#described = streams;
    this.seek(0);
  }

  /** @param beginning seconds on the timeline of the timestamps at which the next frames begin */
  seek(beginning: number): void {
    this.#beginning = beginning;
    this.#origin = undefined;
    this.#played = 0;
    this.#streams = new Map(this.#described.map((stream) => {
      const { id, timeBase } = stream;
      const delay = stream.type === "video" ? stream.decodeDelay ?? 0 : 0;
      return [id, { timeBase, ...(delay > 0 && { order: new DecodeOrder<Arrival>(delay) }) }];
    }));
  }

  /**
   * Takes a frame of a described stream.
   *
   * @param now milliseconds, when its last byte had arrived
   * @returns whether it is shown, and not only decoded
   */
  frame(streamId: number, timestamp: number, now: number): boolean {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) throw new Error(`Cannot measure: stream ${streamId} is unknown`);
    const time = toSeconds(timestamp, stream.timeBase) - this.#beginning;
    const arrival = { now, isShown: time >= 0 };
    if (stream.order === undefined) this.#due(time, arrival);
    else for (const { item, due } of stream.order.add(arrival, time)) this.#due(due, item);
    return arrival.isShown;
  }

  /**
   * Takes a frame of a response without timestamps.
   *
   * @param seconds at which it is due
   * @param now milliseconds, when its last byte had arrived
   */
  timed(seconds: number, now: number): void {
    this.#due(seconds, { now, isShown: true });
  }

  /**
   * Share of the time since the latest start or seek that frames have come for: 1 in real time.
   *
   * @param now milliseconds
   */
  speed(now: number): number {
    return this.#origin === undefined ? 0 : this.#played / (now - this.#origin);
  }

  #due(seconds: number, { now, isShown }: Arrival): void {
    if (!isShown) return;
    this.#origin ??= now - seconds * 1000;
    if (seconds <= 0) return;
    this.#played = Math.max(this.#played, seconds * 1000);
    this.lateness.push(now - this.#origin - seconds * 1000);
  }
}
