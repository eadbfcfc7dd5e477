/** Reads the packets and frame headers of NUT. */
import { FormatError } from "../base/errors.ts";
import type { Rational } from "../media/frame.ts";
import { FieldReader } from "./fields.ts";
import {
  checksum,
  CHECKSUM_SIZE,
  FLAGS,
  LONG_PACKET,
  type PacketName,
  readUint32,
  START_CODE_SIZE,
  START_CODES,
} from "./format.ts";
import { type FrameCode, MAX_RESERVED_FIELDS } from "./headers.ts";

/** Bytes of the shortest packet: start code, length, checksum. */
export const MIN_PACKET_SIZE = START_CODE_SIZE + 1 + CHECKSUM_SIZE;

/** Names of the known packets by the first half of their start codes. */
const NAMES = new Map(
  Object.entries(START_CODES).map(([name, { high }]) => [high as number, name as PacketName]),
);

/** The header of a packet. */
export interface Packet {
  /** `undefined` for reserved packets. */
  name: PacketName | undefined;
  /** Position of the body. */
  bodyStart: number;
  /** Position of the checksum after the body. */
  bodyEnd: number;
}

/**
 * Reads the header of a packet (specification, section "packet_header").
 *
 * @returns `undefined` if it is incomplete
 * @throws {FormatError} if its checksum or its length is wrong
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
 * Compares the checksum of `bytes[start]` … `bytes[end - 1]` with the one stored after them.
 *
 * @param name of the structure, for the error
 * @throws {FormatError} if they differ
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

/** @throws {FormatError} if `value` is above `limit` */
export function refuseOver(name: string, value: number, limit: number): void {
  if (value > limit) {
    throw new FormatError(`Cannot read NUT "${name}": ${value}, expected at most ${limit}`);
  }
}

/** The stored fields of a frame header. */
export interface FrameFields {
  flags: number;
  streamId: number;
  /** As stored; -1 if there is none. */
  codedPts: number;
  /** Bytes of the frame, including elided ones. */
  size: number;
  /** Index of the elision header; 0 for none. */
  headerIndex: number;
  /** Bytes of the frame header, including its checksum. */
  length: number;
}

/**
 * Reads a frame header (specification, section "frame_header"). Does not check the values.
 *
 * @param bytes begin with the frame code
 * @param code the row of the frame code
 * @returns `undefined` if the header is incomplete
 * @throws {FormatError} if a number is too long, or there are too many reserved fields
 */
export function readFrameFields(bytes: Uint8Array, code: FrameCode): FrameFields | undefined {
  const fields = new FieldReader(bytes, 1);
  const flags = code.flags & FLAGS.coded ? code.flags ^ fields.loose() : code.flags;
  const streamId = flags & FLAGS.streamId ? fields.loose() : code.streamId;
  const codedPts = flags & FLAGS.codedPts ? fields.exact("timestamp") : -1;
  const sizeMsb = flags & FLAGS.sizeMsb ? fields.exact("frame size") : 0;
  if (flags & FLAGS.matchTime) fields.loose();
  const headerIndex = flags & FLAGS.headerIndex ? fields.loose() : code.headerIndex;
  const reserved = flags & FLAGS.reserved ? fields.loose() : code.reservedCount;
  refuseOver("reserved field count", reserved, MAX_RESERVED_FIELDS);
  for (let field = 0; field < reserved; field++) fields.loose();
  if (flags & FLAGS.checksum) fields.take(CHECKSUM_SIZE);
  if (fields.short) return undefined;
  const size = code.sizeLsb + code.sizeMul * sizeMsb;
  return { flags, streamId, codedPts, size, headerIndex, length: fields.at };
}

/**
 * Removes the side data and meta data that NUT version 4 puts in front of a frame's data
 * (specification, section "side_data / meta_data"; frame flag SM_DATA).
 *
 * @param payload all bytes of a frame with `sideData`
 * @returns a view on the frame's data
 * @throws {FormatError} if the side data does not end within the payload
 */
export function stripSideData(payload: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const fields = new FieldReader(payload);
  skipEntries(fields); // side data
  skipEntries(fields); // meta data
  return payload.subarray(fields.at);
}

/** Skips a counted list of names with typed values. */
function skipEntries(fields: FieldReader): void {
  const count = fields.loose();
  for (let entry = 0; entry < count && !fields.short; entry++) {
    fields.take(fields.loose()); // name
    skipValue(fields);
  }
  fields.refuseShort("side data");
}

/** Skips a value. A negative first field is a type, any other is the value itself. */
function skipValue(fields: FieldReader): void {
  const code = fields.loose();
  // Stored even numbers stand for zero and below: 2 for -1, 4 for -2 and so on.
  if (code === 0 || code % 2 === 1) return;
  if (code === 2) { // text
    fields.take(fields.loose());
  } else if (code === 4) { // a named type, then bytes
    fields.take(fields.loose());
    fields.take(fields.loose());
  } else { // a signed number, a time, a fraction: one more number each
    fields.loose();
  }
}

/** State that coded timestamps are relative to. */
interface PtsState {
  /** Timestamp of the stream's last frame or of the last syncpoint, ticks. */
  lastPts: number;
  /** Bits of a timestamp that a short coded timestamp carries, 0 … 15. */
  msbPtsShift: number;
}

/**
 * Decodes the timestamp of a frame (specification, section "coded_pts").
 *
 * @param codedPts as stored; -1 if there is none
 * @param ptsDelta ticks since the last frame, if none is stored
 * @throws {FormatError} if it is beyond 2^53
 */
export function decodeTimestamp(
  { lastPts, msbPtsShift }: PtsState,
  codedPts: number,
  ptsDelta: number,
): number {
  const range = 1 << msbPtsShift;
  let timestamp = codedPts - range;
  if (codedPts < 0) {
    timestamp = lastPts + ptsDelta;
  } else if (timestamp < 0) {
    // Only the low bits are stored: take the number with these bits that is nearest to the last.
    const lowest = lastPts - ((range - 1) >> 1);
    timestamp = lowest + ((codedPts - lowest) & (range - 1));
  }
  if (!Number.isSafeInteger(timestamp)) {
    throw new FormatError(`Cannot read NUT "timestamp": ${timestamp}, expected less than 2^53`);
  }
  return timestamp;
}

/**
 * Converts ticks of one time base to another, rounded down. Exact up to 2^53; beyond that,
 * {@linkcode decodeTimestamp} refuses the resulting timestamps.
 */
export function rescaleDown(ticks: number, from: Rational, to: Rational): number {
  const numerator = from[0] * to[1];
  const denominator = from[1] * to[0];
  const product = ticks * numerator;
  if (product <= Number.MAX_SAFE_INTEGER && denominator <= Number.MAX_SAFE_INTEGER) {
    return (product - product % denominator) / denominator;
  }
  const exact = BigInt(ticks) * BigInt(from[0]) * BigInt(to[1]);
  return Number(exact / (BigInt(from[1]) * BigInt(to[0])));
}
