import {
  CAPTURE_LENGTH,
  encodeMessage,
  type Header,
  HEADER_LENGTH,
  type Kind,
  parseCapture,
  parseHeader,
} from "../lib/protocol/native/framing.ts";
import { encodeRequest, type MediaRequest } from "../lib/protocol/native/request.ts";

/** Bytes per read: small enough for the processor's cache, even with many viewers. */
const BUFFER_SIZE = 128 * 1024;

/** A complete frame without its bytes, which are discarded. */
export interface ScannedFrame extends Header {
  kind: "frame";
  /** Capture time of a live frame, microseconds since 1970. */
  capturedAt?: number;
  /** First bytes of a live frame, `headLength` of them. */
  head?: Uint8Array;
}

/** A complete message. */
export type Scanned =
  | ScannedFrame
  | { kind: Exclude<Kind, "frame">; payload: Uint8Array<ArrayBuffer> };

/**
 * A viewer that parses headers only, and reads all frames into one small buffer, to use little of
 * the processor that it shares with the measured programs.
 */
export class MessageScanner implements Disposable {
  /** Bytes received, including headers. */
  bytes = 0;
  #socket: Deno.TcpConn;
  #headLength: number;
  #buffer = new Uint8Array(BUFFER_SIZE);
  #start = 0;
  #end = 0;

  /** @param headLength bytes to keep of each live frame */
  constructor(socket: Deno.TcpConn, { headLength = 0 }: { headLength?: number } = {}) {
    this.#socket = socket;
    this.#headLength = headLength;
  }

  /** Connects to a server on this machine. */
  static async connect(
    port: number,
    options?: { headLength?: number },
  ): Promise<MessageScanner> {
    return new MessageScanner(await Deno.connect({ hostname: "127.0.0.1", port }), options);
  }

  /** Sends a request. */
  async request(media: MediaRequest): Promise<void> {
    await this.#send("request", encodeRequest(media));
  }

  /**
   * Waits for the next message that is part of a response. Replies to pings.
   *
   * @returns `undefined` if the server has closed the connection
   * @throws {Error} if the server sends an error
   */
  async next(): Promise<Scanned | undefined> {
    while (true) {
      if (!await this.#fill(HEADER_LENGTH)) return undefined;
      const header = parseHeader(this.#buffer.subarray(this.#start, this.#end));
      const { kind } = header;
      if (kind === "frame") return await this.#frame({ ...header, kind });
      if (!await this.#fill(HEADER_LENGTH + header.payloadLength)) return undefined;
      this.#start += HEADER_LENGTH;
      const payload = this.#buffer.slice(this.#start, this.#start += header.payloadLength);
      if (kind === "error") throw new Error(new TextDecoder().decode(payload));
      if (kind === "ping") await this.#send("pong", payload);
      else return { kind, payload };
    }
  }

  /** Closes the connection. */
  [Symbol.dispose](): void {
    this.#socket.close();
  }

  async #frame(header: Header & { kind: "frame" }): Promise<ScannedFrame | undefined> {
    let capturedAt: number | undefined;
    let head: Uint8Array | undefined;
    if (header.captured) {
      const length = HEADER_LENGTH + CAPTURE_LENGTH + this.#headLength;
      if (!await this.#fill(length)) return undefined;
      capturedAt = parseCapture(this.#buffer.subarray(this.#start + HEADER_LENGTH));
      const end = this.#start + length;
      if (this.#headLength > 0) head = this.#buffer.slice(end - this.#headLength, end);
    }
    if (!await this.#skip(HEADER_LENGTH + header.payloadLength)) return undefined;
    return { ...header, capturedAt, head };
  }

  async #skip(count: number): Promise<boolean> {
    let left = count;
    while (left > this.#end - this.#start) {
      left -= this.#end - this.#start;
      this.#start = this.#end = 0;
      if (!await this.#read()) return false;
    }
    this.#start += left;
    return true;
  }

  /** Waits until the buffer has `count` bytes. */
  async #fill(count: number): Promise<boolean> {
    if (count > BUFFER_SIZE) throw new Error(`Cannot take a message of ${count} bytes`);
    if (this.#start + count > BUFFER_SIZE) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    while (this.#end - this.#start < count) {
      if (!await this.#read()) return false;
    }
    return true;
  }

  async #read(): Promise<boolean> {
    const count = await this.#socket.read(this.#buffer.subarray(this.#end));
    if (count === null) return false;
    this.#end += count;
    this.bytes += count;
    return true;
  }

  async #send(kind: "request" | "pong", payload: Uint8Array): Promise<void> {
    const message = encodeMessage(kind, payload);
    let sent = 0;
    while (sent < message.byteLength) sent += await this.#socket.write(message.subarray(sent));
  }
}
