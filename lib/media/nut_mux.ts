import type { Frame, Rational } from "../core/frame.ts";
import { FieldWriter } from "./nut_fields.ts";
import { START_CODES } from "./nut_format.ts";
import {
  fileHeader,
  FRAME_CODE,
  KEYFRAME_CODE,
  type NutMuxStream,
  SYNCPOINT_DISTANCE,
} from "./nut_mux_header.ts";

export type { NutMuxStream } from "./nut_mux_header.ts";

/** Bytes that a syncpoint and a frame header take at the most, rounded up. */
const MAX_OVERHEAD = 64;

/** What the muxer remembers of a stream. */
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
 * Writes NUT, version 3 of the format, that ffmpeg and ffplay read from a pipe: gives the bytes
 * that go between the frames, so that the frames' own bytes need no copy.
 *
 * First {@linkcode NutMuxer.header}, then for every frame {@linkcode NutMuxer.frameHeader} and the
 * frame's data. There is nothing to write at the end. See `NutDemuxer` for an example.
 */
export class NutMuxer {
  #header: Uint8Array<ArrayBuffer>;
  #states = new Map<number, StreamState>();
  #timeBases: Rational[] = [];
  #position: number;
  #lastSyncpoint = -1;

  /**
   * @param streams what the frames belong to; in the file they are numbered 0, 1 … in this order
   * @throws {RangeError} where NUT cannot tell what a stream is
   */
  constructor(streams: readonly NutMuxStream[]) {
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
    this.#header = fileHeader(streams, this.#timeBases, timeBaseIndexes);
    this.#position = this.#header.length;
  }

  /** The first bytes of the file: file id, main header, stream headers. */
  header(): Uint8Array<ArrayBuffer> {
    return this.#header;
  }

  /**
   * What goes before a frame's data: a syncpoint where one is due, and the frame header.
   *
   * @throws {RangeError} where the stream is not of this file, or the timestamp not of 0 … 2^53
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
    // A syncpoint stores the time base along with the ticks, in one number.
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

  /** Index of a time base, in lowest terms, among those of the file. */
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
    // From where a reader has to begin to meet a keyframe of every stream.
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
  // Stored timestamps below 2^shift are short ones; the shift is 0, so that only 0 is.
  out.varint(frame.timestamp + 1);
  out.varint(frame.data.length);
  out.checksum(start);
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
