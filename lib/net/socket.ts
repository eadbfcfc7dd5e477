/** TCP connections, plain or with TLS, behind one interface. */
import type { Duplex } from "node:stream";
import type { ConnectionOptions, PeerCertificate, SecureContext, TLSSocket } from "node:tls";

/** A TCP connection, plain or with TLS. Deno's own connections implement it. */
export interface Socket {
  readonly remoteAddr: Deno.NetAddr;
  /** Reads at least one byte and returns how many; `null` at the end of input. */
  read(target: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes and returns how many, at least one. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends sending; reading goes on. */
  closeWrite(): Promise<void>;
  /** Disables Nagle's algorithm: small messages are sent at once. */
  setNoDelay(): void;
  /** Closes both directions and fails pending reads and writes. */
  close(): void;
}

/** Closes a connection unless it is closed already. */
export function closeSocket(socket: Pick<Socket, "close">): void {
  try {
    socket.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

/** Bytes of the largest read or write. */
const CHUNK_SIZE = 64 * 1024;

/**
 * Backpressure: delays reads until earlier data has been taken. Node's TLS does not limit what it
 * reads from a stream that is not a socket of its own.
 */
class Gate {
  /** Checked before each read. */
  isOpen = (): boolean => true;
  #changed = Promise.withResolvers<void>();

  /** Waits until the gate is open. */
  async pass(): Promise<void> {
    while (!this.isOpen()) await this.#changed.promise;
  }

  /** Makes pending {@linkcode Gate.pass} calls check again. */
  check(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/**
 * TLS over a TCP connection: Node's TLS on top of Deno's connection. Deno's own TLS cannot change the
 * certificate of a listener, and does not expose the peer's certificate.
 *
 * Node's modules are loaded with the first such connection: that takes as long as all else until
 * a program has started.
 */
export class TlsSocket implements Socket {
  #raw: Deno.TcpConn;
  #gate: Gate;
  #stream: TLSSocket;
  /** Received bytes that did not fit into the target of the last read. */
  #rest = new Uint8Array(0);
  #ended = false;
  #secured = Promise.withResolvers<void>();
  #isSecure = false;
  #failure: Error | undefined;
  /** Reject functions of pending operations. */
  #pending = new Set<(error: Error) => void>();
  /** Called when there may be something to read. */
  #onReadable = (): void => {};

  private constructor(
    raw: Deno.TcpConn,
    { below, gate, stream, securedBy }: {
      below: Duplex;
      gate: Gate;
      stream: TLSSocket;
      /** "secureConnect" for clients: at "secure", the server's name is not checked yet. */
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
    // During the handshake nothing reads, and nothing else notices the end of the connection.
    below.on("end", () => {
      if (!this.#isSecure) this.#fail(new Deno.errors.ConnectionReset("it broke off"));
    });
    stream.on("readable", () => this.#onReadable());
    stream.on("end", () => {
      this.#ended = true;
      this.#onReadable();
    });
    stream.on("error", (error) => this.#fail(error));
    stream.on("close", () => this.#fail(new Deno.errors.ConnectionReset("connection closed")));
  }

  /**
   * Accepts a client.
   *
   * @param first bytes already read from the connection
   * @throws {Error} if the peer does not speak TLS, or disconnects
   */
  static async accept(
    raw: Deno.TcpConn,
    { context, first }: { context: SecureContext; first: Uint8Array },
  ): Promise<TlsSocket> {
    const { TLSSocket } = await import("node:tls");
    const gate = new Gate();
    const below = await toDuplex(raw, gate, first);
    const options = { isServer: true, secureContext: context, allowHalfOpen: true };
    const stream = new TLSSocket(below, options);
    return await new TlsSocket(raw, { below, gate, stream, securedBy: "secure" }).#handshake();
  }

  /**
   * Connects to a server.
   *
   * @throws {Error} if the peer does not speak TLS, or its certificate is not the expected one
   */
  static async connect(raw: Deno.TcpConn, options: ConnectionOptions): Promise<TlsSocket> {
    const { connect } = await import("node:tls");
    const gate = new Gate();
    const below = await toDuplex(raw, gate);
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
      this.#gate.check();
      if (chunk !== null) this.#rest = chunk;
      else if (this.#ended) return null;
      else await this.#until((done) => this.#onReadable = done);
    }
    const count = Math.min(target.byteLength, this.#rest.byteLength);
    target.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const part = bytes.subarray(0, CHUNK_SIZE);
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
    this.#gate.check();
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

  /** Starts an operation and waits until it is done or the connection fails. */
  async #until(start: (done: () => void) => void): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#pending.add(reject);
    try {
      start(resolve);
      await promise;
    } finally {
      this.#pending.delete(reject);
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const reject of this.#pending) reject(this.#failure);
  }
}

/**
 * Wraps a connection as a stream of Node.
 *
 * @param first bytes already read from it
 */
async function toDuplex(
  raw: Deno.TcpConn,
  gate: Gate,
  first: Uint8Array = new Uint8Array(0),
): Promise<Duplex> {
  const [{ Buffer }, { Duplex }] = await Promise.all([
    import("node:buffer"),
    import("node:stream"),
  ]);
  let ahead = first;
  const readNext = async () => {
    if (ahead.byteLength > 0) {
      const bytes = ahead;
      ahead = new Uint8Array(0);
      return bytes;
    }
    await gate.pass();
    const memory = Buffer.allocUnsafe(CHUNK_SIZE);
    const count = await raw.read(memory);
    return count === null ? null : memory.subarray(0, count);
  };
  const writeAll = async (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.byteLength;) at += await raw.write(bytes.subarray(at));
  };
  return new Duplex({
    readableHighWaterMark: CHUNK_SIZE,
    writableHighWaterMark: CHUNK_SIZE,
    allowHalfOpen: true,
    read() {
      // push() runs TLS on the bytes, and throws if they are invalid.
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

/** Milliseconds from which on a write waited for the peer and not for the system's buffer. */
const BLOCKED = 50;

/** Both directions of a socket. */
type Transport = Pick<Socket, "read" | "write">;

/**
 * Measures how long a peer has been silent. Received bytes, and writes that had to wait for the peer,
 * are signs of life. Writes that return at once go to the system's buffer and prove nothing.
 */
export class IdleTimeout implements Transport {
  #socket: Transport;
  #now: () => number;
  #last: number;
  #reading = false;

  /** @param now milliseconds since a fixed time; never goes back */
  constructor(socket: Transport, { now = () => performance.now() }: { now?: () => number } = {}) {
    this.#socket = socket;
    this.#now = now;
    this.#last = now();
  }

  async read(target: Uint8Array): Promise<number | null> {
    // Silence counts from the start of the read.
    this.#last = this.#now();
    this.#reading = true;
    try {
      return await this.#socket.read(target);
    } finally {
      this.#reading = false;
      this.#last = this.#now();
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    const before = this.#now();
    const count = await this.#socket.write(bytes);
    const now = this.#now();
    if (now - before >= BLOCKED) this.#last = now;
    return count;
  }

  /** Milliseconds without a sign of life during the pending read; 0 if none is pending. */
  get silence(): number {
    return this.#reading ? this.#now() - this.#last : 0;
  }

  /** Calls `onSilent` after `limit` milliseconds of silence from now on, unless disposed before. */
  watch(limit: number, onSilent: () => void): Disposable {
    const check = () => {
      const earlier = Math.max(0, start - this.#last);
      const left = limit - Math.max(0, this.silence - earlier);
      if (left <= 0) onSilent();
      else timer = setTimeout(check, left);
    };
    const start = this.#now();
    let timer = setTimeout(check, limit);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  }
}
