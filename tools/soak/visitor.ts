/** One end of a connection to a server, with no manners of its own. */
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

/** Milliseconds for which nothing may come that is waited for. */
const PATIENCE = 30_000;

/** Where the server is, and what it wants of its viewers. */
export interface Address {
  port: number;
  /** Where it is there, the server speaks TLS. */
  token?: string;
}

/** What came of a request. */
export interface Got {
  description?: Description;
  /** MD5 of each picture, in their order. */
  pictures: string[];
  /** Frames of sound. */
  sounds: number;
  end?: EndReport;
}

/** A connection to the server. */
export class Visitor implements Disposable {
  readonly socket: Socket;
  readonly connection: Connection;
  #token: string | undefined;
  #limit: Disposable;
  /** Something has come: it has a place. */
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
  async ask(request: MediaRequest): Promise<void> {
    await this.connection.send("request", encodeRequest({ ...request, token: this.#token }));
  }

  /** Sends a control. */
  async control(action: string, more: { to?: number; id?: number } = {}): Promise<void> {
    await this.connection.send("control", encodeControl({ action, ...more }));
  }

  /** Sends bytes as they are. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.byteLength > 0;) {
      rest = rest.subarray(await this.socket.write(rest));
    }
  }

  /** The next message that is more than a sign of life; pings are answered. */
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
   * Takes an answer to its end, or for as long as is wanted.
   *
   * @param goesOn asked after each frame
   * @throws {RequestError} where it is refused
   */
  async take(
    goesOn: (frame: FrameMessage) => boolean | Promise<boolean> = () => true,
  ): Promise<Got> {
    const got: Got = { pictures: [], sounds: 0 };
    while (true) {
      const message = await this.next();
      // Who comes while even those who are told that it is full are too many is told nothing.
      if (message === undefined) {
        throw new RequestError(this.#isServed ? "internal" : "busy", "the server hung up");
      }
      this.#isServed = true;
      if (message.kind === "error") throw parseError(message.payload);
      if (message.kind === "list") return got;
      if (message.kind === "describe") got.description = parseDescription(message.payload);
      if (message.kind === "end") return { ...got, end: parseEnd(message.payload) };
      if (message.kind !== "frame") continue;
      this.#count(message, got);
      const isWanted = await goesOn(message);
      this.connection.recycle(message);
      if (!isWanted) return got;
    }
  }

  #count(frame: FrameMessage, got: Got): void {
    const stream = got.description?.streams.find(({ id }) => id === frame.streamId);
    if (stream?.type === "audio") got.sounds++;
    else got.pictures.push(createHash("md5").update(frame.data).digest("hex"));
  }

  [Symbol.dispose](): void {
    this.#limit[Symbol.dispose]();
    closeSocket(this.socket);
  }
}
