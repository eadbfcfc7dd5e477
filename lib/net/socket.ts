import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import {
  connect,
  type ConnectionOptions,
  type PeerCertificate,
  type SecureContext,
  TLSSocket,
} from "node:tls";

/** A connection over TCP, as it is or with TLS in it. Deno's own connections are such. */
export interface Socket {
  readonly remoteAddr: Deno.NetAddr;
  /** Reads some bytes, at least one, and tells how many; `null` where the peer has ended. */
  read(target: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes, at least one, and tells how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Tells the peer that nothing more comes; reading goes on. */
  closeWrite(): Promise<void>;
  /** Sends small messages at once. */
  setNoDelay(): void;
  /** Ends both directions at once, with whatever waits on them. */
  close(): void;
}

/** Closes a connection that may be closed already: by a deadline, or at the end. */
export function closeSocket(socket: Pick<Socket, "close">): void {
  try {
    socket.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

/** Bytes that are passed from one layer to the next in one piece. */
const STEP = 64 * 1024;

/**
 * Holds up reading while what came before has not been taken. Node's TLS over a stream that is not
 * a socket of its own would read on and on.
 */
class Gate {
  /** Whether it is open; looked at before each read. */
  isOpen = (): boolean => true;
  #opened = Promise.withResolvers<void>();

  /** Waits until it is open. */
  async pass(): Promise<void> {
    while (!this.isOpen()) await this.#opened.promise;
  }

  /** Has those who wait look again. */
  look(): void {
    this.#opened.resolve();
    this.#opened = Promise.withResolvers();
  }
}

/**
 * TLS over a TCP connection. Deno's own TLS can neither take a new certificate while it listens nor
 * tell the one of the peer, so this is Node's, with Deno's connection below it.
 */
export class TlsSocket implements Socket {
  #raw: Deno.TcpConn;
  #gate: Gate;
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

  private constructor(
    raw: Deno.TcpConn,
    { below, gate, stream, securedBy }: {
      below: Duplex;
      gate: Gate;
      stream: TLSSocket;
      /** A client's is "secureConnect": with "secure", the server's name has not been looked at. */
      securedBy: "secure" | "secureConnect";
    },
  ) {
    this.#raw = raw;
    this.#stream = stream;
    this.#gate = gate;
    gate.isOpen = () => stream.readableLength < stream.readableHighWaterMark || stream.destroyed;
    stream.on(securedBy, () => {
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
    const gate = new Gate();
    const below = toDuplex(raw, gate, first);
    const options = { isServer: true, secureContext: context, allowHalfOpen: true };
    const stream = new TLSSocket(below, options);
    return await new TlsSocket(raw, { below, gate, stream, securedBy: "secure" }).#handshake();
  }

  /**
   * The client's side.
   *
   * @throws {Error} where the peer does not speak TLS, or is not whom it is expected to be
   */
  static async connect(raw: Deno.TcpConn, options: ConnectionOptions): Promise<TlsSocket> {
    const gate = new Gate();
    const below = toDuplex(raw, gate);
    const stream = connect({ ...options, socket: below, allowHalfOpen: true } as ConnectionOptions);
    return await new TlsSocket(raw, { below, gate, stream, securedBy: "secureConnect" })
      .#handshake();
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
      this.#gate.look();
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
    this.#gate.look();
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
function toDuplex(raw: Deno.TcpConn, gate: Gate, first: Uint8Array = new Uint8Array(0)): Duplex {
  let ahead = first;
  const readNext = async () => {
    if (ahead.byteLength > 0) {
      const bytes = ahead;
      ahead = new Uint8Array(0);
      return bytes;
    }
    await gate.pass();
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
      // What is passed on is looked at in there, and what is wrong with it thrown here.
      readNext().then((bytes) => this.push(bytes)).catch((error) => this.destroy(error));
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
