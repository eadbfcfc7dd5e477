/** A script that sends frames: what it writes is what a test wants. */
import { deadline } from "../../../lib/base/async.ts";
import { closeSocket } from "../../../lib/net/socket.ts";
import { concat } from "../media/bytes.ts";
import { PATIENCE } from "../time/patience.ts";
import type { TestServer } from "./test_server.ts";

/** A connection of a script to whom it sends frames. */
export class ScriptPeer implements Disposable {
  readonly socket: Deno.TcpConn;

  constructor(socket: Deno.TcpConn) {
    this.socket = socket;
  }

  /** Connects to the port on which a server waits for scripts that push a source. */
  static async push(server: TestServer, name = "cam"): Promise<ScriptPeer> {
    const port = await pushPort(server, name);
    return new ScriptPeer(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Sends bytes as they are. */
  async write(...parts: Uint8Array[]): Promise<void> {
    for (let bytes = concat(...parts); bytes.length > 0;) {
      bytes = bytes.subarray(await this.socket.write(bytes));
    }
  }

  /** Sends a message behind its length in 8 bytes, the lowest first. */
  async send(message: Uint8Array): Promise<void> {
    const length = new Uint8Array(8);
    new DataView(length.buffer).setBigUint64(0, BigInt(message.byteLength), true);
    await this.write(length, message);
  }

  /** Waits for so many bytes of text. */
  async heard(count: number): Promise<string> {
    using _limit = deadline(PATIENCE, () => this.close());
    const bytes = new Uint8Array(count);
    for (let have = 0; have < count;) {
      const read = await this.socket.read(bytes.subarray(have));
      if (read === null) throw new Error(`Cannot hear ${count} bytes: the peer hung up`);
      have += read;
    }
    return new TextDecoder().decode(bytes);
  }

  /** Waits until the other side closes the connection. */
  async closed(): Promise<void> {
    using _limit = deadline(PATIENCE, () => this.close());
    while (await this.socket.read(new Uint8Array(1024)) !== null);
  }

  close(): void {
    closeSocket(this.socket);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The port on which a server waits for scripts that push a source. */
export async function pushPort(server: TestServer, name = "cam"): Promise<number> {
  const pattern = new RegExp(` Scripts push "${name}" to \\S+:(\\d+)\n`);
  await server.logged(pattern);
  const line = server.lines.find((line) => pattern.test(line));
  return Number(line?.match(pattern)?.[1]);
}

/** Milliseconds between the frames of a camera. */
const INTERVAL = 20;

/** A script that sends the same message again and again, until it is disposed. */
export class ScriptCamera implements AsyncDisposable {
  #peer: ScriptPeer;
  #message: Uint8Array;
  #isOver = false;
  #sending: Promise<void>;

  constructor(peer: ScriptPeer, message: Uint8Array) {
    this.#peer = peer;
    this.#message = message;
    this.#sending = this.#send();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#sending;
    this.#peer.close();
  }

  async #send(): Promise<void> {
    while (!this.#isOver) {
      await this.#peer.send(this.#message);
      await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    }
  }
}
