/** Callbacks of those who want to know of changes. */

/** Calls back everybody who has subscribed. */
export class Changes<Change extends readonly unknown[] = []> {
  #callbacks = new Set<(...change: Change) => void>();

  /** Number of subscribers. */
  get subscribers(): number {
    return this.#callbacks.size;
  }

  /** Calls back at each change, until the result is disposed. */
  subscribe(callback: (...change: Change) => void): Disposable {
    // Of its own, so that a function may subscribe twice.
    const own = (...change: Change) => callback(...change);
    this.#callbacks.add(own);
    return { [Symbol.dispose]: () => void this.#callbacks.delete(own) };
  }

  /** Reports a change. */
  notify(...change: Change): void {
    for (const callback of [...this.#callbacks]) callback(...change);
  }
}
