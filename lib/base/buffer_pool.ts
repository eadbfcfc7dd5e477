/** Bytes of the smallest pooled buffer. Smaller ones are cheap to allocate. */
const MIN_POOLED_SIZE = 64 * 1024;

/**
 * Reuses a few large buffers, so that frames of equal size cost no allocation.
 *
 * A buffer belongs to its taker until it is given back; one that is not given back is
 * garbage-collected.
 */
export class BufferPool {
  #free: ArrayBuffer[] = [];
  #capacity: number;

  /** @param capacity free buffers to keep; further ones are dropped when given back */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /**
   * Takes a buffer of at least `size` bytes. It still has its previous content.
   *
   * @returns `undefined` if none is free; the caller then allocates one and gives that back later
   */
  take(size: number): ArrayBuffer | undefined {
    if (size < MIN_POOLED_SIZE) return undefined;
    const found = this.#free.findIndex((buffer) => buffer.byteLength >= size);
    if (found >= 0) return this.#free.splice(found, 1)[0];
    // Sizes have changed: drop one of the buffers that are too small.
    this.#free.shift();
    return undefined;
  }

  /** Gives back a buffer that is no longer in use. */
  give(buffer: ArrayBuffer): void {
    const isPooled = !buffer.detached && buffer.byteLength >= MIN_POOLED_SIZE;
    if (isPooled && this.#free.length < this.#capacity) this.#free.push(buffer);
  }
}
