/** Limits how many reads of files run at once. */

/** Reads that run at once, unless they are slow. */
const MAX_READS = 4;

/** Milliseconds after which a read is slow: far more than a cached one takes on a busy server. */
const SLOW = 50;

/**
 * Milliseconds after which a read that seems slow is looked at again: on a server that is busy, one
 * that has ended long ago is heard of by then.
 */
const SECOND_LOOK = 10;

/** Options of {@linkcode ReadQueue}. */
export interface ReadQueueOptions {
  /** Reads that run at once, unless they are slow. @default 4 */
  limit?: number;
  /** Milliseconds after which a read is slow. @default 50 */
  slow?: number;
  /** Milliseconds since a fixed time; never goes back. @default `performance.now()` */
  now?: () => number;
}

/** The speed of the reads of one file. */
export interface Speed {
  /** They take no places: what they wait for is a disk, and not the processor. */
  isSlow: boolean;
}

/**
 * Runs reads in their order, few at once: each takes a thread, which takes the processor from those
 * who send frames. A read that becomes slow gives its place to the next one.
 */
export class ReadQueue {
  #slow: number;
  #now: () => number;
  /** Reads that may begin at once. */
  #free: number;
  /** Reads that hold a place, the oldest first, with the time at which each began. */
  #running = new Set<{ since: number; speed: Speed; seemsSlow: boolean }>();
  #waiting: (() => void)[] = [];
  /** Timer of the next check for slow reads; absent if nobody waits. */
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ limit = MAX_READS, slow = SLOW, now }: ReadQueueOptions = {}) {
    this.#now = now ?? (() => performance.now());
    this.#free = limit;
    this.#slow = slow;
  }

  /**
   * Runs a read when it is its turn, or at once if those of its kind are slow.
   *
   * @param speed is updated
   */
  async run<T>(read: () => Promise<T>, speed: Speed): Promise<T> {
    const self = { since: this.#now(), speed, seemsSlow: false };
    if (!speed.isSlow) {
      if (this.#free > 0) this.#free--;
      else await this.#turn();
      self.since = this.#now();
      // It may have become slow while this one waited.
      if (speed.isSlow) this.#next();
      else this.#running.add(self);
    }
    try {
      return await read();
    } finally {
      if (this.#now() - self.since < this.#slow) speed.isSlow = false;
      if (this.#running.delete(self)) this.#next();
    }
  }

  #turn(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    this.#watch();
    return promise;
  }

  /** Gives the place of a read to the next one. */
  #next(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
    if (this.#waiting.length > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Takes the places of slow reads, now and as long as somebody waits. */
  #watch(): void {
    if (this.#timer !== undefined) return;
    const now = this.#now();
    let next = now + this.#slow;
    for (const read of this.#running) {
      if (this.#waiting.length === 0) return;
      const slowAt = read.since + this.#slow;
      if (read.seemsSlow) {
        read.speed.isSlow = true;
        this.#running.delete(read);
        this.#next();
      } else {
        read.seemsSlow = slowAt <= now;
        next = Math.min(next, read.seemsSlow ? now + SECOND_LOOK : slowAt);
      }
    }
    if (this.#waiting.length === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#watch();
    }, Math.max(1, next - now));
  }
}
