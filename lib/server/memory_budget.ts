import { RequestError } from "../core/errors.ts";

/**
 * What the frames of all viewers together may take of the memory. A viewer may ask for large
 * frames, and there may be many viewers; what all of them ask for has to have an end.
 */
export class MemoryBudget {
  #limit: number;
  #taken = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that are taken now. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Takes a part, until what is returned is disposed.
   *
   * @param bytes how much
   * @throws {RequestError} `busy` where so much is not left
   */
  take(bytes: number): Disposable {
    if (this.#taken + bytes > this.#limit) {
      const megabytes = (amount: number) => `${Math.ceil(amount / 1e6)} MB`;
      throw new RequestError(
        "busy",
        `Cannot serve now: frames of this size take ${megabytes(bytes)}, and ` +
          `${megabytes(this.#limit - this.#taken)} are left; ask for a smaller size, or later`,
      );
    }
    this.#taken += bytes;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#taken -= bytes;
        held = false;
      },
    };
  }
}
