import { type Clock, MONOTONIC_CLOCK } from "../base/clock.ts";
import { networkOf } from "../net/address.ts";
import type { Refusal } from "./metrics/records.ts";

/** Limits on connections at once. */
export interface ConnectionLimits {
  total: number;
  /** From one IPv4 address or IPv6 network; 0 for no such limit. */
  perAddress: number;
}

/** A connection's slot, or the reason why it gets none, until disposed. */
export interface ConnectionSlot extends Disposable {
  readonly refusal?: Refusal;
  /**
   * Aborts when the connection has to give way, and then has no slot any more, or when it has waited
   * longest to be told the refusal.
   */
  readonly yielded: AbortSignal;
  /**
   * Notes that a request is served, until disposed: meanwhile the connection gives way only if its
   * network has more than half of all slots.
   */
  serve(): Disposable;
}

/**
 * Connections without a slot that may be open to receive the reason, and as many that have given
 * way. More than a class that connects at the same moment.
 */
const MAX_WAITING = 256;

/** Milliseconds in which a network that was refused is expected to try again. */
const SHARED = 60_000;

interface Place {
  network: string;
  yielding: AbortController;
  /** Closes the connection at once. */
  close: () => void;
  /** Requests being served. */
  serving: number;
}

/**
 * Hands out the connection slots of a server. If all are taken, the connection that has been idle
 * for longest gives way to a new one. A network with half of all slots takes none from others, gets
 * none for a minute after another network was refused, and gives way first if it has more.
 */
export class ConnectionLimiter {
  #limits: ConnectionLimits;
  #clock: Clock;
  /** Clock time until which a network with half of all slots gets no further one. */
  #sharedUntil = -Infinity;
  /** Those with a slot. */
  #held = new Set<Place>();
  /** Those of them that serve nothing; the longest idle comes first. */
  #idle = new Set<Place>();
  /** Slots taken, by network. */
  #byNetwork = new Map<string, number>();
  /** Those without a slot; the oldest comes first. */
  #refused = new Set<Place>();
  /** Those that have given way; the oldest comes first. */
  #leaving = new Set<Place>();

  constructor(limits: ConnectionLimits, clock: Clock = MONOTONIC_CLOCK) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get taken(): number {
    return this.#held.size;
  }

  /**
   * Takes a slot for a peer, or reports why there is none.
   *
   * @param close closes the connection if too many others have given way after it
   */
  take(address: string, close: () => void): ConnectionSlot {
    const network = networkOf(address);
    const place: Place = { network, yielding: new AbortController(), close, serving: 0 };
    const refusal = this.#refusalOf(network);
    if (refusal === undefined) {
      this.#count(network, 1);
      this.#held.add(place);
      this.#idle.add(place);
    } else {
      this.#refused.add(place);
      if (this.#refused.size > MAX_WAITING) this.#dismiss(oldestOf(this.#refused));
    }
    return {
      refusal,
      yielded: place.yielding.signal,
      serve: () => this.#serve(place),
      [Symbol.dispose]: () => this.#remove(place),
    };
  }

  /** Makes room for a connection of a network, if it may have a slot. */
  #refusalOf(network: string): Refusal | undefined {
    const { total, perAddress } = this.#limits;
    const own = this.#countOf(network);
    if (perAddress > 0 && own >= perAddress) return "address";
    const hasHalf = own >= total / 2;
    const now = this.#clock.now();
    const isFree = this.#held.size < total && !(hasHalf && now < this.#sharedUntil);
    if (isFree) return undefined;
    const leaving = this.#idleFor(network, { hasHalf }) ??
      (hasHalf ? undefined : this.#newestBeyondHalf());
    if (leaving !== undefined) {
      this.#dismiss(leaving);
      return undefined;
    }
    if (!hasHalf) this.#sharedUntil = now + SHARED;
    return "full";
  }

  /** The connection that gives way to one of a network. */
  #idleFor(network: string, { hasHalf }: { hasHalf: boolean }): Place | undefined {
    const half = this.#limits.total / 2;
    const first = this.#idle.values().find((place) =>
      hasHalf ? place.network === network : this.#countOf(place.network) > half
    );
    return first ?? (hasHalf ? undefined : oldestOf(this.#idle));
  }

  /** The connection that came last of a network with more than half of all slots. */
  #newestBeyondHalf(): Place | undefined {
    const half = Math.ceil(this.#limits.total / 2);
    return [...this.#held].findLast(({ network }) => this.#countOf(network) > half);
  }

  #dismiss(place: Place | undefined): void {
    if (place === undefined) return;
    this.#remove(place);
    this.#leaving.add(place);
    place.yielding.abort();
    if (this.#leaving.size <= MAX_WAITING) return;
    const oldest = oldestOf(this.#leaving);
    if (oldest !== undefined) {
      this.#leaving.delete(oldest);
      oldest.close();
    }
  }

  #serve(place: Place): Disposable {
    place.serving++;
    this.#idle.delete(place);
    let isServing = true;
    return {
      [Symbol.dispose]: () => {
        if (isServing && --place.serving === 0 && this.#held.has(place)) this.#idle.add(place);
        isServing = false;
      },
    };
  }

  #remove(place: Place): void {
    if (this.#held.delete(place)) this.#count(place.network, -1);
    for (const places of [this.#idle, this.#refused, this.#leaving]) places.delete(place);
  }

  #countOf(network: string): number {
    return this.#byNetwork.get(network) ?? 0;
  }

  #count(network: string, change: 1 | -1): void {
    const own = this.#countOf(network) + change;
    if (own === 0) this.#byNetwork.delete(network);
    else this.#byNetwork.set(network, own);
  }
}

function oldestOf(places: ReadonlySet<Place>): Place | undefined {
  return places.values().next().value;
}
