/** Whether a server wants frames. */
export class Demand {
  #isPaused = false;
  #changed = new AbortController();

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Aborts at the next change. */
  get changed(): AbortSignal {
    return this.#changed.signal;
  }

  /** Takes an action that the server asks for: `pause` or `resume`; any other changes nothing. */
  take(action: unknown): void {
    if (action !== "pause" && action !== "resume") return;
    const isPaused = action === "pause";
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    this.#changed.abort();
    this.#changed = new AbortController();
  }
}
