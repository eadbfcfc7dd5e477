/**
 * Calls a source a bounded number of items ahead of whoever takes them, so that reading the next
 * overlaps with using this one. Calls never overlap each other.
 */
export class ReadAhead<T> {
  #next: () => Promise<T | undefined>;
  #slots: Promise<T | undefined>[] = [];
  #last: Promise<T | undefined> | undefined;
  #depth: number;

  /**
   * @param next gives the next item, `undefined` at the end
   * @param depth items asked for beyond the one taken
   */
  constructor(next: () => Promise<T | undefined>, depth: number) {
    this.#next = next;
    this.#depth = depth;
  }

  /**
   * Takes the next item.
   *
   * @returns `undefined` at the end, and ever after
   * @throws whatever the source threw, and ever after
   */
  take(): Promise<T | undefined> {
    while (this.#slots.length <= this.#depth) this.#ask();
    return this.#slots.shift()!;
  }

  #ask(): void {
    const slot = this.#last === undefined
      ? this.#next()
      : this.#last.then((item) => item === undefined ? undefined : this.#next());
    // A failure that nobody takes any more is no news to anybody.
    slot.catch(() => {});
    this.#last = slot;
    this.#slots.push(slot);
  }
}
