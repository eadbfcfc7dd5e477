/** Limits that all requests share: decoders that run at once, and memory for frames. */
import { onAbort } from "../base/async.ts";
import { type Clock, MONOTONIC_CLOCK } from "../base/clock.ts";
import { RequestError } from "../base/errors.ts";

/** Options of {@linkcode DecoderSemaphore.take}. */
export interface SlotOptions {
  /** Ends the waiting. */
  signal: AbortSignal;
  /** Called with the position in the queue, from 1 on, whenever it changes. */
  onWait?: (position: number) => void;
  /** Whether somebody else has meanwhile started what the slot is for. */
  isNeedless?: () => boolean;
  /** It is for a response that has begun, which goes before those that have not. */
  isUnderWay?: boolean;
  /** The peer, by its IPv4 address or IPv6 network. @default "", the server itself */
  network?: string;
}

/** The use of a slot, as far as it can be freed for others. */
export interface SlotHolder {
  /**
   * Milliseconds after which it has been unused for so long that it can be freed for somebody who
   * waits; 0 or less if that is so now, `Infinity` if it is in use.
   */
  readonly idleIn: number;
  /** Whether it can be freed even in use, since what uses it goes on with another slot. */
  readonly isMovable: boolean;
  /** Frees the slot soon. */
  giveUp(): void;
}

/** A place for one decoder; free once it is disposed. */
export interface Slot extends Disposable {
  /** @default none, the slot is not freed for others */
  holder?: SlotHolder;
  /** Its holder was asked to free it. */
  readonly isLeaving?: boolean;
}

interface Waiting extends SlotOptions {
  network: string;
  position: number;
  resolve: (slot: Slot) => void;
}

interface Held {
  network: string;
  slot: Slot;
  isLeaving: boolean;
}

/** Slot of a waiter that turned out to need none. */
const NO_SLOT: Slot = { [Symbol.dispose]() {} };

/** Milliseconds between two looks for slots that can be freed, while somebody waits. */
const REVIEW_INTERVAL = 1000;

/**
 * Bounds the number of decoders that run at once, and shares them fairly by network: the waiter whose
 * network has the fewest is next. Among equals, waiters are served in their order, those under way
 * first.
 *
 * While somebody waits, slots that are not used are freed. A network with more than half of the slots
 * frees slots in use for another one.
 */
export class DecoderSemaphore {
  /** Number of slots. */
  readonly total: number;
  #clock: Clock;
  /** Slots that one network may keep while another one waits: half, rounded up. */
  #share: number;
  /** In the order in which they were given. */
  #held = new Set<Held>();
  #queue: Waiting[] = [];
  #isRelieving = false;
  /** Ends the wait for the next look. */
  #nextLook = new AbortController();

  constructor(total: number, { clock = MONOTONIC_CLOCK }: { clock?: Clock } = {}) {
    this.total = total;
    this.#clock = clock;
    this.#share = Math.ceil(total / 2);
  }

  /** Number of slots in use. */
  get taken(): number {
    return this.#held.size;
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
  async take(options: SlotOptions): Promise<Slot> {
    const { signal, network = "" } = options;
    if (this.#queue.length === 0 && this.taken < this.total) return this.#give(network);
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Slot>();
    const waiting = { ...options, network, position: 0, resolve };
    using _listener = onAbort(signal, () => {
      reject(signal.reason);
      this.#leave(waiting);
    });
    const behind = this.#queue.findIndex(({ isUnderWay = false }) => !isUnderWay);
    if (options.isUnderWay && behind >= 0) this.#queue.splice(behind, 0, waiting);
    else this.#queue.push(waiting);
    this.#notifyPositions();
    this.#relieve();
    return await promise;
  }

  /**
   * Whether the latest decoder of a network should give way to those of others: the network has more
   * slots than one peer needs, others have some, too, and no other network has more.
   *
   * @param network IPv4 address or IPv6 network of the peer
   * @param needed slots that one peer needs for what it does
   */
  isGreedy(network: string | undefined, needed: number): boolean {
    // Decoders that all visitors of the page share.
    if (network === undefined) return false;
    const counts = this.#counts();
    const count = counts.get(network) ?? 0;
    counts.delete(network);
    const isAlone = counts.size === 0;
    counts.delete("");
    return count > needed && !isAlone && count >= Math.max(0, ...counts.values());
  }

  /** Lets waiters go that need no slot any more, and frees slots for the others. */
  review(): void {
    this.#dropNeedless();
    this.#relieve();
  }

  #give(network: string): Slot {
    const slot: Slot = {
      get isLeaving() {
        return held.isLeaving;
      },
      [Symbol.dispose]: () => {
        if (this.#held.delete(held)) this.#serve();
      },
    };
    const held: Held = { network, slot, isLeaving: false };
    this.#held.add(held);
    return slot;
  }

  /** Gives free slots to those whose turn it is. */
  #serve(): void {
    this.#dropNeedless();
    while (this.taken < this.total) {
      const [next] = this.#order();
      if (next === undefined) return;
      next.resolve(this.#give(next.network));
      this.#leave(next);
    }
    // Positions depend on who has slots.
    this.#notifyPositions();
  }

  #dropNeedless(): void {
    for (const waiting of this.#queue.filter(({ isNeedless }) => isNeedless?.())) {
      waiting.resolve(NO_SLOT);
      this.#leave(waiting);
    }
  }

  #leave(waiting: Waiting): void {
    this.#queue = this.#queue.filter((other) => other !== waiting);
    if (this.#queue.length === 0) this.#nextLook.abort();
    this.#notifyPositions();
  }

  /** The waiters in the order in which they get slots. */
  #order(): Waiting[] {
    const counts = this.#counts();
    const lines = [...Map.groupBy(this.#queue, ({ network }) => network).values()];
    const places = new Map(this.#queue.map((waiting, at) => [waiting, at]));
    const order: Waiting[] = [];
    while (order.length < this.#queue.length) {
      const ranked = lines.filter(([first]) => first !== undefined).map((line) => ({
        line,
        count: counts.get(line[0].network) ?? 0,
        place: places.get(line[0])!,
      }));
      const { line, count } = ranked.reduce((a, b) =>
        b.count < a.count || (b.count === a.count && b.place < a.place) ? b : a
      );
      const next = line.shift()!;
      counts.set(next.network, count + 1);
      order.push(next);
    }
    return order;
  }

  /** Slots of each network, but for those that are being given up. */
  #counts(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { network, isLeaving } of this.#held) {
      if (!isLeaving) counts.set(network, (counts.get(network) ?? 0) + 1);
    }
    return counts;
  }

  #notifyPositions(): void {
    if (this.#queue.length === 0) return;
    for (const [at, waiting] of this.#order().entries()) {
      if (waiting.position === at + 1) continue;
      waiting.position = at + 1;
      waiting.onWait?.(waiting.position);
    }
  }

  /** Has slots freed for those who wait, now and as long as somebody does. */
  #relieve(): void {
    // A holder may free its slot at once.
    if (this.#isRelieving || this.#queue.length === 0) return;
    this.#isRelieving = true;
    while (true) {
      const leaving = [...this.#held].filter(({ isLeaving }) => isLeaving).length;
      const waiting = this.#order()[leaving];
      const found = waiting && this.#findFor(waiting);
      if (found === undefined) break;
      found.isLeaving = true;
      found.slot.holder?.giveUp();
    }
    this.#isRelieving = false;
    this.#notifyPositions();
    this.#nextLook.abort();
    if (this.#queue.length === 0) return;
    this.#nextLook = new AbortController();
    const idleIn = [...this.#held].map(({ slot }) => slot.holder?.idleIn ?? Infinity);
    const wait = Math.ceil(Math.min(REVIEW_INTERVAL, ...idleIn.filter((time) => time > 0)));
    // Aborted when nobody waits any more.
    this.#clock.sleep(wait, this.#nextLook.signal).then(() => this.review(), () => {});
  }

  /**
   * A slot to free for a waiter: one that is not used, or one in use of a network that has more than
   * its share. Of these, one of the network with the most; of those, the last one that was given,
   * since its holder has the least to make again.
   */
  #findFor({ network }: Waiting): Held | undefined {
    const counts = this.#counts();
    const staying = [...this.#held].filter(({ isLeaving }) => !isLeaving).reverse();
    const idle = staying.filter(({ slot: { holder } }) =>
      holder !== undefined && holder.idleIn <= 0
    );
    const isAbove = (held: Held) =>
      held.network !== network && (counts.get(held.network) ?? 0) > this.#share;
    const found = idle.length > 0
      ? idle
      : staying.filter((held) => held.slot.holder?.isMovable && isAbove(held));
    return found.toSorted((a, b) => counts.get(b.network)! - counts.get(a.network)!)[0];
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
