import { type ByteSource, fromSocket } from "../core/byte_reader.ts";
import { deadline } from "../core/deadline.ts";

/** Bytes of the longest request head that is read from whoever connects. */
const MAX_HEAD = 8192;

/** Milliseconds that whoever connects gets to say the secret. */
const HEAD_DEADLINE = 5000;

/** What ends the head of an HTTP request. */
const HEAD_END = "\r\n\r\n";

/** Connections whose head is being read at once; further ones are closed. */
const MAX_CHECKS = 16;

/** The connection over which a child's output comes, and what was read of that with the head. */
interface Inflow {
  socket: Deno.TcpConn;
  rest: Uint8Array;
}

/**
 * FFmpeg's output through a socket of this machine instead of its standard output.
 *
 * A pipe holds 64 KiB, so that writer and reader wake each other some fifty times for one large
 * frame; a socket holds whole frames. FFmpeg is told to send an HTTP request, whose path is a
 * secret of 122 random bits: whoever else on this machine connects does not know it, and is shown
 * the door. What follows the head is the output as it is.
 */
export class Feed implements Disposable {
  #listener: Deno.TcpListener;
  #secret = crypto.randomUUID();
  #inflow = Promise.withResolvers<Inflow | undefined>();
  #sockets = new Set<Deno.TcpConn>();
  #checks = new Set<Promise<void>>();
  #listening = true;

  constructor() {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    // Taken up by whoever reads; before that a failure must not go unhandled.
    this.#inflow.promise.catch(() => {});
    this.#admit();
  }

  /** FFmpeg's arguments for an output that comes here. */
  get outputArguments(): string[] {
    const url = `http://127.0.0.1:${this.#listener.addr.port}/${this.#secret}`;
    return ["-method", "PUT", "-chunked_post", "0", "-send_expect_100", "0", url];
  }

  /**
   * The output. It ends where the child's does.
   *
   * @param ended settles when the child has ended, which it may do without having connected
   */
  source(ended: Promise<void>): ByteSource {
    ended.then(() => this.#stopListening());
    return {
      read: async (target, min) => {
        const inflow = await this.#inflow.promise;
        if (inflow === undefined) return target.subarray(0, 0);
        const taken = Math.min(inflow.rest.byteLength, target.byteLength);
        if (taken === 0) return await fromSocket(inflow.socket).read(target, min);
        target.set(inflow.rest.subarray(0, taken));
        inflow.rest = inflow.rest.subarray(taken);
        const more = fromSocket(inflow.socket).read(target.subarray(taken), min - taken);
        return target.subarray(0, taken + (await more).byteLength);
      },
      cancel: () => Promise.resolve(this[Symbol.dispose]()),
    };
  }

  /** Closes whatever is open. Harmless when repeated. */
  [Symbol.dispose](): void {
    this.#stopListening();
    for (const socket of this.#sockets) socket.close();
    this.#sockets.clear();
  }

  #stopListening(): void {
    if (this.#listening) this.#listener.close();
    this.#listening = false;
  }

  /** Lets connections in until one of them knows the secret. */
  async #admit(): Promise<void> {
    try {
      while (true) {
        const socket = await this.#listener.accept();
        this.#sockets.add(socket);
        if (this.#checks.size >= MAX_CHECKS) {
          this.#drop(socket);
          continue;
        }
        const check = this.#check(socket);
        this.#checks.add(check);
        check.finally(() => this.#checks.delete(check));
      }
    } catch (error) {
      // Closed: the child is here, or has ended, or is not wanted any more.
      if (this.#listening) this.#inflow.reject(error);
    }
    await Promise.all(this.#checks);
    this.#inflow.resolve(undefined);
  }

  async #check(socket: Deno.TcpConn): Promise<void> {
    const rest = await this.#readHead(socket);
    if (rest === undefined) {
      this.#drop(socket);
    } else {
      this.#inflow.resolve({ socket, rest });
      this.#stopListening();
    }
  }

  /**
   * Reads the head of the request.
   *
   * @returns what came behind it; `undefined` where it is not the child's
   */
  async #readHead(socket: Deno.TcpConn): Promise<Uint8Array | undefined> {
    const bytes = new Uint8Array(MAX_HEAD);
    let have = 0;
    using _limit = deadline(HEAD_DEADLINE, () => this.#drop(socket));
    try {
      while (have < MAX_HEAD) {
        const count = await socket.read(bytes.subarray(have));
        if (count === null) return undefined;
        have += count;
        const text = latin1.decode(bytes.subarray(0, have));
        const end = text.indexOf(HEAD_END);
        if (end < 0) continue;
        const isChild = text.startsWith(`PUT /${this.#secret} `);
        return isChild ? bytes.subarray(end + HEAD_END.length, have) : undefined;
      }
    } catch {
      // Reset by the stranger, or closed by the deadline: not the child.
    }
    return undefined;
  }

  /** Closes a connection that is not the child's, unless that has been done. */
  #drop(socket: Deno.TcpConn): void {
    if (this.#sockets.delete(socket)) socket.close();
  }
}

const latin1 = new TextDecoder("latin1");
