import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import {
  connect,
  type ConnectionOptions,
  type PeerCertificate,
  type SecureContext,
  TLSSocket,
} from "node:tls";
import { closeSocket, type Socket } from "./socket.ts";

/** Bytes that are passed from one layer to the next in one piece. */
const STEP = 256 * 1024;

/**
 * TLS over a TCP connection. Deno's own TLS can neither take a new certificate while it listens nor
 * tell the one of the peer, so this is Node's, with Deno's connection below it.
 */
export class TlsSocket implements Socket {
  #raw: Deno.TcpConn;
  #stream: TLSSocket;
  /** What came and did not fit into the memory that was read into. */
  #rest = new Uint8Array(0);
  #ended = false;
  #secured = Promise.withResolvers<void>();
  #isSecure = false;
  /** Why nothing more can be done. */
  #failure: Error | undefined;
  /** What is called then: how to fail what waits now. */
  #waiting = new Set<(error: Error) => void>();
  /** Called when there may be something to read. */
  #onNews = (): void => {};

  private constructor(raw: Deno.TcpConn, below: Duplex, stream: TLSSocket) {
    this.#raw = raw;
    this.#stream = stream;
    stream.on("secure", () => {
      this.#isSecure = true;
      this.#secured.resolve();
    });
    // While nobody reads, the end of the connection is noticed by nobody else.
    below.on("end", () => {
      if (!this.#isSecure) this.#fail(new Deno.errors.ConnectionReset("it broke off"));
    });
    stream.on("readable", () => this.#onNews());
    stream.on("end", () => {
      this.#ended = true;
      this.#onNews();
    });
    stream.on("error", (error) => this.#fail(error));
    stream.on("close", () => this.#fail(new Deno.errors.ConnectionReset("connection closed")));
  }

  /**
   * The server's side.
   *
   * @param first bytes that were read from the connection already
   * @throws {Error} where the peer does not speak TLS, or breaks off
   */
  static async accept(
    raw: Deno.TcpConn,
    { context, first }: { context: SecureContext; first: Uint8Array },
  ): Promise<TlsSocket> {
    const below = toDuplex(raw, first);
    const options = { isServer: true, secureContext: context, allowHalfOpen: true };
    return await new TlsSocket(raw, below, new TLSSocket(below, options)).#handshake();
  }

  /**
   * The client's side.
   *
   * @throws {Error} where the peer does not speak TLS, or is not whom it is expected to be
   */
  static async connect(raw: Deno.TcpConn, options: ConnectionOptions): Promise<TlsSocket> {
    const below = toDuplex(raw, new Uint8Array(0));
    const stream = connect({ ...options, socket: below, allowHalfOpen: true } as ConnectionOptions);
    return await new TlsSocket(raw, below, stream).#handshake();
  }

  get remoteAddr(): Deno.NetAddr {
    return this.#raw.remoteAddr;
  }

  /** The peer's certificate. */
  get certificate(): PeerCertificate {
    return this.#stream.getPeerCertificate();
  }

  async read(target: Uint8Array): Promise<number | null> {
    while (this.#rest.byteLength === 0) {
      const chunk: Uint8Array<ArrayBuffer> | null = this.#stream.read();
      if (chunk !== null) this.#rest = chunk;
      else if (this.#ended) return null;
      else await this.#until((done) => this.#onNews = done);
    }
    const count = Math.min(target.byteLength, this.#rest.byteLength);
    target.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const part = bytes.subarray(0, STEP);
    await this.#until((done) => {
      this.#stream.write(part, (error) => error ? this.#fail(error) : done());
    });
    return part.byteLength;
  }

  async closeWrite(): Promise<void> {
    await this.#until((done) => this.#stream.end(done));
  }

  setNoDelay(): void {
    this.#raw.setNoDelay();
  }

  close(): void {
    this.#fail(new Deno.errors.Interrupted("connection closed"));
    this.#stream.destroy();
    closeSocket(this.#raw);
  }

  async #handshake(): Promise<TlsSocket> {
    try {
      await this.#until((done) => this.#secured.promise.then(done));
      return this;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Waits for what `start` sets going, or for the connection to fail. */
  async #until(start: (done: () => void) => void): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.add(reject);
    try {
      start(resolve);
      await promise;
    } finally {
      this.#waiting.delete(reject);
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const reject of this.#waiting) reject(this.#failure);
  }
}

/**
 * A connection as Node knows them.
 *
 * @param first bytes that were read from it already
 */
function toDuplex(raw: Deno.TcpConn, first: Uint8Array): Duplex {
  let ahead = first;
  const readNext = async () => {
    if (ahead.byteLength > 0) {
      const bytes = ahead;
      ahead = new Uint8Array(0);
      return bytes;
    }
    const memory = Buffer.allocUnsafe(STEP);
    const count = await raw.read(memory);
    return count === null ? null : memory.subarray(0, count);
  };
  const writeAll = async (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.byteLength;) at += await raw.write(bytes.subarray(at));
  };
  return new Duplex({
    readableHighWaterMark: STEP,
    writableHighWaterMark: STEP,
    allowHalfOpen: true,
    read() {
      readNext().then((bytes) => this.push(bytes), (error) => this.destroy(error));
    },
    write(chunk: Uint8Array, _encoding, done) {
      writeAll(chunk).then(() => done(), done);
    },
    final(done) {
      raw.closeWrite().then(() => done(), done);
    },
    destroy(error, done) {
      closeSocket(raw);
      done(error);
    },
  });
}
