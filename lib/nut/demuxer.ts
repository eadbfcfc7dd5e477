/** Demuxes NUT: takes bytes and returns one element of the file at a time. */
import { FormatError } from "../base/errors.ts";
import { FieldReader } from "./fields.ts";
import {
  checksum,
  CHECKSUM_SIZE,
  FILE_ID,
  FLAGS,
  LONG_PACKET,
  MAIN_FLAG_BROADCAST,
  readUint32,
  START_BYTE,
} from "./format.ts";
import {
  type MainHeader,
  type NutStream,
  readMainHeader,
  readStreamHeader,
  type StreamHeader,
} from "./headers.ts";
import {
  decodeTimestamp,
  MIN_PACKET_SIZE,
  type Packet,
  readFrameFields,
  readPacketHeader,
  refuseOver,
  rescaleDown,
  verify,
} from "./packets.ts";

export type { NutStream } from "./headers.ts";
export { stripSideData } from "./packets.ts";

/** Limits of what a {@linkcode NutDemuxer} accepts. */
export interface NutDemuxerOptions {
  /** Bytes of one frame. @default 2 ** 28 */
  maxFrameSize?: number;
  /** @default 64 */
  maxStreams?: number;
  /** Bytes of one header packet, and thus the most that `needed` is. @default 1 MiB */
  maxHeaderSize?: number;
}

/** A stream and the state for decoding its timestamps. */
interface StreamState extends StreamHeader {
  lastPts: number;
  /** Size and checksum of the header, to recognise its repetitions. */
  size: number;
  checksum: number;
}

/**
 * Demuxes NUT, the container of ffmpeg's frames in a pipe: version 3 of the format and the draft of
 * version 4. Parses one element at the beginning of the given bytes and keeps none of them. Does not
 * search for the next start code after damage, since pipes cause none.
 *
 * @example
 * ```ts
 * import { NutDemuxer } from "./demuxer.ts";
 * import { NutMuxer } from "./muxer.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const muxer = new NutMuxer([{
 *   id: 7,
 *   type: "video",
 *   codec: "rawvideo",
 *   fourcc: "BGR\x18",
 *   timeBase: [1, 25],
 *   extradata: new Uint8Array(),
 *   width: 2,
 *   height: 1,
 * }]);
 * const data = new Uint8Array([1, 2, 3, 4, 5, 6]);
 * const frame = { streamId: 7, timestamp: 3, keyframe: true, data };
 * let bytes = new Uint8Array([...muxer.header(), ...muxer.frameHeader(frame), ...data]);
 *
 * const demuxer = new NutDemuxer();
 * let element = demuxer.parse(bytes);
 * while (element.kind === "skip") {
 *   bytes = bytes.subarray(element.length);
 *   element = demuxer.parse(bytes);
 * }
 * assertEquals(demuxer.streams.get(0)?.width, 2);
 * assertEquals(element.kind === "frame" && element.timestamp, 3);
 * assertEquals(element.kind === "frame" && bytes.subarray(element.length), data);
 * ```
 */
export class NutDemuxer {
  #limits: Required<NutDemuxerOptions>;
  #started = false;
  #synced = false;
  #main: MainHeader | undefined;
  #mainChecksum = 0;
  #states: StreamState[] = [];
  #streams = new Map<number, NutStream>();

  constructor(options: NutDemuxerOptions = {}) {
    const { maxFrameSize = 2 ** 28, maxStreams = 64, maxHeaderSize = 2 ** 20 } = options;
    this.#limits = { maxFrameSize, maxStreams, maxHeaderSize };
  }

  /** The streams whose headers have been parsed, by id. */
  get streams(): ReadonlyMap<number, NutStream> {
    return this.#streams;
  }

  /** Whether the headers of all streams have been parsed. */
  get headersComplete(): boolean {
    return this.#main !== undefined && this.#streams.size === this.#main.streamCount;
  }

  /**
   * Parses the element at the beginning of `bytes`. After a skip or a frame header, pass the bytes
   * that follow; after `more`, the same bytes and further ones.
   *
   * @throws {FormatError} if the bytes are not NUT, damaged, or over a limit
   */
  parse(bytes: Uint8Array): NutElement {
    if (!this.#started) return this.#parseFileId(bytes);
    if (bytes.length === 0) return { kind: "more", needed: 1 };
    return bytes[0] === START_BYTE ? this.#parsePacket(bytes) : this.#parseFrame(bytes);
  }

  #parseFileId(bytes: Uint8Array): NutElement {
    const given = Math.min(bytes.length, FILE_ID.length);
    for (let at = 0; at < given; at++) {
      if (bytes[at] !== FILE_ID[at]) {
        throw new FormatError(
          `Cannot read NUT "file id": byte ${at} is ${bytes[at]}, expected ${FILE_ID[at]}`,
        );
      }
    }
    if (given < FILE_ID.length) return { kind: "more", needed: FILE_ID.length };
    this.#started = true;
    return { kind: "skip", length: FILE_ID.length };
  }

  #parsePacket(bytes: Uint8Array): NutElement {
    const packet = readPacketHeader(bytes);
    if (packet === undefined) {
      return { kind: "more", needed: Math.max(bytes.length + 1, MIN_PACKET_SIZE) };
    }
    const { name, bodyStart, bodyEnd } = packet;
    const length = bodyEnd + CHECKSUM_SIZE;
    // Nothing but the length of reserved packets is defined.
    if (name === undefined) return { kind: "skip", length };
    const { maxHeaderSize } = this.#limits;
    if (length > maxHeaderSize) {
      if (name === "index" || name === "info") return { kind: "skip", length };
      throw new FormatError(
        `Cannot read NUT "${name}": ${length} bytes, expected at most ${maxHeaderSize}`,
      );
    }
    if (bytes.length < length) return { kind: "more", needed: length };
    verify(bytes, name, [bodyStart, bodyEnd]);
    if (name === "main") this.#readMain(bytes, packet);
    if (name === "stream") this.#readStream(bytes, packet);
    if (name === "syncpoint") this.#readSyncpoint(new FieldReader(bytes, bodyStart, bodyEnd));
    return { kind: "skip", length };
  }

  #readMain(bytes: Uint8Array, { bodyStart, bodyEnd }: Packet): void {
    const known = this.#main;
    if (known === undefined) {
      const fields = new FieldReader(bytes, bodyStart, bodyEnd);
      const main = readMainHeader(fields, this.#limits.maxStreams);
      this.#mainChecksum = checksum(bytes, bodyStart, bodyStart + main.commonSize);
      this.#main = main;
      return;
    }
    // Compare only up to the elision headers: libavformat adds an empty elision header each time it
    // repeats the main header.
    const commonEnd = bodyStart + known.commonSize;
    if (commonEnd > bodyEnd || checksum(bytes, bodyStart, commonEnd) !== this.#mainChecksum) {
      throw new FormatError(`Cannot read NUT "main": a different one, expected a repetition`);
    }
  }

  #readStream(bytes: Uint8Array, { bodyStart, bodyEnd }: Packet): void {
    const main = this.#expectMain("stream");
    const header = readStreamHeader(new FieldReader(bytes, bodyStart, bodyEnd), main);
    const { id } = header.stream;
    const known = this.#states[id];
    const [size, sum] = [bodyEnd - bodyStart, readUint32(bytes, bodyEnd)];
    if (known === undefined) {
      this.#states[id] = { ...header, lastPts: 0, size, checksum: sum };
      this.#streams.set(id, header.stream);
    } else if (known.size !== size || known.checksum !== sum) {
      throw new FormatError(
        `Cannot read NUT "stream": a different header of stream ${id}, expected a repetition`,
      );
    }
  }

  #readSyncpoint(fields: FieldReader): void {
    const main = this.#expectMain("syncpoint");
    this.#expectStreams("syncpoint");
    const time = fields.exact("syncpoint time");
    fields.loose(); // back_ptr
    if (main.flags & MAIN_FLAG_BROADCAST) fields.loose(); // wall clock
    fields.refuseShort("syncpoint");
    const index = time % main.timeBases.length;
    const ticks = (time - index) / main.timeBases.length;
    const from = main.timeBases[index];
    for (const state of this.#states) {
      const to = state.stream.timeBase;
      state.lastPts = from === to ? ticks : rescaleDown(ticks, from, to);
    }
    this.#synced = true;
  }

  #parseFrame(bytes: Uint8Array): NutElement {
    const main = this.#expectMain("frame");
    if (!this.#synced) {
      this.#expectStreams("frame");
      throw new FormatError(`Cannot read NUT "frame": no syncpoint yet, expected one before it`);
    }
    const code = main.frameCodes[bytes[0]];
    if (code.flags & FLAGS.invalid) {
      throw new FormatError(`Cannot read NUT "frame code": ${bytes[0]}, expected a valid one`);
    }
    const fields = readFrameFields(bytes, code);
    if (fields === undefined) return { kind: "more", needed: bytes.length + 1 };
    const { flags, length, streamId, size: whole, headerIndex, codedPts } = fields;
    refuseOver("stream id", streamId, main.streamCount - 1);
    refuseOver("header index", headerIndex, main.elisionHeaders.length - 1);
    refuseOver("frame size", whole, this.#limits.maxFrameSize);
    const prefix = main.elisionHeaders[whole > LONG_PACKET ? 0 : headerIndex];
    if (whole < prefix.length) {
      throw new FormatError(
        `Cannot read NUT "frame size": ${whole} bytes, expected at least ${prefix.length}`,
      );
    }
    const state = this.#states[streamId];
    const timestamp = decodeTimestamp(state, codedPts, code.ptsDelta);
    const sideData = (flags & FLAGS.sideData) !== 0;
    if (flags & FLAGS.checksum) {
      verify(bytes, "frame", [0, length - CHECKSUM_SIZE]);
    } else if (!sideData) {
      // libavformat ignores the side data when it decides on the checksum.
      refuseOver("frame size without a checksum", whole, 2 * main.maxDistance);
      const distance = Math.abs(timestamp - state.lastPts);
      refuseOver("timestamp step without a checksum", distance, state.maxPtsDistance);
    }
    state.lastPts = timestamp;
    return {
      kind: "frame",
      length,
      streamId,
      timestamp,
      keyframe: (flags & FLAGS.key) !== 0,
      size: whole - prefix.length,
      prefix,
      sideData,
      endOfRelevance: (flags & FLAGS.endOfRelevance) !== 0,
    };
  }

  #expectMain(name: string): MainHeader {
    if (this.#main === undefined) {
      throw new FormatError(
        `Cannot read NUT "${name}": no main header yet, expected one before it`,
      );
    }
    return this.#main;
  }

  #expectStreams(name: string): void {
    if (!this.headersComplete) {
      throw new FormatError(
        `Cannot read NUT "${name}": ${this.#streams.size} stream headers before it, ` +
          `expected ${this.#main?.streamCount}`,
      );
    }
  }
}

/** The element is incomplete: pass at least `needed` bytes from the same position. */
export interface NutMore {
  kind: "more";
  /** Bytes; always more than were given. */
  needed: number;
}

/** An element that is not a frame: drop `length` bytes of input, maybe more than were given. */
export interface NutSkip {
  kind: "skip";
  /** Bytes. */
  length: number;
}

/** A frame header. The payload follows it in the input. */
export interface NutFrame {
  kind: "frame";
  /** Bytes of the frame header, to be dropped. */
  length: number;
  streamId: number;
  /** Ticks of the stream's time base. */
  timestamp: number;
  keyframe: boolean;
  /** Bytes of payload that follow the frame header in the input. */
  size: number;
  /** Elided bytes that belong in front of the payload. Shared: do not modify. */
  prefix: Uint8Array;
  /** Whether the payload begins with side data, see `stripSideData()`. */
  sideData: boolean;
  /** Whether the stream has nothing to present until its next keyframe. */
  endOfRelevance: boolean;
}

/** An element of the input. */
export type NutElement = NutMore | NutSkip | NutFrame;
