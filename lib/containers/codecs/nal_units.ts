/** NAL units of H.264 and HEVC as MP4 and Matroska store them. */
import { FormatError } from "../../base/errors.ts";

/**
 * Splits a packet into NAL units with a length in front of each (ISO/IEC 14496-15).
 *
 * @param lengthSize bytes of a length
 * @returns views on the packet
 * @throws {FormatError} if a unit is empty or ends behind the packet
 */
export function splitNalUnits(packet: Uint8Array, lengthSize: number): Uint8Array[] {
  const units: Uint8Array[] = [];
  for (let at = 0; at < packet.byteLength;) {
    const start = at + lengthSize;
    let length = 0;
    for (; at < start; at++) length = length * 256 + (packet[at] ?? Infinity);
    if (length === 0 || start + length > packet.byteLength) {
      throw new FormatError(`Cannot split a packet: a NAL unit has ${length} bytes`);
    }
    at = start + length;
    units.push(packet.subarray(start, at));
  }
  return units;
}

/**
 * The raw bytes of a NAL unit: without the bytes that keep start codes from occurring in it (ITU-T
 * H.264, 7.3.1).
 */
export function unescape(unit: Uint8Array): Uint8Array {
  const raw = new Uint8Array(unit.byteLength);
  let length = 0;
  let zeros = 0;
  for (const byte of unit) {
    const isEscape = zeros >= 2 && byte === 3;
    zeros = byte === 0 ? zeros + 1 : 0;
    if (!isEscape) raw[length++] = byte;
  }
  return raw.subarray(0, length);
}

/** Reads the fields of a decoder's configuration, none of which goes beyond its end. */
export class ConfigurationReader {
  #bytes: Uint8Array;
  #at = 0;

  /** Reads from the first byte on. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** @throws {FormatError} at the end */
  byte(): number {
    return this.take(1)[0];
  }

  /**
   * Reads a NAL unit with a length of two bytes in front.
   *
   * @throws {FormatError} if it ends behind the configuration
   */
  unit(): Uint8Array {
    return this.take(this.byte() * 256 + this.byte());
  }

  /** @throws {FormatError} if fewer bytes are left */
  take(count: number): Uint8Array {
    const end = this.#at + count;
    if (end > this.#bytes.byteLength) {
      throw new FormatError(
        `Cannot read a configuration: it has ${this.#bytes.byteLength} bytes, expected ${end}`,
      );
    }
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

/** Whether two byte sequences are the same. */
export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, at) => byte === b[at]);
}
