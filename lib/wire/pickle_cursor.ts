import { refuse } from "./pickle_items.ts";

/** Reads a pickle's bytes in order; every length is checked against what there is. */
export class PickleCursor {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#at;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.byteLength - this.#at;
  }

  /** @throws {FormatError} at the end, as the methods below */
  uint8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** Rounded above 2^53, where it is far more than any pickle holds. */
  uint64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  /** The next `length` bytes, as a view. */
  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** The bytes up to the next end of line, as a view; at most `longest` of them. */
  line(longest: number): Uint8Array {
    const rest = this.#bytes.subarray(this.#at, this.#at + longest + 1);
    const length = rest.indexOf(0x0a);
    if (length < 0) refuse("name without an end", `an end of line in ${longest} bytes`);
    this.#at += length + 1;
    return rest.subarray(0, length);
  }

  /** @throws {FormatError} unless `length` more bytes are there */
  require(length: number): void {
    if (length > this.left) {
      refuse(`${this.left} bytes left after byte ${this.#at}`, `${length} more`);
    }
  }

  #take(length: number): number {
    this.require(length);
    const start = this.#at;
    this.#at += length;
    return start;
  }
}
