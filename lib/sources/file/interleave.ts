/** Puts the frames of several sources into one order of time. */
import { deadline } from "../../base/async.ts";

/** A source of items that each have a moment. */
export interface Track<T> {
  /** Gives the next item; `undefined` at the end. Items come in about the order of time. */
  take(): Promise<T | undefined>;
  /** Seconds at which an item is due. */
  timeOf(item: T): number;
}

/**
 * Seconds by which a lane may run ahead of another whose next item is not there yet. It lets the
 * first picture go out while the sound is still being opened, and stays below what players hold.
 */
const LEAD = 0.25;

/**
 * Milliseconds for an item that is on its way and may belong before one that is there: sooner than
 * a picture is due, and long enough for one more read. Without it, sound would always lag by the
 * lead, since behind each picture, which may be waited for until it is due, only one frame is there.
 */
const PATIENCE = 10;

/** A lane, and the item it has ready, if any. */
class CachedStart<T> {
  /** Ready to be given on; `undefined` while under way, and at the end. */
  item: T | undefined;
  ended = false;
  /** Settles when the item is there, or the end; fails as the lane does. */
  arrival: Promise<void>;
  /** Seconds; the moment of the newest item given on. */
  #position = 0;
  #track: Track<T>;

  constructor(track: Track<T>) {
    this.#track = track;
    this.arrival = this.#fetch();
  }

  /** Seconds at which the ready item is due. */
  get time(): number {
    return this.item === undefined ? Infinity : this.#track.timeOf(this.item);
  }

  /** Whether what this lane has yet to give might belong before that moment, by more than so much. */
  lags(time: number, seconds: number): boolean {
    return this.item === undefined && this.#position + seconds < time;
  }

  /** Gives the ready item away; the next is fetched when this one has been used. */
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
 * Gives the items of all lanes, the earliest first. A lane that lags holds the others up once they
 * are {@linkcode LEAD} ahead of it, so that nothing piles up on either side. An item's successor is
 * taken from its lane when the next item is asked for here.
 *
 * @param patience milliseconds that an item waits for others that may belong before it
 */
export async function* merge<T>(
  tracks: readonly Track<T>[],
  { patience = PATIENCE }: { patience?: number } = {},
): AsyncGenerator<T> {
  const startCache = tracks.map((track) => new CachedStart(track));
  // Whichever fails first is reported by the race below; the others must not go unhandled.
  for (const head of startCache) head.arrival.catch(() => {});
  /** The item for whose predecessors it has been waited, since the last one was given on. */
  let waitedFor: T | undefined;
  while (true) {
    const open = startCache.filter((head) => !head.ended);
    if (open.length === 0) return;
    const earliest = open.reduce((a, b) => b.time < a.time ? b : a);
    const held = open.filter((head) => head.lags(earliest.time, LEAD));
    const behind = open.filter((head) => head.lags(earliest.time, 0));
    if (held.length > 0) {
      await Promise.race(held.map((head) => head.arrival));
    } else if (behind.length > 0 && waitedFor !== earliest.item) {
      waitedFor = earliest.item;
      await arrivalWithin(patience, behind);
    } else {
      // Whoever is behind gives one item at a time, and may have many more.
      waitedFor = undefined;
      yield earliest.give();
      earliest.fetchNext();
      earliest.arrival.catch(() => {});
    }
  }
}

/** Waits until one of them has its item, but not for long. */
async function arrivalWithin<T>(
  milliseconds: number,
  startCache: readonly CachedStart<T>[],
): Promise<void> {
  const over = Promise.withResolvers<void>();
  using _limit = deadline(milliseconds, over.resolve);
  await Promise.race([over.promise, ...startCache.map((head) => head.arrival)]);
}
