/** What is kept for a while. */
export interface Kept {
  bytes: Uint8Array<ArrayBuffer>;
}

/** Keeps what was used last, up to a number of bytes. */
export class ByteCache<T extends Kept> {
  #items = new Map<string, T>();
  #limit: number;
  #size = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** What is kept under a key. */
  get(key: string): T | undefined {
    const found = this.#items.get(key);
    if (found === undefined) return undefined;
    // The map keeps the order: what was used last comes last.
    this.#items.delete(key);
    this.#items.set(key, found);
    return found;
  }

  /** Keeps something, in place of what was used longest ago; nothing larger than all of it. */
  set(key: string, item: T): void {
    this.delete(key);
    if (item.bytes.byteLength > this.#limit) return;
    this.#items.set(key, item);
    this.#size += item.bytes.byteLength;
    for (const oldest of this.#items.keys()) {
      if (this.#size <= this.#limit) break;
      this.delete(oldest);
    }
  }

  /** Keeps it no longer. */
  delete(key: string): void {
    this.#size -= this.#items.get(key)?.bytes.byteLength ?? 0;
    this.#items.delete(key);
  }
}
