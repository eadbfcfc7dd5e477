import { deadline } from "../../base/async.ts";

/**
 * The time for a request to arrive: from when the server begins to wait for its first byte, with the
 * TLS handshake before it, until it is complete.
 */
export class RequestTimeout implements Disposable {
  /** Called when the time is over. */
  onExpiry: () => void;
  readonly #milliseconds: number;
  #limit: Disposable | undefined;

  constructor(milliseconds: number, onExpiry: () => void) {
    this.#milliseconds = milliseconds;
    this.onExpiry = onExpiry;
  }

  /** Begins to wait, unless that has begun. */
  start(): void {
    this.#limit ??= deadline(this.#milliseconds, () => this.onExpiry());
  }

  /** Ends the wait, since the request is there. */
  end(): void {
    this.#limit?.[Symbol.dispose]();
    this.#limit = undefined;
  }

  [Symbol.dispose](): void {
    this.end();
  }
}
