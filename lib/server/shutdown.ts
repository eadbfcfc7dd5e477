import { RequestError } from "../base/errors.ts";

/** What is said to whoever asks for something when the server ends. */
const ENDING = "Cannot serve now: the server is ending, try again later, or another one";

/**
 * How a server ends, as its sessions see it: first nothing new is begun, then what is still under
 * way is broken off. Both may come at once.
 */
export class Shutdown {
  #begun = new AbortController();
  #over = new AbortController();
  #responses = new Set<() => void>();

  /** Fires when nothing new is begun any more. Its reason is what a request is answered with. */
  get begun(): AbortSignal {
    return this.#begun.signal;
  }

  /** Fires when what is under way is broken off, for the same reason. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Calls back, with the reason, when nothing new is begun any more, unless disposed before. */
  whenBegun(callback: (reason: unknown) => void): Disposable {
    const { signal } = this.#begun;
    const tell = () => callback(signal.reason);
    if (signal.aborted) tell();
    else signal.addEventListener("abort", tell);
    return { [Symbol.dispose]: () => signal.removeEventListener("abort", tell) };
  }

  /** How many answers are under way. */
  get responses(): number {
    return this.#responses.size;
  }

  /**
   * Says that an answer begins, until what is returned is disposed.
   *
   * @param breakOff called where time is over before the answer is
   * @throws {RequestError} `busy` where nothing new is begun
   */
  response(breakOff: () => void): Disposable {
    this.#begun.signal.throwIfAborted();
    this.#responses.add(breakOff);
    return { [Symbol.dispose]: () => void this.#responses.delete(breakOff) };
  }

  /** Lets nothing new begin. Harmless when repeated. */
  begin(): void {
    this.#begun.abort(new RequestError("busy", ENDING));
  }

  /** Breaks off what is under way. Harmless when repeated. */
  breakOff(): void {
    this.begin();
    if (this.#over.signal.aborted) return;
    this.#over.abort(this.#begun.signal.reason);
    for (const breakOff of [...this.#responses]) breakOff();
  }
}
