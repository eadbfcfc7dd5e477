import type { Socket } from "./socket.ts";

/** Milliseconds from which on a write waited for the peer and not for the system's buffer. */
const BLOCKED = 50;

/** Both directions of a socket. */
type Transport = Pick<Socket, "read" | "write">;

/**
 * Measures how long a peer has been silent. Received bytes, and writes that had to wait for the peer,
 * are signs of life. Writes that return at once go to the system's buffer and prove nothing.
 */
export class IdleTimeout implements Transport {
  #socket: Transport;
  #now: () => number;
  #last: number;
  #reading = false;

  /** @param now milliseconds since a fixed time; never goes back */
  constructor(socket: Transport, { now = () => performance.now() }: { now?: () => number } = {}) {
    this.#socket = socket;
    this.#now = now;
    this.#last = now();
  }

  async read(target: Uint8Array): Promise<number | null> {
    // Silence counts from the start of the read.
    this.#last = this.#now();
    this.#reading = true;
    try {
      return await this.#socket.read(target);
    } finally {
      this.#reading = false;
      this.#last = this.#now();
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    const before = this.#now();
    const count = await this.#socket.write(bytes);
    const now = this.#now();
    if (now - before >= BLOCKED) this.#last = now;
    return count;
  }

  /** Milliseconds without a sign of life during the pending read; 0 if none is pending. */
  get silence(): number {
    return this.#reading ? this.#now() - this.#last : 0;
  }

  /** Calls `onSilent` after `limit` milliseconds of silence from now on, unless disposed before. */
  watch(limit: number, onSilent: () => void): Disposable {
    const check = () => {
      const earlier = Math.max(0, start - this.#last);
      const left = limit - Math.max(0, this.silence - earlier);
      if (left <= 0) onSilent();
      else timer = setTimeout(check, left);
    };
    const start = this.#now();
    let timer = setTimeout(check, limit);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  }
}
