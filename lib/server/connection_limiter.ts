import { networkOf } from "../net/address.ts";
import type { Refusal } from "./metrics/metrics.ts";

/** How many peers may be served at once. */
export interface ConnectionLimits {
  /** All together. */
  total: number;
  /** From one address; 0 for no limit of its own. */
  perAddress: number;
}

/** A peer's place, or why it has none, until disposed. */
export interface ConnectionSlot extends Disposable {
  refusal?: Refusal;
}

/** Peers beyond the limits that are told so at once; further ones are just closed. */
const MAX_REFUSALS = 16;

/** The places of a server. Those who are told that there is none take nobody's. */
export class ConnectionLimiter {
  #limits: ConnectionLimits;
  #taken = 0;
  #refusals = 0;
  /** By what counts as one address, of those who have a place. */
  #byNetwork = new Map<string, number>();

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** How many are taken. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Gives a peer a place, or the reason why it gets none.
   *
   * @returns `undefined` where there are too many already who are being told such a reason
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
