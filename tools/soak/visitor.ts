/** A client that does not check whether its behaviour is valid. */
import { createHash } from "node:crypto";
import { ByteReader, fromSocket } from "../../lib/base/byte_reader.ts";
import { ByteWriter } from "../../lib/base/byte_writer.ts";
import { deadline } from "../../lib/base/async.ts";
import { RequestError } from "../../lib/base/errors.ts";
import { closeSocket, type Socket, TlsSocket } from "../../lib/net/socket.ts";
import type { Description } from "../../lib/media/frame.ts";
import {
  type EndReport,
  parseDescription,
  parseEnd,
  parseError,
} from "../../lib/protocol/native/response.ts";
import {
  Connection,
  type FrameMessage,
  type Message,
} from "../../lib/protocol/native/connection.ts";
import {
  encodeControl,
  encodeRequest,
  type MediaRequest,
} from "../../lib/protocol/native/request.ts";

/** Read and write timeout, milliseconds. */
const PATIENCE = 180_000;

/** Address and credentials of the server. */
export interface Address {
  port: number;
  /** If present, the server uses TLS. */
  token?: string;
}

/** Everything received for a request. */
export interface ResponseResult {
  description?: Description;
  /** MD5 of each frame of video, in order. */
  frames: string[];
  /** Number of frames of audio. */
  audioFrames: number;
  end?: EndReport;
}

/** A connection to the server. */
export class Visitor implements Disposable {
  readonly socket: Socket;
  readonly connection: Connection;
  #token: string | undefined;
  #limit: Disposable;
  /** Something has arrived, so it has a connection slot. */
  #isServed = false;

  private constructor(socket: Socket, token: string | undefined) {
    this.socket = socket;
    this.#token = token;
    const close = () => closeSocket(socket);
    this.#limit = deadline(PATIENCE, close);
    const writer = new ByteWriter(socket, { stallTimeout: PATIENCE, onStall: close });
    this.connection = new Connection(new ByteReader(fromSocket(socket)), writer);
  }

  static async connect({ port, token }: Address): Promise<Visitor> {
    const raw = await Deno.connect({ hostname: "127.0.0.1", port });
    if (token === undefined) return new Visitor(raw, token);
    return new Visitor(await TlsSocket.connect(raw, { rejectUnauthorized: false }), token);
  }

  /** Sends a request. */
  async request(media: MediaRequest): Promise<void> {
    await this.connection.send("request", encodeRequest({ ...media, token: this.#token }));
  }

  /** Sends a control. */
  async control(action: string, more: { to?: number; id?: number } = {}): Promise<void> {
    await this.connection.send("control", encodeControl({ action, ...more }));
  }

  /** Sends raw bytes. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.byteLength > 0;) {
      rest = rest.subarray(await this.socket.write(rest));
    }
  }

  /** The next message other than pings and pongs; replies to pings. */
  async next(): Promise<Message | undefined> {
    this.#limit[Symbol.dispose]();
    this.#limit = deadline(PATIENCE, () => closeSocket(this.socket));
    while (true) {
      const message = await this.connection.receive();
      if (message?.kind === "ping") await this.connection.send("pong", message.payload);
      else if (message?.kind !== "pong") return message;
    }
  }

  /**
   * Receives a response up to its end, or until `goesOn` returns `false`.
   *
   * @param goesOn called after each frame
   * @throws {RequestError} if the request is refused
   */
  async receive(
    goesOn: (frame: FrameMessage) => boolean | Promise<boolean> = () => true,
  ): Promise<ResponseResult> {
    const result: ResponseResult = { frames: [], audioFrames: 0 };
    while (true) {
      const message = await this.next();
      // If too many busy errors are pending, the server closes the connection without one.
      if (message === undefined) {
        throw new RequestError(
          this.#isServed ? "internal" : "busy",
          "the server closed the connection",
        );
      }
      this.#isServed = true;
      if (message.kind === "error") throw parseError(message.payload);
      if (message.kind === "list") return result;
      if (message.kind === "describe") result.description = parseDescription(message.payload);
      if (message.kind === "end") return { ...result, end: parseEnd(message.payload) };
      if (message.kind !== "frame") continue;
      this.#count(message, result);
      const isContinued = await goesOn(message);
      this.connection.recycle(message);
      if (!isContinued) return result;
    }
  }

  #count(frame: FrameMessage, result: ResponseResult): void {
    const stream = result.description?.streams.find(({ id }) => id === frame.streamId);
    if (stream?.type === "audio") result.audioFrames++;
    else result.frames.push(createHash("md5").update(frame.data).digest("hex"));
  }

  [Symbol.dispose](): void {
    this.#limit[Symbol.dispose]();
    closeSocket(this.socket);
  }
}
