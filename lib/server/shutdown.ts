/** The stages of a shutdown: at first no new responses, then none at all. */
import { onAbort } from "../base/async.ts";
import { RequestError } from "../base/errors.ts";

/** Message to clients that ask for something during a shutdown. */
const ENDING = "Cannot serve now: the server is ending, try again later, or another one";

/**
 * State of a server's shutdown, shared with its sessions. While it is draining, responses go on but
 * none begins; once it is stopped, they are cut. Both may come at once.
 */
export class Shutdown {
  #draining = new AbortController();
  #stopped = new AbortController();
  #responses = new Set<() => void>();

  /** Aborts when draining begins. Its reason is the error that new requests get. */
  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  /** Aborts when responses are cut, for the same reason. */
  get stopped(): AbortSignal {
    return this.#stopped.signal;
  }

  /** Runs an action, with the reason, when draining begins, unless disposed before. */
  onDraining(action: (reason: unknown) => void): Disposable {
    const { signal } = this.#draining;
    return onAbort(signal, () => action(signal.reason));
  }

  /**
   * Runs an action when responses are cut, unless disposed before. In contrast to a response, it is
   * not waited for.
   *
   * @throws {RequestError} `busy` if the server is draining
   */
  onStopped(action: () => void): Disposable {
    this.#draining.signal.throwIfAborted();
    return onAbort(this.#stopped.signal, action);
  }

  get responses(): number {
    return this.#responses.size;
  }

  /**
   * Registers a response until it is disposed.
   *
   * @param stop called if the response has to be cut
   * @throws {RequestError} `busy` if the server is draining
   */
  addResponse(stop: () => void): Disposable {
    this.#draining.signal.throwIfAborted();
    this.#responses.add(stop);
    return { [Symbol.dispose]: () => void this.#responses.delete(stop) };
  }

  /** Refuses new requests. Harmless when repeated. */
  drain(): void {
    this.#draining.abort(new RequestError("busy", ENDING));
  }

  /** Cuts the responses under way. Harmless when repeated. */
  stop(): void {
    this.drain();
    if (this.#stopped.signal.aborted) return;
    this.#stopped.abort(this.#draining.signal.reason);
    for (const stop of [...this.#responses]) stop();
  }
}
