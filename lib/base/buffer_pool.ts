/** Smaller buffers are left to the allocator, which is quick with them. */
const SMALLEST_POOLED = 64 * 1024;

/**
 * A few large buffers that go round, so that frames of equal size cost no allocation.
 *
 * Whoever takes a buffer owns it until it is given back; one that is never given back is simply
 * collected.
 */
export class BufferPool {
  #free: ArrayBuffer[] = [];
  #capacity: number;

  /** @param capacity buffers kept at the most; further ones are dropped when given back */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /**
   * Takes a buffer of at least `size` bytes, its content whatever its last user left.
   *
   * @returns `undefined` where none is free: the taker makes one, and gives that back later
   */
  take(size: number): ArrayBuffer | undefined {
    if (size < SMALLEST_POOLED) return undefined;
    const found = this.#free.findIndex((buffer) => buffer.byteLength >= size);
    if (found >= 0) return this.#free.splice(found, 1)[0];
    // Sizes have changed: one of the buffers that are too small makes way.
    this.#free.shift();
    return undefined;
  }

  /** Gives a buffer back. Nothing may be using it any more. */
  give(buffer: ArrayBuffer): void {
    const useful = !buffer.detached && buffer.byteLength >= SMALLEST_POOLED;
    if (useful && this.#free.length < this.#capacity) this.#free.push(buffer);
  }
}
