/** Milliseconds of a write from which on the peer, and not this machine, has taken the bytes. */
const BLOCKED = 50;

/** A socket, as far as it tells whether somebody is at its other end. */
export interface Wire {
  read(target: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
}

/**
 * Tells when a peer has last given a sign of life: bytes that came, or that it took where it had
 * been waited for. What the system takes at once goes into its own memory, and says nothing.
 */
export class IdleTimeout implements Wire {
  #wire: Wire;
  #now: () => number;
  #last: number;
  #reading = false;

  /** @param now milliseconds since some fixed moment; never goes back */
  constructor(wire: Wire, { now = () => performance.now() }: { now?: () => number } = {}) {
    this.#wire = wire;
    this.#now = now;
    this.#last = now();
  }

  async read(target: Uint8Array): Promise<number | null> {
    // Before, nobody listened.
    this.#last = this.#now();
    this.#reading = true;
    try {
      return await this.#wire.read(target);
    } finally {
      this.#reading = false;
      this.#last = this.#now();
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    const before = this.#now();
    const count = await this.#wire.write(bytes);
    const now = this.#now();
    if (now - before >= BLOCKED) this.#last = now;
    return count;
  }

  /**
   * Milliseconds without a sign, where one is being waited for: a peer that has ended its own
   * sending, or that is not listened to, owes none.
   */
  get silence(): number {
    return this.#reading ? this.#now() - this.#last : 0;
  }

  /** Calls back once the peer has been silent for so many milliseconds, unless disposed before. */
  watch(limit: number, onSilent: () => void): Disposable {
    const look = () => {
      const left = limit - Math.max(0, this.silence - this.#earlier(begun));
      if (left <= 0) onSilent();
      else timer = setTimeout(look, left);
    };
    const begun = this.#now();
    let timer = setTimeout(look, limit);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  }

  /** How much of the silence was before a moment. */
  #earlier(moment: number): number {
    return Math.max(0, moment - this.#last);
  }
}
