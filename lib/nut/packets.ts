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

/** A frame header as it is stored. */
export interface FrameFields {
  flags: number;
  streamId: number;
  /** As stored; -1 where none is. */
  codedPts: number;
  /** Bytes of the frame, elided ones included. */
  size: number;
  /** Which elision header was left out; 0 is none. */
  headerIndex: number;
  /** Bytes of the frame header, its checksum included. */
  length: number;
}

/**
 * Reads a frame header (specification, section "frame_header"). Only the number of its fields is
 * checked here.
 *
 * @param bytes begin with the frame code
 * @param code what the frame code stands for
 * @returns `undefined` where the header is not whole in `bytes`
 * @throws {FormatError} where a number is too long, or where there are too many
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
 * Leaves out the side data and meta data that NUT version 4 puts in front of a frame's own bytes
 * (specification, section "side_data / meta_data"; frame flag SM_DATA).
 *
 * @param payload all bytes of a frame whose element said `sideData`
 * @returns the frame's own bytes, within the same memory
 * @throws {FormatError} where the side data does not end within the payload
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

/** Skips a value. Negative numbers in its first field tell its type, all others are the value. */
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

/** What a frame's timestamp is relative to. */
interface PtsState {
  /** Ticks: timestamp of the stream's last frame, or of the last syncpoint. */
  lastPts: number;
  /** Bits of a timestamp that a short coded timestamp carries, 0 … 15. */
  msbPtsShift: number;
}

/**
 * The whole timestamp of a frame (specification, section "coded_pts").
 *
 * @param codedPts as stored; -1 where none is
 * @param ptsDelta ticks since the last frame, where none is stored
 * @throws {FormatError} where it is beyond 2^53
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
    // Only the low bits are stored: of all numbers with these, the one nearest to the last.
    const lowest = lastPts - ((range - 1) >> 1);
    timestamp = lowest + ((codedPts - lowest) & (range - 1));
  }
  if (!Number.isSafeInteger(timestamp)) {
    throw new FormatError(`Cannot read NUT "timestamp": ${timestamp}, expected less than 2^53`);
  }
  return timestamp;
}

/**
 * Converts ticks of one time base to another, rounded down; exactly, but for results beyond 2^53,
 * which no timestamp that is built on them gets past {@linkcode decodeTimestamp}.
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
