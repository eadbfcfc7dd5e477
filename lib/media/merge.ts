/** Puts the frames of several sources into one order of time. */

/** A source of items that each have a moment. */
export interface Lane<T> {
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

/** A lane, and the item it has ready, if any. */
class Head<T> {
  /** Ready to be given on; `undefined` while under way, and at the end. */
  item: T | undefined;
  ended = false;
  /** Settles when the item is there, or the end; fails as the lane does. */
  arrival: Promise<void>;
  /** Seconds; the moment of the newest item given on. */
  #position = 0;
  #lane: Lane<T>;

  constructor(lane: Lane<T>) {
    this.#lane = lane;
    this.arrival = this.#fetch();
  }

  /** Seconds at which the ready item is due. */
  get time(): number {
    return this.item === undefined ? Infinity : this.#lane.timeOf(this.item);
  }

  /** Whether what this lane has yet to give might belong before that moment, by more than the lead. */
  holdsUp(time: number): boolean {
    return this.item === undefined && this.#position + LEAD < time;
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
    this.item = await this.#lane.take();
    this.ended = this.item === undefined;
  }
}

/**
 * Gives the items of all lanes, the earliest first. A lane that lags holds the others up once they
 * are {@linkcode LEAD} ahead of it, so that nothing piles up on either side. An item's successor is
 * taken from its lane when the next item is asked for here.
 */
export async function* merge<T>(lanes: readonly Lane<T>[]): AsyncGenerator<T> {
  const heads = lanes.map((lane) => new Head(lane));
  // Whichever fails first is reported by the race below; the others must not go unhandled.
  for (const head of heads) head.arrival.catch(() => {});
  while (true) {
    const open = heads.filter((head) => !head.ended);
    if (open.length === 0) return;
    const earliest = open.reduce((a, b) => b.time < a.time ? b : a);
    const awaited = open.filter((head) => head.holdsUp(earliest.time));
    if (awaited.length > 0) {
      await Promise.race(awaited.map((head) => head.arrival));
    } else {
      yield earliest.give();
      earliest.fetchNext();
      earliest.arrival.catch(() => {});
    }
  }
}
