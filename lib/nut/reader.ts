/** Reads NUT from a pipe. */
import { BufferPool } from "../base/buffer_pool.ts";
import { ByteReader, type ByteReaderOptions, type ByteSource } from "../base/byte_reader.ts";
import { FormatError } from "../base/errors.ts";
import { type Frame, FRAME_HEADROOM, FRAME_TAILROOM } from "../media/frame.ts";
import { NutDemuxer, type NutElement, type NutStream, stripSideData } from "./demuxer.ts";

/** Free bytes around a frame's data, for the rest of a message. */
const ROOM = { offset: FRAME_HEADROOM, tail: FRAME_TAILROOM };

/** Options of {@linkcode NutReader}. */
export interface NutReaderOptions extends ByteReaderOptions {
  /** Frame buffers kept for reuse. */
  pooledBuffers: number;
  /** Bytes of the largest accepted frame. */
  maxFrameSize: number;
  /** Bytes of a frame that are allocated before they have arrived. @default 1 MiB */
  trustedSize?: number;
}

/** Reads frames from a NUT pipe, each directly into its final memory. */
export class NutReader {
  #reader: ByteReader;
  #demuxer: NutDemuxer;
  #pool: BufferPool;
  #trustedSize: number | undefined;

  constructor(
    source: ByteSource,
    { pooledBuffers, maxFrameSize, trustedSize, ...options }: NutReaderOptions,
  ) {
    this.#reader = new ByteReader(source, options);
    this.#demuxer = new NutDemuxer({ maxFrameSize });
    this.#pool = new BufferPool(pooledBuffers);
    this.#trustedSize = trustedSize;
  }

  /**
   * Reads the headers, up to the first frame.
   *
   * @returns the streams; none if the input is empty
   * @throws {FormatError} if the input is not NUT
   * @throws {TruncatedError} if the input ends inside the headers
   */
  async readStreams(): Promise<NutStream[]> {
    while (!this.#demuxer.headersComplete) {
      const element = await this.#nextElement();
      if (element === undefined) break;
      if (element.kind === "frame") {
        throw new FormatError("Cannot read NUT: a frame came before the stream headers");
      }
    }
    return [...this.#demuxer.streams.values()];
  }

  /**
   * Reads the next frame.
   *
   * @returns `undefined` at the end of input
   * @throws {FormatError} for bytes that violate the format
   * @throws {TruncatedError} if the input ends inside a frame
   */
  async readFrame(): Promise<Frame | undefined> {
    const element = await this.#nextFrame();
    if (element === undefined) return undefined;
    const { streamId, timestamp, keyframe, prefix, size } = element;
    const count = prefix.byteLength + size;
    const memory = this.#pool.take(ROOM.offset + count + ROOM.tail);
    const trusted = this.#trustedSize;
    const room = { offset: ROOM.offset + prefix.byteLength, tail: ROOM.tail, trusted };
    const body = await this.#reader.readGrowing(memory, size, room);
    const whole = new Uint8Array(body.buffer, ROOM.offset, count);
    whole.set(prefix);
    const data = element.sideData ? stripSideData(whole) : whole;
    return { streamId, timestamp, keyframe, data };
  }

  /** Takes back the memory of a frame that is no longer in use. */
  recycle(frame: Frame): void {
    this.#pool.give(frame.data.buffer);
  }

  /** Cancels the source. Do not read afterwards. */
  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }

  async #nextFrame(): Promise<Extract<NutElement, { kind: "frame" }> | undefined> {
    while (true) {
      const element = await this.#nextElement();
      if (element === undefined || element.kind === "frame") return element;
    }
  }

  /** Parses and consumes one element; of a frame, only its header. */
  async #nextElement(): Promise<Exclude<NutElement, { kind: "more" }> | undefined> {
    let needed = 1;
    while (true) {
      const bytes = await this.#reader.peek(needed);
      if (bytes === undefined) return undefined;
      const element = this.#demuxer.parse(bytes);
      if (element.kind === "more") {
        needed = element.needed;
      } else {
        await this.#reader.skip(element.length);
        return element;
      }
    }
  }
}
