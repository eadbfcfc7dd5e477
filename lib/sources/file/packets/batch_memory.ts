/** Memory that packets are read into, used again and again. */
import { BufferPool } from "../../../base/buffer_pool.ts";

/** Bytes of a piece: those of a batch of packets, and of one gap between them that is read, too. */
const PIECE_SIZE = 72 * 1024;

/** Pieces that are kept for the next batch of any viewer. */
const MAX_FREE = 64;

/** Memory for batches of packets, shared by all viewers: new memory costs more than to fill it. */
export class BatchMemory {
  #pool = new BufferPool(MAX_FREE);
  /**
   * Uses of each piece, most by packets that lie in it. Pieces of viewers who left are dropped, and
   * memory of others is none of them, whatever its size.
   */
  #uses = new WeakMap<ArrayBuffer, number>();

  /** Gives memory for a batch of at most so many bytes, or more. */
  allocate = (bytes: number): Uint8Array<ArrayBuffer> => {
    if (bytes > PIECE_SIZE) return new Uint8Array(bytes);
    const piece = this.#pool.take(PIECE_SIZE) ?? new ArrayBuffer(PIECE_SIZE);
    this.#uses.set(piece, 0);
    return new Uint8Array(piece);
  };

  /** Notes a use of a piece. */
  hold(piece: ArrayBuffer): void {
    const uses = this.#uses.get(piece);
    if (uses !== undefined) this.#uses.set(piece, uses + 1);
  }

  /** Notes the end of a use: with the last one, the piece is free. */
  release(piece: ArrayBuffer): void {
    const uses = this.#uses.get(piece);
    if (uses === undefined) return;
    if (uses > 1) {
      this.#uses.set(piece, uses - 1);
      return;
    }
    this.#uses.delete(piece);
    this.#pool.give(piece);
  }
}
