import { FormatError } from "../core/errors.ts";
import { FieldReader } from "./nut_fields.ts";
import {
  checksum,
  CHECKSUM_SIZE,
  LONG_PACKET,
  type PacketName,
  readUint32,
  START_CODE_SIZE,
  START_CODES,
} from "./nut_format.ts";

/** Bytes of the shortest packet: start code, length, checksum. */
export const MIN_PACKET_SIZE = START_CODE_SIZE + 1 + CHECKSUM_SIZE;

/** The known packets by the first half of their start codes. */
const NAMES = new Map(
  Object.entries(START_CODES).map(([name, { high }]) => [high as number, name as PacketName]),
);

/** A packet whose header has been read. */
export interface Packet {
  name: PacketName | undefined;
  /** Where the body begins. */
  bodyStart: number;
  /** Where the checksum behind the body begins. */
  bodyEnd: number;
}

/**
 * Reads the header of a packet (specification, section "packet_header").
 *
 * @returns `undefined` where it is not whole in `bytes`
 * @throws {FormatError} where its checksum or its length is wrong
 */
export function readPacketHeader(bytes: Uint8Array): Packet | undefined {
  if (bytes.length <= START_CODE_SIZE) return undefined;
  const fields = new FieldReader(bytes, START_CODE_SIZE);
  const forward = fields.exact("packet length");
  const checked = forward > LONG_PACKET;
  if (checked) fields.take(CHECKSUM_SIZE);
  if (fields.short) return undefined;
  if (checked) verify(bytes, "packet header", [0, fields.at - CHECKSUM_SIZE]);
  if (forward < CHECKSUM_SIZE) {
    throw new FormatError(
      `Cannot read NUT "packet length": ${forward} bytes, expected at least ${CHECKSUM_SIZE}`,
    );
  }
  const bodyEnd = fields.at + forward - CHECKSUM_SIZE;
  return { name: packetName(bytes), bodyStart: fields.at, bodyEnd };
}

function packetName(bytes: Uint8Array): PacketName | undefined {
  const [high, low] = [readUint32(bytes, 0), readUint32(bytes, 4)];
  const name = NAMES.get(high);
  return name !== undefined && START_CODES[name].low === low ? name : undefined;
}

/**
 * Compares the checksum of `bytes[start]` … `bytes[end - 1]` with the one stored behind them.
 *
 * @param name what the bytes are, for the error
 * @throws {FormatError} where they differ
 */
export function verify(
  bytes: Uint8Array,
  name: string,
  [start, end]: readonly [start: number, end: number],
): void {
  const [found, stored] = [checksum(bytes, start, end), readUint32(bytes, end)];
  if (found === stored) return;
  throw new FormatError(
    `Cannot read NUT "${name}": checksum ${hex(found)}, expected ${hex(stored)}`,
  );
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}

/** @throws {FormatError} where `value` is above `limit` */
export function refuseOver(name: string, value: number, limit: number): void {
  if (value > limit) {
    throw new FormatError(`Cannot read NUT "${name}": ${value}, expected at most ${limit}`);
  }
}
