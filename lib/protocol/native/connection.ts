/** Sends and receives whole messages of the native protocol. */
import { BufferPool } from "../../base/buffer_pool.ts";
import type { ByteReader } from "../../base/byte_reader.ts";
import type { ByteWriter } from "../../base/byte_writer.ts";
import { FormatError } from "../../base/errors.ts";
import { type Description, type Frame, FRAME_HEADROOM, FRAME_TAILROOM } from "../../media/frame.ts";
import type { ConversationObserver, NativeMessage } from "../../net/observer.ts";
import {
  CAPTURE_LENGTH,
  encodeFrame,
  encodeFrameHeader,
  encodeMessage,
  HEADER_LENGTH,
  type Kind,
  parseCapture,
  parseHeader,
  remarkFrame,
  type Remarks,
} from "./framing.ts";
import { encodeControl } from "./request.ts";
import {
  encodeDescription,
  encodeEnd,
  encodeNotice,
  type EndReport,
  type Notice,
} from "./response.ts";

/** A received frame. */
export interface FrameMessage extends Frame {
  kind: "frame";
  /** Whether frames were dropped before this one. */
  dropped: boolean;
}

/** A received message: a frame, or a payload for `request.ts` or `response.ts` to parse. */
export type Message =
  | FrameMessage
  | {
    kind: Exclude<Kind, "frame">;
    payload: Uint8Array<ArrayBuffer>;
    /** Of a ping or a pong: microseconds since 1970 by the sender's clock, 0 if unknown. */
    timestamp: number;
  };

/** Options of {@linkcode Connection.receive}. */
export interface ReceiveOptions {
  /** Accepted kinds. @default all */
  accept?: readonly Kind[];
}

/** Received frame buffers kept for reuse. */
const POOLED_BUFFERS = 2;

/** Sends and receives messages of the native protocol. */
export class Connection {
  #reader: ByteReader;
  #writer: ByteWriter;
  #observer: ConversationObserver | undefined;
  #pool = new BufferPool(POOLED_BUFFERS);

  /** @param observer sees all messages; nothing is computed for it if it is absent */
  constructor(reader: ByteReader, writer: ByteWriter, observer?: ConversationObserver) {
    this.#reader = reader;
    this.#writer = writer;
    this.#observer = observer;
  }

  /**
   * Receives the next message. The data of a frame has room around it; give it back with
   * {@linkcode Connection.recycle}.
   *
   * @returns `undefined` if the peer has ended the connection between two messages
   * @throws {FormatError} for an invalid message or, before its payload is read, one that is not
   * accepted
   * @throws {TruncatedError} if the connection ends inside a message
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
    // A copy: the view changes with the next read.
    const observed = this.#observer && bytes.slice(0, HEADER_LENGTH);
    this.#reader.consume(HEADER_LENGTH);
    if (header.kind !== "frame") {
      const room = { offset: 0, tail: 0 };
      const payload = await this.#reader.readGrowing(undefined, header.payloadLength, room);
      if (observed !== undefined) this.#observer?.received({ header: observed, payload });
      return { kind: header.kind, payload, timestamp: header.timestamp };
    }
    const room = { offset: FRAME_HEADROOM, tail: FRAME_TAILROOM };
    const memory = this.#pool.take(room.offset + header.payloadLength + room.tail);
    const data = await this.#reader.readGrowing(memory, header.payloadLength, room);
    if (observed !== undefined) this.#observer?.received({ header: observed, payload: data });
    const { streamId, timestamp, keyframe, dropped, discontinuity } = header;
    const shared = { kind: header.kind, streamId, timestamp, keyframe, dropped, discontinuity };
    if (!header.captured) return { ...shared, data };
    return { ...shared, captured: parseCapture(data), data: data.subarray(CAPTURE_LENGTH) };
  }

  /** Takes back the memory of a received frame that is no longer in use. */
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
    const message = encodeMessage(kind, payload, options);
    this.#observer?.sent(partsOf(message));
    await this.#writer.write(message);
  }

  /**
   * Sends a frame, without copying it if it is large. Its memory must not change until the result
   * resolves.
   *
   * @returns `undefined` if there is nothing to wait for; a failure is then that of a later message
   */
  sendFrame(frame: Frame, options?: { dropped?: boolean }): Promise<void> | undefined {
    if (frame.borrowed) {
      const header = encodeFrameHeader(frame, options);
      this.#observer?.sent({ header: header.subarray(0, HEADER_LENGTH), payload: frame.data });
      return this.#writer.writeSoon(header, frame.data);
    }
    const message = encodeFrame(frame, options);
    this.#observer?.sent(partsOf(message));
    return this.#writer.writeSoon(message);
  }

  /** Sends the frames that wait for further ones, since nothing follows for a while. */
  flush(): void {
    this.#writer.flush();
  }

  /**
   * Sends an encoded frame that several connections share. Does not change its memory, which must not
   * change until the result resolves.
   *
   * @param message from {@linkcode encodeFrame}
   */
  async sendShared(
    message: Uint8Array,
    { dropped = false, discontinuity = false }: Remarks = {},
  ): Promise<void> {
    if (!dropped && !discontinuity) {
      this.#observer?.sent(partsOf(message));
      await this.#writer.write(message);
      return;
    }
    const header = remarkFrame(message, { dropped, discontinuity });
    const payload = message.subarray(HEADER_LENGTH);
    this.#observer?.sent({ header, payload });
    await this.#writer.write(header, payload);
  }
}

/** Writes the parts of a response as messages: a `ResponseWriter` of `server/playback/sender.ts`. */
export function nativeResponse(connection: Connection) {
  return {
    describe: (description: Description) =>
      connection.send("describe", encodeDescription(description)),
    write(frame: Frame, { dropped }: { dropped: boolean }) {
      const { byteLength } = frame.data;
      return connection.sendFrame(frame, { dropped })?.then(() => byteLength) ?? byteLength;
    },
    async writeShared({ message, size }: { message: Uint8Array; size: number }, remarks: Remarks) {
      await connection.sendShared(message, remarks);
      return size;
    },
    flush: () => connection.flush(),
    end: (report: EndReport) => connection.send("end", encodeEnd(report)),
    notify: (notice: Notice) => connection.send("notice", encodeNotice(notice)),
    seek: (seek: { to: number; id?: number }) =>
      connection.send("control", encodeControl({ action: "seek", ...seek })),
  };
}

function partsOf(message: Uint8Array): NativeMessage {
  return { header: message.subarray(0, HEADER_LENGTH), payload: message.subarray(HEADER_LENGTH) };
}
