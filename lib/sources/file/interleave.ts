/** Merges the frames of several tracks in order of time. */
import { deadline } from "../../base/async.ts";

/** A source of items that each have a time. */
export interface Track<T> {
  /** Returns the next item; `undefined` at the end. Items come roughly in order of time. */
  take(): Promise<T | undefined>;
  /** Seconds at which an item is due. */
  timeOf(item: T): number;
}

/**
 * Seconds that a track may run ahead of one whose next item has not arrived: the first video frame
 * can be sent while audio is still being opened. Less than players buffer.
 */
const LEAD = 0.25;

/**
 * Milliseconds that an item waits for earlier ones of other tracks: less than a video frame lasts,
 * enough for one more read. Without it, audio would stay {@linkcode LEAD} behind.
 */
const PATIENCE = 10;

/** A track and its next item. */
class Lookahead<T> {
  /** The next item; `undefined` until it arrives, and at the end. */
  item: T | undefined;
  ended = false;
  /** Settles when the item, or the end, has arrived; rejects if the track fails. */
  arrival: Promise<void>;
  /** Seconds of the latest item that was given. */
  #position = 0;
  #track: Track<T>;

  constructor(track: Track<T>) {
    this.#track = track;
    this.arrival = this.#fetch();
  }

  /** Seconds at which the next item is due; `Infinity` until it arrives. */
  get time(): number {
    return this.item === undefined ? Infinity : this.#track.timeOf(this.item);
  }

  /** Whether its next item has not arrived and may be due so many seconds before a time. */
  lags(time: number, seconds: number): boolean {
    return this.item === undefined && this.#position + seconds < time;
  }

  /** Gives the item, which stays valid until the next one is fetched. */
  give(): T {
    const item = this.item!;
    this.#position = this.time;
    this.item = undefined;
    return item;
  }

  fetchNext(): void {
    this.arrival = this.#fetch();
  }

  async #fetch(): Promise<void> {
    this.item = await this.#track.take();
    this.ended = this.item === undefined;
  }
}

/**
 * Gives the items of all tracks, the earliest first. A track that lags holds up those that are
 * {@linkcode LEAD} ahead of it, so that nothing accumulates. A track is read on only when the next
 * item is requested, so the given one stays valid until then.
 *
 * @param patience milliseconds that an item waits for others that may be due before it
 */
export async function* merge<T>(
  tracks: readonly Track<T>[],
  { patience = PATIENCE }: { patience?: number } = {},
): AsyncGenerator<T> {
  const lookaheads = tracks.map((track) => new Lookahead(track));
  // The race below throws the first failure; the others must not be unhandled.
  for (const { arrival } of lookaheads) arrival.catch(() => {});
  /** The item that has waited for earlier ones since the last item was given. */
  let waitedFor: T | undefined;
  while (true) {
    const open = lookaheads.filter(({ ended }) => !ended);
    if (open.length === 0) return;
    const earliest = open.reduce((a, b) => b.time < a.time ? b : a);
    const blocking = open.filter((track) => track.lags(earliest.time, LEAD));
    const behind = open.filter((track) => track.lags(earliest.time, 0));
    if (blocking.length > 0) {
      await Promise.race(blocking.map(({ arrival }) => arrival));
    } else if (behind.length > 0 && waitedFor !== earliest.item) {
      waitedFor = earliest.item;
      await arrivalWithin(patience, behind);
    } else {
      // A track that is behind gives one item at a time, and may have many more.
      waitedFor = undefined;
      yield earliest.give();
      earliest.fetchNext();
      earliest.arrival.catch(() => {});
    }
  }
}

/** Waits until one of the tracks has its item, at most for so many milliseconds. */
async function arrivalWithin<T>(
  milliseconds: number,
  lookaheads: readonly Lookahead<T>[],
): Promise<void> {
  const late = Promise.withResolvers<void>();
  using _limit = deadline(milliseconds, late.resolve);
  await Promise.race([late.promise, ...lookaheads.map(({ arrival }) => arrival)]);
}
