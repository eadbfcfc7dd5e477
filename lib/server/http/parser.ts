/** Node's HTTP parser on the connections of the server, which it does not listen for itself. */
import type { Server as HttpParser } from "node:http";
import type { Duplex } from "node:stream";
import type { SessionContext } from "../session/context.ts";
import { HttpConnection, type HttpConnectionOptions } from "./connection.ts";

/** Bytes of the largest head of a request. */
const MAX_HEAD = 16 * 1024;

/** Bytes that wait in a stream before it asks to pause. */
const HIGH_WATER_MARK = 64 * 1024;

/** Responses to what is no HTTP, by the parser's error. */
const REFUSALS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
};

/** Passes connections through a parser to the objects that serve them. */
export class HttpConversations {
  #parser: Promise<HttpParser> | undefined;
  #connections = new WeakMap<object, HttpConnection>();

  /** Serves one connection until it is closed; throws why it failed. */
  async converse(options: Omit<HttpConnectionOptions, "stream">): Promise<void> {
    // Loaded for those who serve a page, since that takes long.
    const parser = await (this.#parser ??= this.#createParser());
    const { Duplex } = await import("node:stream");
    const stream = toStream(options.context, Duplex, () => connection.received());
    const connection = new HttpConnection({ ...options, stream });
    this.#connections.set(stream, connection);
    await connection.run(parser);
  }

  async #createParser(): Promise<HttpParser> {
    const { createServer, ServerResponse } = await import("node:http");
    const parser = createServer({ maxHeaderSize: MAX_HEAD });
    parser.on("request", (incoming, outgoing) => {
      this.#connections.get(incoming.socket)?.take(incoming, outgoing);
    });
    parser.on("upgrade", (incoming, stream: Duplex, head) => {
      const outgoing = new ServerResponse(incoming);
      outgoing.shouldKeepAlive = false;
      this.#connections.get(stream)?.take(incoming, outgoing, head);
    });
    parser.on("clientError", (error: Error & { code?: string }, stream: Duplex) => {
      refuse(stream, REFUSALS[error.code ?? ""] ?? "400 Bad Request");
    });
    return parser;
  }
}

/**
 * Ends a connection on which something else than HTTP came.
 *
 * @param line status and its name
 */
function refuse(stream: Duplex, line: string): void {
  if (!stream.writable) return;
  const type = "Content-Type: application/problem+json";
  const head = [`HTTP/1.1 ${line}`, type, "Connection: close"];
  const [status, title] = [Number(line.slice(0, 3)), line.slice(4)];
  const detail = "Cannot read the request: expected HTTP/1.1, with a short head";
  const body = JSON.stringify({ title, status, detail, code: "bad_request" });
  stream.end(`${head.join("\r\n")}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
}

/** The bytes of a session as a stream of Node. */
function toStream(
  { reader, writer }: Pick<SessionContext, "reader" | "writer">,
  Stream: typeof Duplex,
  onBytes: () => void,
): Duplex {
  const readNext = async () => {
    const bytes = await reader.peek(1);
    if (bytes === undefined) return null;
    const taken = bytes.slice();
    reader.consume(taken.byteLength);
    onBytes();
    return taken;
  };
  return new Stream({
    readableHighWaterMark: HIGH_WATER_MARK,
    writableHighWaterMark: HIGH_WATER_MARK,
    allowHalfOpen: true,
    read() {
      // push() runs the parser on the bytes.
      readNext().then((bytes) => this.push(bytes)).catch((error) => this.destroy(error));
    },
    write(chunk: Uint8Array, _encoding, done) {
      writer.write(chunk).then(() => done(), done);
    },
    writev(chunks: { chunk: Uint8Array }[], done) {
      writer.write(...chunks.map(({ chunk }) => chunk)).then(() => done(), done);
    },
  });
}
