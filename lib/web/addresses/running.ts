/** What runs for several readers at once. */
import { RequestError } from "../../base/errors.ts";

/** Something that is made for all who ask for it. */
export interface Running {
  /** Resolves when it has ended. Never rejects. */
  readonly ended: Promise<void>;
  /** It is about to end: who asks now needs another one. */
  readonly isEnding: boolean;
}

/** Starts what is asked for once, however many ask, and limits how much runs at once. */
export class Sharing<T extends Running> {
  #max: number;
  #what: string;
  #shared = new Map<string, T>();
  #running = new Set<T>();

  /**
   * @param max that run at once
   * @param what runs, for the error: a plural
   */
  constructor(max: number, what: string) {
    this.#max = max;
    this.#what = what;
  }

  /**
   * Gives what runs under a key, or starts it.
   *
   * @throws {RequestError} `busy` if as many run as may
   */
  share(key: string, create: () => T): T {
    const found = this.#shared.get(key);
    if (found?.isEnding === false) return found;
    const started = this.start(create);
    this.#shared.set(key, started);
    started.ended.then(() => {
      if (this.#shared.get(key) === started) this.#shared.delete(key);
    });
    return started;
  }

  /**
   * Starts what nobody shares.
   *
   * @throws {RequestError} `busy` if as many run as may
   */
  start(create: () => T): T {
    if (this.#running.size >= this.#max) {
      const reason = `the server makes ${this.#max} ${this.#what} already, try again later`;
      throw new RequestError("busy", `Cannot begin: ${reason}`);
    }
    const started = create();
    this.#running.add(started);
    started.ended.then(() => this.#running.delete(started));
    return started;
  }

  /** What runs under a key, if anything does. */
  find(key: string): T | undefined {
    return this.#shared.get(key);
  }

  /** Everything that runs. */
  get running(): Iterable<T> {
    return this.#running;
  }

  /** Waits until everything has ended. */
  async ended(): Promise<void> {
    await Promise.all([...this.#running].map(({ ended }) => ended));
  }
}
