/**
 * Framing of the native protocol (docs/PROTOCOL.md).
 *
 * A message is a header of 16 bytes, integers little-endian, and a payload:
 * `length u32 | kind u8 | flags u8 | stream id u16 | timestamp i64 | payload`.
 * `length` is 12 + the bytes of the payload. The payload of a live frame begins with its capture time,
 * 8 bytes.
 *
 * @module
 */
import { FormatError } from "../../base/errors.ts";
import { type Frame, FRAME_HEADROOM } from "../../media/frame.ts";

/** Version of the protocol in requests and descriptions. */
export const PROTOCOL_VERSION = 1;

/** Default TCP port. */
export const DEFAULT_PORT = 7777;

/** Bytes of the header. */
export const HEADER_LENGTH = 16;

/** Bytes that `length` counts before the payload. */
const COUNTED_HEADER = 12;

/** Largest value of `length`. The script protocol's `get_`, read as a length, is larger. */
export const MAX_LENGTH = 2 ** 28;

/** Bytes of the largest payload, except of frames, descriptions and lists. */
export const MAX_REQUEST_LENGTH = 64 * 1024;

/** Bytes of the largest payload of a description or a list. */
const MAX_DESCRIPTION_LENGTH = 16 * 1024 * 1024;

/** Numbers of the message kinds. */
export const KINDS = {
  request: 1,
  describe: 2,
  frame: 3,
  end: 4,
  error: 5,
  control: 6,
  list: 7,
  ping: 8,
  pong: 9,
  notice: 10,
  accept: 11,
} as const;

/** Name of a kind of message. */
export type Kind = keyof typeof KINDS;

const KIND_NAMES = new Map<number, Kind>(
  Object.entries(KINDS).map(([name, number]) => [number, name as Kind]),
);

const FLAG_KEYFRAME = 1;
const FLAG_DROPPED = 2;
const FLAG_DISCONTINUITY = 4;
const FLAG_CAPTURED = 8;

/** Bytes of the capture time in front of a live frame's data. */
export const CAPTURE_LENGTH = 8;

/** The header of a message. */
export interface Header {
  kind: Kind;
  /** Bytes of the payload. */
  payloadLength: number;
  /** Whether the frame can be decoded by itself. */
  keyframe: boolean;
  /** Whether frames were dropped before this one. */
  dropped: boolean;
  /** Whether the frame does not continue its stream. */
  discontinuity: boolean;
  /** Whether the payload begins with the capture time, {@linkcode CAPTURE_LENGTH} bytes. */
  captured: boolean;
  streamId: number;
  /**
   * Of a frame, ticks of its stream's time base; of a ping or a pong, microseconds since 1970 by the
   * sender's clock, 0 if unknown.
   */
  timestamp: number;
}

/**
 * Parses a header.
 *
 * @param bytes at least {@linkcode HEADER_LENGTH} bytes
 * @throws {FormatError} for a length out of bounds, an unknown kind, or a timestamp past 2^53
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeMessage, parseHeader } from "./framing.ts";
 *
 * const message = encodeMessage("ping", new Uint8Array([1, 2]));
 * assertEquals(parseHeader(message).kind, "ping");
 * assertEquals(parseHeader(message).payloadLength, 2);
 * ```
 */
export function parseHeader(bytes: Uint8Array): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true);
  const kind = KIND_NAMES.get(bytes[4]);
  if (kind === undefined) {
    throw new FormatError(`Cannot read a message: kind ${bytes[4]}, expected 1 to 11`);
  }
  const limit = maxLength(kind);
  if (length < COUNTED_HEADER || length > limit) {
    throw new FormatError(
      `Cannot read a message of kind ${kind}: length ${length}, expected ${COUNTED_HEADER} to ${limit}`,
    );
  }
  const captured = kind === "frame" && (bytes[5] & FLAG_CAPTURED) !== 0;
  if (captured && length < COUNTED_HEADER + CAPTURE_LENGTH) {
    throw new FormatError(
      `Cannot read a live frame: length ${length}, expected ${COUNTED_HEADER + CAPTURE_LENGTH} ` +
        `at least`,
    );
  }
  return {
    kind,
    payloadLength: length - COUNTED_HEADER,
    keyframe: (bytes[5] & FLAG_KEYFRAME) !== 0,
    dropped: (bytes[5] & FLAG_DROPPED) !== 0,
    discontinuity: (bytes[5] & FLAG_DISCONTINUITY) !== 0,
    captured,
    streamId: view.getUint16(6, true),
    timestamp: readTime(view, 8, "timestamp"),
  };
}

/**
 * Parses the capture time at the beginning of a live frame's payload.
 *
 * @returns microseconds since 1970
 * @throws {FormatError} past 2^53
 */
export function parseCapture(payload: Uint8Array): number {
  const view = new DataView(payload.buffer, payload.byteOffset, CAPTURE_LENGTH);
  return readTime(view, 0, "time of capture");
}

function readTime(view: DataView, at: number, what: string): number {
  const time = view.getInt32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
  if (Number.isSafeInteger(time)) return time;
  throw new FormatError(`Cannot read a message: ${what} ${time}, expected below 2^53`);
}

/** Largest `length` of a kind of message. */
function maxLength(kind: Kind): number {
  if (kind === "frame") return MAX_LENGTH;
  const payload = kind === "describe" || kind === "list"
    ? MAX_DESCRIPTION_LENGTH
    : MAX_REQUEST_LENGTH;
  return COUNTED_HEADER + payload;
}

/**
 * Encodes a message other than a frame.
 *
 * @param timestamp of a ping or a pong, microseconds since 1970
 * @throws {FormatError} for a payload over the kind's limit
 */
export function encodeMessage(
  kind: Exclude<Kind, "frame">,
  payload: Uint8Array,
  { timestamp = 0 }: { timestamp?: number } = {},
): Uint8Array<ArrayBuffer> {
  if (COUNTED_HEADER + payload.byteLength > maxLength(kind)) {
    throw new FormatError(
      `Cannot send a message of kind ${kind}: ${payload.byteLength} bytes, expected at most ${
        maxLength(kind) - COUNTED_HEADER
      }`,
    );
  }
  const message = new Uint8Array(HEADER_LENGTH + payload.byteLength);
  const { byteLength: length } = message;
  writeHeader(message, { kind, flags: 0, streamId: 0, timestamp, length });
  message.set(payload, HEADER_LENGTH);
  return message;
}

/** Options of {@linkcode encodeFrame}. */
interface FrameOptions {
  /** Whether frames of its stream were dropped before it. @default as the frame says */
  dropped?: boolean;
}

/**
 * Encodes a frame in place: writes the header in front of its data.
 *
 * @returns the message, in the frame's memory
 * @throws {RangeError} if there is no room in front of the data, or the stream id is out of range
 * @throws {FormatError} for data over the limit of a message
 */
export function encodeFrame(frame: Frame, options: FrameOptions = {}): Uint8Array<ArrayBuffer> {
  const { data } = frame;
  const room = frameHeaderLength(frame);
  if (data.byteOffset < room) {
    throw new RangeError(`Cannot send a frame: no room for its header, expected ${FRAME_HEADROOM}`);
  }
  const message = new Uint8Array(data.buffer, data.byteOffset - room, room + data.byteLength);
  writeFrameHeader(message, frame, options);
  return message;
}

/**
 * Encodes what precedes the data of a frame whose memory others use.
 *
 * @returns the part of the message before the data
 * @throws {RangeError} if the stream id is out of range
 * @throws {FormatError} for data over the limit of a message
 */
export function encodeFrameHeader(
  frame: Frame,
  options: FrameOptions = {},
): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(frameHeaderLength(frame));
  writeFrameHeader(header, frame, options);
  return header;
}

/** Bytes before the data of a frame in its message. */
function frameHeaderLength({ captured }: Frame): number {
  return HEADER_LENGTH + (captured === undefined ? 0 : CAPTURE_LENGTH);
}

/** @param message at least what precedes the data */
function writeFrameHeader(
  message: Uint8Array<ArrayBuffer>,
  frame: Frame,
  { dropped = frame.dropped ?? false }: FrameOptions,
): void {
  const { data, streamId, captured, discontinuity } = frame;
  if (streamId < 0 || streamId > 0xffff) {
    throw new RangeError(`Cannot send a frame: stream id ${streamId}, expected 0 to 65535`);
  }
  const room = frameHeaderLength(frame);
  const limit = MAX_LENGTH + HEADER_LENGTH - COUNTED_HEADER - room;
  if (data.byteLength > limit) {
    throw new FormatError(
      `Cannot send a frame: ${data.byteLength} bytes, expected at most ${limit}`,
    );
  }
  const flags = (frame.keyframe ? FLAG_KEYFRAME : 0) | (dropped ? FLAG_DROPPED : 0) |
    (discontinuity ? FLAG_DISCONTINUITY : 0) | (captured === undefined ? 0 : FLAG_CAPTURED);
  const { timestamp } = frame;
  const length = room + data.byteLength;
  writeHeader(message, { kind: "frame", flags, streamId, timestamp, length });
  if (captured !== undefined) writeTime(message, HEADER_LENGTH, captured);
}

/** Flags of a shared frame for one receiver. */
export interface Remarks {
  /** Whether frames were dropped before this one. */
  dropped?: boolean;
  /** Whether the frame does not continue its stream. */
  discontinuity?: boolean;
}

/**
 * Copies a frame's header and adds flags for one receiver. The message itself may be shared and does
 * not change.
 *
 * @param message from {@linkcode encodeFrame}
 * @returns {@linkcode HEADER_LENGTH} bytes
 */
export function remarkFrame(
  message: Uint8Array,
  { dropped = false, discontinuity = false }: Remarks,
): Uint8Array<ArrayBuffer> {
  const header = message.slice(0, HEADER_LENGTH);
  header[5] |= (dropped ? FLAG_DROPPED : 0) | (discontinuity ? FLAG_DISCONTINUITY : 0);
  return header;
}

/**
 * Byte by byte: for a view on the buffer of a few bytes, V8 would allocate them again, outside of its
 * heap.
 */
function writeHeader(
  message: Uint8Array,
  fields: { kind: Kind; flags: number; streamId: number; timestamp: number; length: number },
): void {
  writeUint32(message, 0, fields.length - 4);
  message[4] = KINDS[fields.kind];
  message[5] = fields.flags;
  message[6] = fields.streamId;
  message[7] = fields.streamId >> 8;
  writeTime(message, 8, fields.timestamp);
}

function writeTime(message: Uint8Array, at: number, time: number): void {
  const high = Math.floor(time / 2 ** 32);
  writeUint32(message, at, time - high * 2 ** 32);
  writeUint32(message, at + 4, high);
}

/** Writes the lowest 32 bits of a whole number; storing keeps the lowest eight of each. */
function writeUint32(message: Uint8Array, at: number, value: number): void {
  message[at] = value;
  message[at + 1] = value >>> 8;
  message[at + 2] = value >>> 16;
  message[at + 3] = value >>> 24;
}
