/** Bounds what is on its way, which would wait for seconds in the buffers of a slow link. */

/** Milliseconds that what is on its way may take at the rate at which the peer takes it. */
const MAX_TIME = 1200;

/** Bytes that may always be on their way. */
const MIN_BYTES = 128 * 1024;

/** Milliseconds between the marks by which the rate is measured. */
const MARK_INTERVAL = 100;

/** Milliseconds over which the rate is measured. */
const RATE_TIME = 1000;

/** The bytes sent before a mark. */
interface Mark {
  number: number;
  /** Bytes in all. */
  sent: number;
}

/**
 * Counts what is sent, marks it now and then, and says from the peer's answers whether more may
 * follow. The answer to a mark means that the peer has taken all that was sent before it.
 */
export class SendWindow {
  #now: () => number;
  /** Marks without an answer, the oldest first. */
  #marks: Mark[] = [];
  #marked = 0;
  #markedAt = -Infinity;
  #sent = 0;
  /** The bytes that the peer had taken at the start, and with each of the latest pongs. */
  #samples: { at: number; taken: number }[] = [];
  #changed = Promise.withResolvers<void>();

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether so much is on its way that more has to wait. */
  get isFull(): boolean {
    const { taken = 0 } = this.#samples.at(-1) ?? {};
    return this.#sent - taken > Math.max(MIN_BYTES, this.#rate * MAX_TIME);
  }

  /** Settles with the next answer. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  /**
   * Counts what has been sent.
   *
   * @returns the number of a mark to send after it, if one is due
   */
  count(bytes: number): number | undefined {
    const at = this.#now();
    if (this.#samples.length === 0) this.#samples.push({ at, taken: this.#sent });
    this.#sent += bytes;
    // Without a mark after it, a full window would stay full.
    if (at - this.#markedAt < MARK_INTERVAL && !this.isFull) return undefined;
    return this.#mark(at);
  }

  /**
   * Takes the answer to a mark, and with it to all earlier ones.
   *
   * @returns the number of a mark to send now, if one is due
   */
  answer(number: number): number | undefined {
    const mark = this.#marks.find((mark) => mark.number === number);
    if (mark === undefined) return undefined;
    this.#marks = this.#marks.filter((other) => other.number > number);
    const at = this.#now();
    this.#samples.push({ at, taken: mark.sent });
    while (this.#samples.length > 2 && this.#samples[1].at <= at - RATE_TIME) this.#samples.shift();
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
    // The answer may lower the rate so far that what was sent after the last mark fills the window.
    return this.isFull && this.#marks.length === 0 ? this.#mark(at) : undefined;
  }

  /** Marks all that has been sent. */
  #mark(at: number): number {
    this.#markedAt = at;
    this.#marks.push({ number: ++this.#marked, sent: this.#sent });
    return this.#marked;
  }

  /** Bytes that the peer takes in a millisecond; 0 before the first answer. */
  get #rate(): number {
    const [first, last] = [this.#samples.at(0), this.#samples.at(-1)];
    if (first === undefined || last === undefined || last.at <= first.at) return 0;
    return (last.taken - first.taken) / (last.at - first.at);
  }
}
