/** From fragmented MP4 to the segments of HLS (RFC 8216, section 3.3). */
import { FormatError } from "../../../base/errors.ts";
import { readBoxHeader } from "../../../sinks/browser/mp4_codecs.ts";
import { BoxSplitter, joined, type WholeBox } from "./boxes.ts";
import {
  findLeadingTrack,
  type LeadingTrack,
  readFragment,
  readTimescales,
  shiftFragment,
  type Timescales,
} from "./fragments.ts";

/** Seconds of a segment at least; it ends at the next keyframe. */
export const SEGMENT_LENGTH = 2;

/** Part of its length by which a segment may be shorter: a keyframe may come a little early. */
const TOLERANCE = 0.05;

/** Seconds of a short segment at least. */
const SHORT = 0.5;

/** Part of HLS that is complete. */
export type SegmentedPart =
  /** Bytes that decoders need before the first segment. */
  | { kind: "init"; bytes: Uint8Array<ArrayBuffer> }
  | { kind: "segment"; bytes: Uint8Array<ArrayBuffer>; duration: number };

/** Options of {@linkcode Segmenter}. */
export interface SegmenterOptions {
  /** Bytes of the largest segment. */
  limit: number;
  /** Seconds of a segment at least. @default 2 */
  length?: number;
  /** Segments at most; the last one takes all that follows. @default Infinity */
  count?: number;
  /** First segments that end at any keyframe, so that there are some soon. @default 0 */
  short?: number;
}

/** Cuts fragmented MP4 into segments that begin with keyframes. */
export class Segmenter {
  /** Seconds to add to the times of what follows. */
  shift = 0;
  #boxes: BoxSplitter;
  #limit: number;
  /** Seconds from the beginning of a segment after which the next keyframe ends it. */
  #shortest: number;
  /** Segments that are still cut off. */
  #left: number;
  /** Segments that are still short. */
  #short: number;
  #track: LeadingTrack | undefined;
  #timescales: Timescales = new Map();
  /** The boxes of the part that is not complete yet. */
  #part: Uint8Array<ArrayBuffer>[] = [];
  #size = 0;
  /** Of the current segment: its beginning, and its end so far, seconds. */
  #times: { start: number; end: number } | undefined;

  constructor({ limit, length = SEGMENT_LENGTH, count = Infinity, short = 0 }: SegmenterOptions) {
    this.#boxes = new BoxSplitter(limit);
    this.#limit = limit;
    this.#shortest = length * (1 - TOLERANCE);
    this.#left = count - 1;
    this.#short = short;
  }

  /**
   * Takes bytes, and gives the parts that they complete. The bytes may be reused once all are taken.
   *
   * @throws {FormatError} if it is no such MP4, or a segment becomes larger than the limit
   */
  *push(bytes: Uint8Array): Generator<SegmentedPart> {
    for (const box of this.#boxes.push(bytes)) {
      // The index at the end is for files.
      if (box.type === "mfra") continue;
      if (box.type === "moof") yield* this.#cut(box);
      this.#add(box);
      if (box.type !== "moov") continue;
      this.#track = findLeadingTrack(bodyOf(box));
      this.#timescales = readTimescales(bodyOf(box));
      yield { kind: "init", bytes: this.#take() };
    }
  }

  /** Gives the last segment: no more bytes follow. */
  *end(): Generator<SegmentedPart> {
    if (this.#times !== undefined) yield this.#segment(this.#times.end);
  }

  /** Completes the segment before a fragment, if that begins another one. */
  *#cut(moof: WholeBox): Generator<SegmentedPart> {
    if (this.#track === undefined) {
      throw new FormatError(`Cannot read MP4: no "moov" before "moof"`);
    }
    if (this.shift !== 0) shiftFragment(bodyOf(moof), this.#timescales, this.shift);
    const fragment = readFragment(bodyOf(moof), this.#track);
    if (fragment === undefined) return;
    const isLong = this.#times !== undefined && this.#left > 0 &&
      fragment.start - this.#times.start >= (this.#short > 0 ? SHORT : this.#shortest);
    if (isLong && (fragment.isKey || !this.#track.isVideo)) {
      this.#left--;
      this.#short--;
      yield this.#segment(fragment.start);
    }
    this.#times ??= { ...fragment };
    this.#times.end = fragment.end;
  }

  /** @param end seconds */
  #segment(end: number): SegmentedPart {
    const { start } = this.#times ?? { start: end };
    this.#times = undefined;
    return { kind: "segment", bytes: this.#take(), duration: Math.max(0, end - start) };
  }

  #add({ bytes }: WholeBox): void {
    this.#size += bytes.byteLength;
    if (this.#size > this.#limit) {
      throw new FormatError(`Cannot make segments of more than ${this.#limit} bytes: too large`);
    }
    this.#part.push(bytes);
  }

  #take(): Uint8Array<ArrayBuffer> {
    const bytes = joined(this.#part, this.#size);
    this.#part = [];
    this.#size = 0;
    return bytes;
  }
}

function bodyOf({ bytes }: WholeBox): Uint8Array {
  return bytes.subarray(readBoxHeader(bytes)?.header ?? 0);
}
