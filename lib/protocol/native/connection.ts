import { BufferPool } from "../../base/buffer_pool.ts";
import type { ByteReader } from "../../base/byte_reader.ts";
import type { ByteWriter } from "../../base/byte_writer.ts";
import { FormatError } from "../../base/errors.ts";
import { type Frame, FRAME_HEADROOM, FRAME_TAILROOM } from "../../media/frame.ts";
import {
  CAPTURE_LENGTH,
  encodeFrame,
  encodeMessage,
  HEADER_LENGTH,
  type Kind,
  parseCapture,
  parseHeader,
  remarkFrame,
  type Remarks,
} from "./framing.ts";

/** A frame as it came over the wire. */
export interface FrameMessage extends Frame {
  kind: "frame";
  /** Frames were left out before this one. */
  dropped: boolean;
}

/** Any message: a frame, or a payload that `request.ts` or `response.ts` can read. */
export type Message =
  | FrameMessage
  | {
    kind: Exclude<Kind, "frame">;
    payload: Uint8Array<ArrayBuffer>;
    /** Of a ping or a pong: microseconds since 1970 by the sender's clock, 0 where unknown. */
    timestamp: number;
  };

/** Options of {@linkcode Connection.receive}. */
export interface ReceiveOptions {
  /** Kinds that this side takes; all where absent. */
  accept?: readonly Kind[];
}

/** Frame buffers that go round on the receiving side. */
const POOLED_BUFFERS = 2;

/** Messages of the native wire over one reader and one writer. */
export class Connection {
  #reader: ByteReader;
  #writer: ByteWriter;
  #pool = new BufferPool(POOLED_BUFFERS);

  constructor(reader: ByteReader, writer: ByteWriter) {
    this.#reader = reader;
    this.#writer = writer;
  }

  /**
   * Waits for the next message. A frame's data has room around it, and goes back into
   * circulation with {@linkcode Connection.recycle}.
   *
   * @returns `undefined` where the peer has ended the connection between two messages
   * @throws {FormatError} for bytes that are no message, and, before its payload is read, for a
   * message of a kind that is not taken
   * @throws {TruncatedError} where the connection ends inside a message
   */
  async receive({ accept }: ReceiveOptions = {}): Promise<Message | undefined> {
    const bytes = await this.#reader.peek(HEADER_LENGTH);
    if (bytes === undefined) return undefined;
    const header = parseHeader(bytes);
    if (accept !== undefined && !accept.includes(header.kind)) {
      throw new FormatError(
        `Cannot take a message of kind ${header.kind}: expected ${accept.join(", ")}`,
      );
    }
    this.#reader.consume(HEADER_LENGTH);
    if (header.kind !== "frame") {
      const room = { offset: 0, tail: 0 };
      const payload = await this.#reader.readGrowing(undefined, header.payloadLength, room);
      return { kind: header.kind, payload, timestamp: header.timestamp };
    }
    const room = { offset: FRAME_HEADROOM, tail: FRAME_TAILROOM };
    const memory = this.#pool.take(room.offset + header.payloadLength + room.tail);
    const data = await this.#reader.readGrowing(memory, header.payloadLength, room);
    const { streamId, timestamp, keyframe, dropped, discontinuity } = header;
    const shared = { kind: header.kind, streamId, timestamp, keyframe, dropped, discontinuity };
    if (!header.captured) return { ...shared, data };
    return { ...shared, captured: parseCapture(data), data: data.subarray(CAPTURE_LENGTH) };
  }

  /** Takes a received frame's memory back; nothing may look at the frame any more. */
  recycle(frame: Frame): void {
    this.#pool.give(frame.data.buffer);
  }

  /**
   * Sends a message other than a frame.
   *
   * @param timestamp of a ping or a pong, microseconds since 1970
   */
  async send(
    kind: Exclude<Kind, "frame">,
    payload: Uint8Array,
    options?: { timestamp?: number },
  ): Promise<void> {
    await this.#writer.write(encodeMessage(kind, payload, options));
  }

  /** Sends a frame from where it lies. Its memory must stay as it is until then. */
  async sendFrame(frame: Frame, options?: { dropped?: boolean }): Promise<void> {
    await this.#writer.write(encodeFrame(frame, options));
  }

  /**
   * Sends a frame that several connections share, as {@linkcode encodeFrame} gave it. Its memory
   * must stay as it is until then, and is left as it is.
   */
  async sendShared(
    message: Uint8Array,
    { dropped = false, discontinuity = false }: Remarks = {},
  ): Promise<void> {
    if (!dropped && !discontinuity) {
      await this.#writer.write(message);
      return;
    }
    const header = remarkFrame(message, { dropped, discontinuity });
    await this.#writer.write(header, message.subarray(HEADER_LENGTH));
  }
}
