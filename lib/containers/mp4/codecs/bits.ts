/** Bits of small headers. */

/** Reads numbers of any number of bits, most significant first; behind the end, all bits are 0. */
export class BitReader {
  #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bits that are left; negative behind the end. */
  get left(): number {
    return 8 * this.#bytes.byteLength - this.#at;
  }

  /** Reads a number of up to 31 bits. */
  read(count: number): number {
    let value = 0;
    for (; count > 0; count--, this.#at++) {
      const byte = this.#bytes[this.#at >> 3] ?? 0;
      value = value * 2 + (byte >> (7 - (this.#at & 7)) & 1);
    }
    return value;
  }

  /** Reads a number that stays to be read. */
  peek(count: number): number {
    const value = this.read(count);
    this.#at -= count;
    return value;
  }

  /** Reads an Exp-Golomb number (ITU-T H.264, 9.1); `undefined` for one of more than 16 bits. */
  readUnary(): number | undefined {
    let zeros = 0;
    while (zeros <= 16 && this.read(1) === 0) zeros++;
    return zeros > 16 ? undefined : 2 ** zeros - 1 + this.read(zeros);
  }
}
