import { RequestError } from "../base/errors.ts";

/** Options of {@linkcode DecoderSlots.take}. */
export interface SlotOptions {
  /** Ends the waiting. */
  signal: AbortSignal;
  /** Told the place in line, from 1 on, whenever it is another. */
  onWait?: (position: number) => void;
  /** Whether, meanwhile, somebody else has started what the slot is for. */
  isNeedless?: () => boolean;
}

/** Somebody in line. */
interface Waiting extends SlotOptions {
  position: number;
  resolve: (slot: Disposable) => void;
}

/** A slot of those who turned out to need none. */
const NONE: Disposable = { [Symbol.dispose]() {} };

/** So many decoders may run at once; who needs one more waits in line, first come, first served. */
export class DecoderSlots {
  /** How many there are. */
  readonly total: number;
  /** Called when somebody begins to wait: what nobody needs any more may be given back. */
  onFull: () => void = () => {};
  #taken = 0;
  #line: Waiting[] = [];

  constructor(total: number) {
    this.total = total;
  }

  /** How many are in use. */
  get taken(): number {
    return this.#taken;
  }

  /** How many are waiting. */
  get waiting(): number {
    return this.#line.length;
  }

  /**
   * Waits for a slot, which is given back when it is disposed.
   *
   * @throws the signal's reason where that fires while it waits
   */
  async take(options: SlotOptions): Promise<Disposable> {
    if (this.#line.length === 0 && this.#taken < this.total) return this.#give();
    const { signal } = options;
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Disposable>();
    const waiting = { ...options, position: 0, resolve };
    const giveUp = () => {
      reject(signal.reason);
      this.#leave(waiting);
    };
    signal.addEventListener("abort", giveUp);
    this.#line.push(waiting);
    this.#tell();
    this.onFull();
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** Lets those go on who need no slot any more. */
  review(): void {
    for (const waiting of this.#line.filter(({ isNeedless }) => isNeedless?.())) {
      waiting.resolve(NONE);
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
        const next = this.#line[0];
        if (next === undefined || this.#taken >= this.total) return;
        next.resolve(this.#give());
        this.#leave(next);
      },
    };
  }

  #leave(waiting: Waiting): void {
    this.#line = this.#line.filter((other) => other !== waiting);
    this.#tell();
  }

  #tell(): void {
    for (const [at, waiting] of this.#line.entries()) {
      if (waiting.position === at + 1) continue;
      waiting.position = at + 1;
      waiting.onWait?.(waiting.position);
    }
  }
}

/**
 * What the frames of all viewers together may take of the memory. A viewer may ask for large
 * frames, and there may be many viewers; what all of them ask for has to have an end.
 */
export class MemoryBudget {
  #limit: number;
  #taken = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that are taken now. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Takes a part, until what is returned is disposed.
   *
   * @param bytes how much
   * @throws {RequestError} `busy` where so much is not left
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
