/** The server's end of a WebSocket, on the stream of an HTTP connection. */
import type { Duplex } from "node:stream";
import { deadline } from "../../base/async.ts";
import { FormatError } from "../../base/errors.ts";
import type { MessageSocket } from "../../web/play_socket.ts";
import { frameHeader, FrameParser, OPCODES } from "./frames.ts";

/** Text that is hashed with the key of a client (RFC 6455, section 1.3). */
const HANDSHAKE = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Status codes of closing (RFC 6455, section 7.4.1). */
const CLOSE = { broken: 1002, refused: 1003 };

/** Milliseconds that the client has to close its end. */
const CLOSE_TIMEOUT = 1000;

/** Options of {@linkcode ServerSocket}. */
export interface ServerSocketOptions {
  /** The client's header Sec-WebSocket-Key. */
  key: string;
  /** Bytes that the client sent behind its request. */
  head: Uint8Array;
  /** Milliseconds between two pings. */
  pingInterval: number;
  /** Called for each frame of the client; waits if it sends too many. */
  pace: () => Promise<void> | undefined;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * A WebSocket with the events and methods of the browser's. Messages of a client fit into one frame:
 * the page sends numbers.
 */
export class ServerSocket extends EventTarget implements MessageSocket {
  #stream: Duplex;
  #state: number = WebSocket.OPEN;
  #limit: Disposable | undefined;

  /** Accepts the client, and reads until either side ends it. */
  constructor(stream: Duplex, options: ServerSocketOptions) {
    super();
    this.#stream = stream;
    this.#run(options);
  }

  get readyState(): number {
    return this.#state;
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.#state !== WebSocket.OPEN) return;
    if (typeof data === "string") this.#write(OPCODES.text, encoder.encode(data));
    else this.#write(OPCODES.binary, data);
  }

  close(status: number): void {
    if (this.#state !== WebSocket.OPEN) return;
    this.#state = WebSocket.CLOSING;
    this.#write(OPCODES.close, Uint8Array.of(status >> 8, status & 0xff));
    this.#limit = deadline(CLOSE_TIMEOUT, () => this.#stream.destroy());
  }

  /** Never rejects: the connection reports why it failed. */
  async #run({ key, head, pingInterval, pace }: ServerSocketOptions): Promise<void> {
    const pings = setInterval(() => this.#write(OPCODES.ping, new Uint8Array(0)), pingInterval);
    const parser = new FrameParser();
    try {
      this.#stream.write(await handshake(key));
      this.dispatchEvent(new Event("open"));
      let isOver = this.#takeAll(parser, head);
      for await (const chunk of this.#stream.iterator({ destroyOnReturn: false })) {
        await pace();
        isOver ||= this.#takeAll(parser, chunk);
        if (isOver) break;
      }
    } catch (error) {
      if (error instanceof FormatError) this.close(CLOSE.broken);
    } finally {
      clearInterval(pings);
      this.#limit?.[Symbol.dispose]();
      this.#state = WebSocket.CLOSED;
      this.#stream.end();
      this.dispatchEvent(new Event("close"));
    }
  }

  /** @returns whether the client has closed its end */
  #takeAll(parser: FrameParser, bytes: Uint8Array): boolean {
    for (const { opcode, isLast, payload } of parser.take(bytes)) {
      if (opcode === OPCODES.close) {
        this.close(payload.byteLength < 2 ? 1000 : payload[0] << 8 | payload[1]);
        return true;
      }
      if (opcode === OPCODES.ping) this.#write(OPCODES.pong, payload);
      else if (opcode === OPCODES.text && isLast) {
        this.dispatchEvent(new MessageEvent("message", { data: decoder.decode(payload) }));
      } else if (opcode !== OPCODES.pong) {
        this.close(CLOSE.refused);
      }
    }
    return false;
  }

  #write(opcode: number, payload: Uint8Array): void {
    if (this.#stream.destroyed || this.#stream.writableEnded) return;
    this.#stream.cork();
    this.#stream.write(frameHeader(opcode, payload.byteLength));
    this.#stream.write(payload);
    this.#stream.uncork();
  }
}

/** The response that accepts a client. */
async function handshake(key: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", encoder.encode(key + HANDSHAKE));
  const accept = new Uint8Array(digest).toBase64();
  return [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${accept}`,
    "\r\n",
  ].join("\r\n");
}
