import { networkOf } from "../net/address.ts";
import type { Refusal } from "./metrics/metrics.ts";

/** Limits on connections at once. */
export interface ConnectionLimits {
  total: number;
  /** From one IPv4 address or IPv6 network; 0 for no such limit. */
  perAddress: number;
}

/** A connection's slot, or the reason why it gets none, until disposed. */
export interface ConnectionSlot extends Disposable {
  refusal?: Refusal;
}

/** Connections without a slot that may be open to receive the reason; others are closed at once. */
const MAX_REFUSALS = 16;

/** Hands out the connection slots of a server. */
export class ConnectionLimiter {
  #limits: ConnectionLimits;
  #taken = 0;
  #refusals = 0;
  /** Slots taken, by network. */
  #byNetwork = new Map<string, number>();

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  get taken(): number {
    return this.#taken;
  }

  /**
   * Takes a slot for a peer, or reports why there is none.
   *
   * @returns `undefined` if too many refused peers are connected already
   */
  take(address: string): ConnectionSlot | undefined {
    const network = networkOf(address);
    const refusal = this.#refusalOf(network);
    if (refusal !== undefined && this.#refusals >= MAX_REFUSALS) return undefined;
    this.#count(network, refusal, 1);
    let held = true;
    return {
      refusal,
      [Symbol.dispose]: () => {
        if (held) this.#count(network, refusal, -1);
        held = false;
      },
    };
  }

  #refusalOf(network: string): Refusal | undefined {
    const { total, perAddress } = this.#limits;
    const own = this.#byNetwork.get(network) ?? 0;
    if (perAddress > 0 && own >= perAddress) return "address";
    return this.#taken >= total ? "full" : undefined;
  }

  #count(network: string, refusal: Refusal | undefined, change: 1 | -1): void {
    if (refusal !== undefined) {
      this.#refusals += change;
      return;
    }
    this.#taken += change;
    const own = (this.#byNetwork.get(network) ?? 0) + change;
    if (own === 0) this.#byNetwork.delete(network);
    else this.#byNetwork.set(network, own);
  }
}
