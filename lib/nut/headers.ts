/** Reads the headers of a NUT file: time bases, frame codes, streams. */
import { FormatError } from "../base/errors.ts";
import type { Rational } from "../media/frame.ts";
import type { FieldReader } from "./fields.ts";
import {
  FIELD_LIMIT,
  FLAGS,
  MAX_DISTANCE,
  START_BYTE,
  STREAM_CLASSES,
  type StreamClass,
} from "./format.ts";

/** A stream as described by its header. */
export interface NutStream {
  id: number;
  type: StreamClass;
  /** Two or four bytes that name the codec, each as one Latin-1 character. */
  fourcc: string;
  /** Seconds per tick. */
  timeBase: Rational;
  /** Most frames by which decoding and presentation order differ. */
  decodeDelay: number;
  /** Configuration of the decoder; often empty. */
  extradata: Uint8Array;
  /** Pixels; only of video, as are the next two. */
  width?: number;
  height?: number;
  /** Width : height of one pixel; absent if unknown. */
  sampleAspectRatio?: Rational;
  /** Samples per second; only of audio, as is the next. */
  sampleRate?: number;
  channels?: number;
}

/** A stream with parameters for reading its frames. */
export interface StreamHeader {
  stream: NutStream;
  timeBaseIndex: number;
  /** Bits of a timestamp that a short coded timestamp carries. */
  msbPtsShift: number;
  /** Ticks; a frame whose timestamp is further from the last one has a checksum. */
  maxPtsDistance: number;
}

/** One row of the frame-code table, which the first byte of a frame selects. */
export interface FrameCode {
  flags: number;
  /** Ticks since the stream's last frame, if no timestamp is coded. */
  ptsDelta: number;
  streamId: number;
  sizeMul: number;
  sizeLsb: number;
  reservedCount: number;
  headerIndex: number;
}

/** Parameters of the whole file. */
export interface MainHeader {
  version: number;
  streamCount: number;
  /** Bytes; a frame of more than twice this has a checksum. */
  maxDistance: number;
  timeBases: Rational[];
  frameCodes: FrameCode[];
  /** Elided first bytes of frames; those of the first are empty. */
  elisionHeaders: Uint8Array[];
  /** 0 before version 4. */
  flags: number;
  /** Bytes of the body up to the elision headers. They are the same in every repetition. */
  commonSize: number;
}

/** Most elision headers, including the empty first one (specification: 128). */
const MAX_ELISION_HEADERS = 128;

/** Most bytes of all elision headers together (specification: 1024). */
const MAX_ELISION_BYTES = 1024;

/** Most reserved fields of a frame, to bound the length of frame headers. */
export const MAX_RESERVED_FIELDS = 255;

/** Exclusive limit of decode delays (specification: 1000). */
const DECODE_DELAY_LIMIT = 1000;

/**
 * Reads a number within bounds.
 *
 * @throws {FormatError} if it is outside of `min` … `limit - 1`, or incomplete
 */
function bounded(fields: FieldReader, name: string, [min, limit]: Rational): number {
  const value = fields.loose();
  fields.refuseShort(name);
  if (value < min || value >= limit) {
    throw new FormatError(
      `Cannot read NUT "${name}": ${value}, expected a number from ${min} to ${limit - 1}`,
    );
  }
  return value;
}

/**
 * Reads the body of a main header (specification, section "main header").
 *
 * @param fields the body without its checksum, which is verified
 * @throws {FormatError} if a value is outside of what the format or `maxStreams` allows
 */
export function readMainHeader(fields: FieldReader, maxStreams: number): MainHeader {
  const start = fields.at;
  const version = bounded(fields, "version", [3, 5]);
  if (version > 3) fields.loose(); // minor version
  const streamCount = bounded(fields, "stream count", [1, maxStreams + 1]);
  const maxDistance = Math.min(fields.loose(), MAX_DISTANCE);
  const timeBases = readTimeBases(fields);
  const frameCodes = readFrameCodes(fields, streamCount);
  const commonSize = fields.at - start;
  const elisionHeaders = readElisionHeaders(fields);
  const flags = version > 3 && fields.left > 0 ? fields.loose() : 0;
  fields.refuseShort("main header");
  return {
    version,
    streamCount,
    maxDistance,
    timeBases,
    frameCodes,
    elisionHeaders,
    flags,
    commonSize,
  };
}

function readTimeBases(fields: FieldReader): Rational[] {
  // Each has at least two bytes, so that the remaining bytes bound the count.
  const count = bounded(fields, "time base count", [1, Math.floor(fields.left / 2) + 1]);
  const timeBases: Rational[] = [];
  while (timeBases.length < count) {
    const numerator = bounded(fields, "time base numerator", [1, FIELD_LIMIT]);
    timeBases.push([numerator, bounded(fields, "time base denominator", [1, FIELD_LIMIT])]);
  }
  return timeBases;
}

/** Reads the frame-code table: runs of rows, of which each stores the changed fields only. */
function readFrameCodes(fields: FieldReader, streamCount: number): FrameCode[] {
  const codes: FrameCode[] = [];
  let [ptsDelta, sizeMul, streamId, headerIndex] = [0, 1, 0, 0];
  while (codes.length < 256) {
    const flags = bounded(fields, "frame flags", [0, FIELD_LIMIT]);
    const present = bounded(fields, "frame code fields", [0, fields.left + 1]);
    if (present > 0) ptsDelta = fields.signed("timestamp delta");
    if (present > 1) sizeMul = bounded(fields, "size factor", [0, FIELD_LIMIT]);
    if (present > 2) streamId = bounded(fields, "stream id of a frame code", [0, streamCount]);
    const sizeLsb = present > 3 ? bounded(fields, "size remainder", [0, FIELD_LIMIT]) : 0;
    const reservedCount = present > 4
      ? bounded(fields, "reserved field count", [0, MAX_RESERVED_FIELDS + 1])
      : 0;
    const count = present > 5 ? fields.exact("frame code count") : sizeMul - sizeLsb;
    if (present > 6) fields.loose(); // match time delta
    if (present > 7) headerIndex = bounded(fields, "header index", [0, MAX_ELISION_HEADERS]);
    for (let extra = 8; extra < present && !fields.short; extra++) fields.loose();
    fields.refuseShort("frame code table");
    // The count does not include the invalid row of the start byte.
    const room = 256 - codes.length - (codes.length <= START_BYTE ? 1 : 0);
    if (count < 1 || count > room) {
      throw new FormatError(
        `Cannot read NUT "frame code count": ${count}, expected a number from 1 to ${room}`,
      );
    }
    const row = { flags, ptsDelta, streamId, sizeMul, reservedCount, headerIndex };
    for (let index = 0; index < count; index++) {
      if (codes.length === START_BYTE) codes.push(invalidRow());
      codes.push({ ...row, sizeLsb: sizeLsb + index });
    }
  }
  return codes;
}

function invalidRow(): FrameCode {
  return {
    flags: FLAGS.invalid,
    ptsDelta: 0,
    streamId: 0,
    sizeMul: 1,
    sizeLsb: 0,
    reservedCount: 0,
    headerIndex: 0,
  };
}

function readElisionHeaders(fields: FieldReader): Uint8Array[] {
  const headers: Uint8Array[] = [new Uint8Array(0)];
  if (fields.left === 0) return headers;
  const count = bounded(fields, "elision header count", [0, MAX_ELISION_HEADERS]);
  let room = MAX_ELISION_BYTES;
  while (headers.length <= count) {
    const size = bounded(fields, "elision header size", [1, Math.min(256, room + 1)]);
    headers.push(fields.take(size).slice());
    fields.refuseShort("elision header");
    room -= size;
  }
  return headers;
}

/**
 * Reads the body of a stream header (specification, section "stream header").
 *
 * @param fields the body without its checksum, which is verified
 * @throws {FormatError} if a value is outside of what the format or the main header allows
 */
export function readStreamHeader(fields: FieldReader, main: MainHeader): StreamHeader {
  const id = bounded(fields, "stream id", [0, main.streamCount]);
  const type = STREAM_CLASSES[bounded(fields, "stream class", [0, STREAM_CLASSES.length])];
  const fourcc = readFourcc(fields);
  const timeBaseIndex = bounded(fields, "time base", [0, main.timeBases.length]);
  const msbPtsShift = bounded(fields, "timestamp shift", [0, 16]);
  const maxPtsDistance = fields.loose();
  const decodeDelay = bounded(fields, "decode delay", [0, DECODE_DELAY_LIMIT]);
  fields.loose(); // stream flags
  const extradata = fields.take(fields.loose()).slice();
  fields.refuseShort("extradata");
  const timeBase = main.timeBases[timeBaseIndex];
  const stream: NutStream = { id, type, fourcc, timeBase, decodeDelay, extradata };
  if (type === "video") readVideoFields(fields, stream);
  if (type === "audio") readAudioFields(fields, stream);
  fields.refuseShort("stream header");
  return { stream, timeBaseIndex, msbPtsShift, maxPtsDistance };
}

function readFourcc(fields: FieldReader): string {
  const size = bounded(fields, "fourcc size", [2, 5]);
  if (size === 3) throw new FormatError(`Cannot read NUT "fourcc": 3 bytes, expected 2 or 4`);
  return String.fromCharCode(...fields.take(size));
}

function readVideoFields(fields: FieldReader, stream: NutStream): void {
  stream.width = bounded(fields, "width", [1, FIELD_LIMIT]);
  stream.height = bounded(fields, "height", [1, FIELD_LIMIT]);
  const ratio: Rational = [
    bounded(fields, "sample width", [0, FIELD_LIMIT]),
    bounded(fields, "sample height", [0, FIELD_LIMIT]),
  ];
  if (ratio[0] > 0 && ratio[1] > 0) stream.sampleAspectRatio = ratio;
}

function readAudioFields(fields: FieldReader, stream: NutStream): void {
  const rate = bounded(fields, "sample rate", [1, FIELD_LIMIT]);
  stream.sampleRate = rate / bounded(fields, "sample rate denominator", [1, FIELD_LIMIT]);
  stream.channels = bounded(fields, "channels", [1, 65536]);
}
