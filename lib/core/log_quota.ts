import { deadline } from "./deadline.ts";
import type { Logger } from "./log.ts";

/** Lines that one peer may cause within a window. */
const LIMIT = 20;

/** Milliseconds. */
const WINDOW = 1000;

/** What is known of a peer while its window lasts. */
interface Window {
  told: number;
  leftOut: number;
  end: Disposable;
}

/** Keeps one peer from filling the log: of its events, so many a second are told one by one. */
export class LogQuota implements Disposable {
  #logger: Logger;
  #limit: number;
  #window: number;
  /** Peers of the current second: no more than can do something in one. */
  #peers = new Map<string, Window>();

  constructor(
    logger: Logger,
    { limit = LIMIT, window = WINDOW }: { limit?: number; window?: number } = {},
  ) {
    this.#logger = logger;
    this.#limit = limit;
    this.#window = window;
  }

  /**
   * Whether one more event of a peer is to be told. Those that are not are counted, and told of in
   * one line at the end of the second.
   *
   * @param peer its address, without the port, of which it may have many
   */
  take(peer: string): boolean {
    let window = this.#peers.get(peer);
    if (window === undefined) {
      window = { told: 0, leftOut: 0, end: deadline(this.#window, () => this.#close(peer)) };
      this.#peers.set(peer, window);
    }
    if (window.told < this.#limit) {
      window.told++;
      return true;
    }
    window.leftOut++;
    return false;
  }

  /** Tells what was left out so far. */
  [Symbol.dispose](): void {
    for (const peer of [...this.#peers.keys()]) this.#close(peer);
  }

  #close(peer: string): void {
    const window = this.#peers.get(peer);
    if (window === undefined) return;
    this.#peers.delete(peer);
    window.end[Symbol.dispose]();
    const { leftOut } = window;
    if (leftOut === 0) return;
    this.#logger.log("warn", "further requests of this peer are not told one by one", {
      peer,
      requests: leftOut,
    });
  }
}
