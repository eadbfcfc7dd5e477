/** Reads fields of bits, as codecs pack their headers. */
import { FormatError } from "../../base/errors.ts";

/** Bits of the largest number that {@linkcode BitReader.bits} gives. */
const MAX_BITS = 32;

/**
 * Reads bits from the most significant one on, never beyond the end.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { BitReader } from "./bit_reader.ts";
 *
 * const reader = new BitReader(Uint8Array.of(0b1010_0011));
 * assertEquals([reader.bits(4), reader.flag(), reader.unsigned()], [10, false, 2]);
 * ```
 */
export class BitReader {
  #bytes: Uint8Array;
  /** Bits from the beginning. */
  #at = 0;

  /** Reads from the first bit of the bytes on. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Number of bits that are left. */
  get left(): number {
    return this.#bytes.byteLength * 8 - this.#at;
  }

  /** Number of bits before the next one. */
  get position(): number {
    return this.#at;
  }

  /**
   * Reads an unsigned number.
   *
   * @param count of bits, from 0 to 32
   * @throws {FormatError} if fewer are left
   */
  bits(count: number): number {
    if (count > MAX_BITS) throw new RangeError(`Cannot read ${count} bits at once`);
    this.#need(count);
    let value = 0;
    for (let left = count; left > 0;) {
      const available = 8 - this.#at % 8;
      const taken = Math.min(available, left);
      const byte = this.#bytes[this.#at >> 3];
      const part = (byte >> (available - taken)) & ((1 << taken) - 1);
      value = value * 2 ** taken + part;
      this.#at += taken;
      left -= taken;
    }
    return value;
  }

  /**
   * Reads one bit.
   *
   * @throws {FormatError} if none is left
   */
  flag(): boolean {
    return this.bits(1) === 1;
  }

  /**
   * Skips bits.
   *
   * @throws {FormatError} if fewer are left
   */
  skip(count: number): void {
    this.#need(count);
    this.#at += count;
  }

  /**
   * Reads `ue(v)`: an Exp-Golomb code of an unsigned number (ITU-T H.264, 9.1).
   *
   * @throws {FormatError} if the code is longer than a number of 32 bits, or than what is left
   */
  unsigned(): number {
    let zeros = 0;
    while (!this.flag()) {
      if (++zeros > MAX_BITS - 1) {
        throw new FormatError("Cannot read a header: an Exp-Golomb code has more than 31 zeros");
      }
    }
    return 2 ** zeros - 1 + this.bits(zeros);
  }

  /**
   * Reads `se(v)`: an Exp-Golomb code of a signed number (ITU-T H.264, 9.1.1).
   *
   * @throws {FormatError} as {@linkcode BitReader.unsigned} does
   */
  signed(): number {
    const code = this.unsigned();
    return code % 2 === 1 ? (code + 1) / 2 : code === 0 ? 0 : -code / 2;
  }

  #need(count: number): void {
    if (count <= this.left) return;
    throw new FormatError(
      `Cannot read a header: it has ${this.left} bits more, expected at least ${count}`,
    );
  }
}
