/** Muxes NUT: returns the bytes that precede the data of each frame. */
import {
  type AudioStream,
  type Frame,
  greatestDivisor,
  type Rational,
  type StreamDescription,
  type VideoStream,
} from "../media/frame.ts";
import type { MediaTags } from "../media/tags.ts";
import { FieldWriter } from "./fields.ts";
import { FILE_ID, FLAGS, START_CODES } from "./format.ts";
import { chapterInfo, metadataInfo, streamInfo } from "./info.ts";

/** Most bytes of a syncpoint and a frame header, rounded up. */
const MAX_OVERHEAD = 64;

/** Most bytes from one syncpoint to the next; the specification recommends 32768. */
const SYNCPOINT_DISTANCE = 32768;

/** Flags of every frame header: all fields and a checksum. Keyframes add `FLAGS.key`. */
const FRAME_FLAGS = FLAGS.codedPts | FLAGS.streamId | FLAGS.sizeMsb | FLAGS.checksum;

/** Frame code of frames other than keyframes. */
const FRAME_CODE = 1;

/** Frame code of keyframes. */
const KEYFRAME_CODE = 2;

/** A stream to write. */
export type NutMuxStream = StreamDescription & {
  /**
   * Most frames by which decoding and presentation order differ. Readers detect it for H.264 and
   * HEVC, but not for MPEG-2 and MPEG-4. @default 0
   */
  decodeDelay?: number;
};

/** Tags of a file to write, chapters in the timestamps of its frames. */
export type NutTags = Pick<MediaTags, "metadata" | "chapters">;

interface StreamState {
  /** Number of the stream in the file. */
  index: number;
  timeBaseIndex: number;
  /** Whether the last frame was a keyframe. */
  keyframe: boolean;
  /** Position, in bytes, of the syncpoint before the last keyframe; -1 before the first. */
  keySyncpoint: number;
}

/**
 * Muxes NUT, version 3 of the format, for ffmpeg and ffplay to read from a pipe. Returns only the
 * bytes between the frames' data, so that the data need not be copied.
 *
 * Write {@linkcode NutMuxer.header} first, then for every frame {@linkcode NutMuxer.frameHeader} and
 * the frame's data. The format has no trailer. See `NutDemuxer` for an example.
 */
export class NutMuxer {
  #header: Uint8Array<ArrayBuffer>;
  #states = new Map<number, StreamState>();
  #timeBases: Rational[] = [];
  #position: number;
  #lastSyncpoint = -1;

  /**
   * @param streams in the file they are numbered 0, 1 … in this order
   * @param tags of the file
   * @throws {RangeError} if NUT cannot describe a stream
   */
  constructor(streams: readonly NutMuxStream[], tags: NutTags = {}) {
    if (streams.length === 0) {
      throw new RangeError(`Cannot write NUT "streams": none, expected at least one`);
    }
    const timeBaseIndexes: number[] = [];
    for (const [index, stream] of streams.entries()) {
      if (this.#states.has(stream.id)) {
        throw new RangeError(
          `Cannot write NUT "stream ${stream.id}": it occurs twice, expected ids that differ`,
        );
      }
      const timeBaseIndex = this.#addTimeBase(stream.timeBase);
      timeBaseIndexes.push(timeBaseIndex);
      this.#states.set(stream.id, { index, timeBaseIndex, keyframe: false, keySyncpoint: -1 });
    }
    const { metadata, chapters = [] } = tags;
    const milliseconds = chapters.length === 0 ? 0 : this.#addTimeBase([1, 1000]);
    const count = this.#timeBases.length;
    this.#header = fileHeader(streams, {
      timeBases: this.#timeBases,
      timeBaseIndexes,
      infos: [
        metadataInfo(metadata),
        ...streams.map(streamInfo),
        ...chapters.map((each, index) => chapterInfo(each, index, { milliseconds, count })),
      ],
    });
    this.#position = this.#header.length;
  }

  /** The first bytes of the file: file id, main header, stream headers. */
  header(): Uint8Array<ArrayBuffer> {
    return this.#header;
  }

  /**
   * The bytes before a frame's data: a syncpoint if one is due, and the frame header.
   *
   * @throws {RangeError} if the stream is unknown, or the timestamp is not within 0 … 2^53
   */
  frameHeader(frame: Frame): Uint8Array<ArrayBuffer> {
    const { streamId, timestamp, keyframe, data } = frame;
    const state = this.#states.get(streamId);
    if (state === undefined) {
      throw new RangeError(
        `Cannot write NUT "stream ${streamId}": no such stream, expected ` +
          `${[...this.#states.keys()].join(", ")}`,
      );
    }
    // A syncpoint stores the time base and the ticks in one number.
    const limit = Math.floor(Number.MAX_SAFE_INTEGER / this.#timeBases.length) - 1;
    if (!Number.isInteger(timestamp) || timestamp < 0 || timestamp > limit) {
      throw new RangeError(
        `Cannot write NUT "timestamp": ${timestamp}, expected a whole number from 0 to ${limit}`,
      );
    }
    const out = new FieldWriter();
    const reach = this.#position + MAX_OVERHEAD + data.length;
    const due = this.#lastSyncpoint < 0 || reach > this.#lastSyncpoint + SYNCPOINT_DISTANCE;
    if (due || (keyframe && !state.keyframe)) this.#writeSyncpoint(out, state, timestamp);
    writeFrameHeader(out, state, frame);
    state.keyframe = keyframe;
    if (keyframe) state.keySyncpoint = this.#lastSyncpoint;
    this.#position += out.length + data.length;
    return out.finish();
  }

  /** Adds a time base to those of the file, in lowest terms, and returns its index. */
  #addTimeBase([numerator, denominator]: Rational): number {
    for (const term of [numerator, denominator]) {
      if (!Number.isInteger(term) || term < 1 || term >= 2 ** 31) {
        throw new RangeError(
          `Cannot write NUT "time base": ${numerator}/${denominator}, ` +
            `expected whole numbers from 1 to 2^31 - 1`,
        );
      }
    }
    const divisor = greatestDivisor(numerator, denominator);
    const [n, d] = [numerator / divisor, denominator / divisor];
    const known = this.#timeBases.findIndex((base) => base[0] === n && base[1] === d);
    return known >= 0 ? known : this.#timeBases.push([n, d]) - 1;
  }

  #writeSyncpoint(out: FieldWriter, { timeBaseIndex }: StreamState, timestamp: number): void {
    this.#lastSyncpoint = this.#position;
    // The position from which a reader finds a keyframe of every stream.
    let back = this.#position;
    for (const { keySyncpoint } of this.#states.values()) {
      if (keySyncpoint >= 0) back = Math.min(back, keySyncpoint);
    }
    const body = new FieldWriter();
    body.varint(timestamp * this.#timeBases.length + timeBaseIndex);
    body.varint(Math.floor((this.#position - back) / 16));
    out.packet(START_CODES.syncpoint, body.finish());
  }
}

/** A frame header (specification, section "frame_header"). */
function writeFrameHeader(out: FieldWriter, { index }: StreamState, frame: Frame): void {
  const start = out.length;
  out.varint(frame.keyframe ? KEYFRAME_CODE : FRAME_CODE);
  out.varint(index);
  // Stored timestamps below 2^shift are short ones. The shift is 0, so that all others are whole.
  out.varint(frame.timestamp + 1);
  out.varint(frame.data.length);
  out.checksum(start);
}

/**
 * The first bytes of a file: file id, main header, stream headers, and what the file says about
 * itself.
 *
 * @param streams in the order of their numbers in the file
 * @param options time bases of all streams in lowest terms, the index of each stream's, and bodies
 * of info packets
 * @throws {RangeError} if NUT cannot describe a stream
 */
function fileHeader(
  streams: readonly NutMuxStream[],
  { timeBases, timeBaseIndexes, infos }: {
    timeBases: readonly Rational[];
    timeBaseIndexes: readonly number[];
    infos: readonly (Uint8Array | undefined)[];
  },
): Uint8Array<ArrayBuffer> {
  const out = new FieldWriter();
  out.raw(FILE_ID);
  out.packet(START_CODES.main, mainHeader(streams.length, timeBases));
  for (const [index, stream] of streams.entries()) {
    out.packet(START_CODES.stream, streamHeader(stream, index, timeBaseIndexes[index]));
  }
  for (const info of infos) if (info !== undefined) out.packet(START_CODES.info, info);
  return out.finish();
}

/** Body of the main header (specification, section "main header"). */
function mainHeader(streamCount: number, timeBases: readonly Rational[]): Uint8Array {
  const body = new FieldWriter();
  body.varint(3); // version
  body.varint(streamCount);
  body.varint(SYNCPOINT_DISTANCE);
  body.varint(timeBases.length);
  for (const [numerator, denominator] of timeBases) {
    body.varint(numerator);
    body.varint(denominator);
  }
  frameCodes(body, FLAGS.invalid, 1);
  frameCodes(body, FRAME_FLAGS, 1);
  frameCodes(body, FRAME_FLAGS | FLAGS.key, 1);
  frameCodes(body, FLAGS.invalid, 252); // 256 without these three and that of the start byte
  body.varint(0); // elision headers
  return body.finish();
}

/** Writes a run of `count` rows of the frame-code table. */
function frameCodes(body: FieldWriter, flags: number, count: number): void {
  body.varint(flags);
  body.varint(6); // fields that follow
  body.signed(0); // timestamp delta
  body.varint(1); // size factor
  body.varint(0); // stream id
  body.varint(0); // size remainder
  body.varint(0); // reserved fields
  body.varint(count);
}

/** Body of a stream header (specification, section "stream header"). */
function streamHeader(stream: NutMuxStream, index: number, timeBase: number): Uint8Array {
  const body = new FieldWriter();
  body.varint(index);
  body.varint(stream.type === "video" ? 0 : 1);
  body.string(fourccBytes(stream.fourcc));
  body.varint(timeBase);
  body.varint(0); // timestamp shift: all timestamps are stored whole
  body.varint(0); // timestamp step that requires a checksum: all frames have one
  body.varint(stream.decodeDelay ?? 0);
  body.varint(0); // stream flags
  body.string(stream.extradata);
  if (stream.type === "video") videoFields(body, stream);
  else audioFields(body, stream);
  return body.finish();
}

function fourccBytes(fourcc: string): number[] {
  const bytes = Array.from(fourcc, (letter) => letter.charCodeAt(0));
  if ((bytes.length !== 2 && bytes.length !== 4) || bytes.some((byte) => byte > 255)) {
    throw new RangeError(
      `Cannot write NUT "fourcc": ${JSON.stringify(fourcc)}, expected 2 or 4 Latin-1 characters`,
    );
  }
  return bytes;
}

function videoFields(body: FieldWriter, stream: VideoStream): void {
  const { width, height, sampleAspectRatio = [0, 0] } = stream;
  body.varint(positive("width", width));
  body.varint(positive("height", height));
  const known = sampleAspectRatio[0] > 0 && sampleAspectRatio[1] > 0;
  body.varint(known ? sampleAspectRatio[0] : 0);
  body.varint(known ? sampleAspectRatio[1] : 0);
  body.varint(0); // colorspace type: unknown
}

function audioFields(body: FieldWriter, { sampleRate, channels }: AudioStream): void {
  body.varint(positive("sample rate", sampleRate));
  body.varint(1); // denominator of the sample rate
  body.varint(positive("channels", channels));
}

function positive(name: string, value: number): number {
  if (Number.isInteger(value) && value > 0 && value < 2 ** 31) return value;
  throw new RangeError(`Cannot write NUT "${name}": ${value}, expected a whole number above 0`);
}
