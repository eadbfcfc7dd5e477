/** Limits that all requests share: decoders that run at once, and memory for frames. */
import { onAbort } from "../base/async.ts";
import { RequestError } from "../base/errors.ts";

/** Options of {@linkcode DecoderSemaphore.take}. */
export interface SlotOptions {
  /** Ends the waiting. */
  signal: AbortSignal;
  /** Called with the position in the queue, from 1 on, whenever it changes. */
  onWait?: (position: number) => void;
  /** Whether somebody else has meanwhile started what the slot is for. */
  isNeedless?: () => boolean;
}

interface Waiting extends SlotOptions {
  position: number;
  resolve: (slot: Disposable) => void;
}

/** Slot of a waiter that turned out to need none. */
const NO_SLOT: Disposable = { [Symbol.dispose]() {} };

/** Bounds the number of decoders that run at once. Waiters are served in their order. */
export class DecoderSemaphore {
  /** Number of slots. */
  readonly total: number;
  /** Called when somebody begins to wait, so that unused slots can be freed. */
  onFull: () => void = () => {};
  #taken = 0;
  #queue: Waiting[] = [];

  constructor(total: number) {
    this.total = total;
  }

  /** Number of slots in use. */
  get taken(): number {
    return this.#taken;
  }

  /** Number of waiters. */
  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Waits for a slot, which is freed when it is disposed.
   *
   * @throws the signal's reason if it aborts first
   */
  async take(options: SlotOptions): Promise<Disposable> {
    if (this.#queue.length === 0 && this.#taken < this.total) return this.#give();
    const { signal } = options;
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Disposable>();
    const waiting = { ...options, position: 0, resolve };
    using _listener = onAbort(signal, () => {
      reject(signal.reason);
      this.#leave(waiting);
    });
    this.#queue.push(waiting);
    this.#notifyPositions();
    this.onFull();
    return await promise;
  }

  /** Lets waiters go that need no slot any more. */
  review(): void {
    for (const waiting of this.#queue.filter(({ isNeedless }) => isNeedless?.())) {
      waiting.resolve(NO_SLOT);
      this.#leave(waiting);
    }
  }

  #give(): Disposable {
    this.#taken++;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#taken--;
        const next = this.#queue[0];
        if (next === undefined || this.#taken >= this.total) return;
        next.resolve(this.#give());
        this.#leave(next);
      },
    };
  }

  #leave(waiting: Waiting): void {
    this.#queue = this.#queue.filter((other) => other !== waiting);
    this.#notifyPositions();
  }

  #notifyPositions(): void {
    for (const [at, waiting] of this.#queue.entries()) {
      if (waiting.position === at + 1) continue;
      waiting.position = at + 1;
      waiting.onWait?.(waiting.position);
    }
  }
}

/** Bounds the memory that the frames of all requests take together. */
export class MemoryBudget {
  #limit: number;
  #taken = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes in use. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Takes a number of bytes until the result is disposed.
   *
   * @throws {RequestError} `busy` if fewer are left
   */
  take(bytes: number): Disposable {
    if (this.#taken + bytes > this.#limit) {
      const megabytes = (amount: number) => `${Math.ceil(amount / 1e6)} MB`;
      throw new RequestError(
        "busy",
        `Cannot serve now: frames of this size take ${megabytes(bytes)}, and ` +
          `${megabytes(this.#limit - this.#taken)} are left; ask for a smaller size, or later`,
      );
    }
    this.#taken += bytes;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#taken -= bytes;
        held = false;
      },
    };
  }
}
