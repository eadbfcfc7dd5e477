/** Reads and writes the fields of NUT: numbers of variable length, and bytes. */
import { FormatError } from "../base/errors.ts";
import { checksum, CHECKSUM_SIZE, LONG_PACKET, type StartCode } from "./format.ts";

/** Bytes of the longest number: 64 bits, seven per byte. */
export const MAX_VARINT_SIZE = 10;

/**
 * Reads the fields of NUT in order: numbers of variable length (seven bits per byte, most significant
 * first, the top bit set in all but the last) and byte strings.
 *
 * Past the end of the bytes, fields are zero or empty and {@linkcode FieldReader.short} is set, so
 * that a caller checks once after several fields.
 */
export class FieldReader {
  /** Whether a field did not end within the bytes. */
  short = false;

  /**
   * @param at position of the next byte
   * @param end position after the last byte to read
   */
  constructor(
    readonly bytes: Uint8Array,
    public at = 0,
    readonly end = bytes.length,
  ) {}

  /** Bytes not yet read. */
  get left(): number {
    return this.end - this.at;
  }

  /**
   * Reads a number that may be rounded, if it is beyond 2^53.
   *
   * @throws {FormatError} if it does not end within {@linkcode MAX_VARINT_SIZE} bytes
   */
  loose(): number {
    const { bytes, end } = this;
    const limit = Math.min(end, this.at + MAX_VARINT_SIZE);
    let value = 0;
    for (let at = this.at; at < limit; at++) {
      const byte = bytes[at];
      if (byte < 128) {
        this.at = at + 1;
        return value * 128 + byte;
      }
      value = value * 128 + byte - 128;
    }
    if (limit === this.at + MAX_VARINT_SIZE) {
      throw new FormatError(
        `Cannot read a NUT number: it goes on after ${MAX_VARINT_SIZE} bytes, expected its end`,
      );
    }
    this.at = end;
    this.short = true;
    return 0;
  }

  /**
   * Reads a number.
   *
   * @param name of the field, for the error
   * @throws {FormatError} if it is beyond 2^53
   */
  exact(name: string): number {
    const value = this.loose();
    if (value > Number.MAX_SAFE_INTEGER) {
      throw new FormatError(`Cannot read NUT "${name}": ${value}, expected less than 2^53`);
    }
    return value;
  }

  /**
   * Reads a signed number: 0, 1, -1, 2, -2 … are stored as 0, 1, 2, 3, 4 …
   *
   * @throws {FormatError} if it is beyond 2^53
   */
  signed(name: string): number {
    const value = this.exact(name);
    return value % 2 === 1 ? (value + 1) / 2 : -value / 2;
  }

  /** Reads `count` bytes as a view. */
  take(count: number): Uint8Array {
    if (count > this.left) {
      this.at = this.end;
      this.short = true;
      return this.bytes.subarray(this.end, this.end);
    }
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  /**
   * @param name of the structure, for the error
   * @throws {FormatError} if a field did not end within the bytes
   */
  refuseShort(name: string): void {
    if (this.short) {
      throw new FormatError(
        `Cannot read NUT "${name}": it ends inside a field, expected more bytes`,
      );
    }
  }
}

/** Writes the fields that {@linkcode FieldReader} reads. */
export class FieldWriter {
  #bytes = new Uint8Array(64);
  #length = 0;

  /** Bytes written. */
  get length(): number {
    return this.#length;
  }

  /** Writes a whole number from 0 to 2^53 - 1. */
  varint(value: number): void {
    let size = 1;
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
    this.#makeRoom(size);
    let rest = value;
    for (let at = this.#length + size - 1; at >= this.#length; at--) {
      const last = at === this.#length + size - 1;
      this.#bytes[at] = (rest % 128) | (last ? 0 : 128);
      rest = Math.floor(rest / 128);
    }
    this.#length += size;
  }

  /** Writes a signed whole number. */
  signed(value: number): void {
    this.varint(value > 0 ? value * 2 - 1 : -value * 2);
  }

  /** Writes four bytes, big-endian. */
  uint32(value: number): void {
    this.raw([value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]);
  }

  /** Writes bytes as they are. */
  raw(bytes: ArrayLike<number>): void {
    this.#makeRoom(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Writes bytes after their count. */
  string(bytes: ArrayLike<number>): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** Writes the checksum of the bytes from `start` on. */
  checksum(start: number): void {
    this.uint32(checksum(this.#bytes, start, this.#length));
  }

  /** Writes a packet: header, body and checksums. */
  packet(startCode: StartCode, body: Uint8Array): void {
    const start = this.#length;
    const forward = body.length + CHECKSUM_SIZE;
    this.uint32(startCode.high);
    this.uint32(startCode.low);
    this.varint(forward);
    if (forward > LONG_PACKET) this.checksum(start);
    const bodyStart = this.#length;
    this.raw(body);
    this.checksum(bodyStart);
  }

  /** The written bytes, as a view. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  #makeRoom(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#length + count, this.#bytes.length * 2));
    larger.set(this.finish());
    this.#bytes = larger;
  }
}
