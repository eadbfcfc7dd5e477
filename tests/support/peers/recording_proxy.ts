/** A proxy that keeps what both ends of its connections say. */
import { isConnectionClosed, isConnectionLost } from "../../../lib/base/errors.ts";
import { closeSocket } from "../../../lib/net/socket.ts";
import { say } from "./scripted_server.ts";

/** Bytes of one side, as they were read. */
export interface Said {
  from: "client" | "server";
  bytes: Uint8Array<ArrayBuffer>;
}

/** A TCP proxy in front of a server. Its connections are kept in the order in which they begin. */
export class RecordingProxy implements AsyncDisposable {
  /** What was said on each connection, in the order of arrival. */
  readonly connections: Said[][] = [];
  #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  #target: Deno.NetAddr;
  #open = new Set<Deno.TcpConn>();
  #running: Promise<void>;

  constructor({ address }: { address: Deno.NetAddr }) {
    this.#target = address;
    this.#running = this.#accept();
  }

  /** Where it listens. */
  get address(): Deno.NetAddr {
    return this.#listener.addr;
  }

  /** Closes the listener and all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.#open.forEach(closeSocket);
    await this.#running;
  }

  async #accept(): Promise<void> {
    const relays: Promise<void>[] = [];
    for await (const client of this.#listener) {
      const said: Said[] = [];
      this.connections.push(said);
      relays.push(this.#relay(client, said));
    }
    await Promise.all(relays);
  }

  async #relay(client: Deno.TcpConn, said: Said[]): Promise<void> {
    const { hostname, port } = this.#target;
    const server = await Deno.connect({ hostname, port });
    const both = [client, server];
    both.forEach((socket) => this.#open.add(socket));
    const close = () =>
      both.forEach((socket) => {
        closeSocket(socket);
        this.#open.delete(socket);
      });
    const keep = (from: Said["from"]) => (bytes: Uint8Array<ArrayBuffer>) =>
      void said.push({ from, bytes });
    await Promise.all([
      pass(client, server, keep("client")).finally(close),
      pass(server, client, keep("server")).finally(close),
    ]);
  }
}

/** Passes bytes on until one end is gone. */
async function pass(
  from: Deno.TcpConn,
  to: Deno.TcpConn,
  keep: (bytes: Uint8Array<ArrayBuffer>) => void,
): Promise<void> {
  const memory = new Uint8Array(65536);
  try {
    for (let count; (count = await from.read(memory)) !== null;) {
      const bytes = memory.slice(0, count);
      keep(bytes);
      await say(to, bytes);
    }
  } catch (error) {
    if (!isConnectionLost(error) && !isConnectionClosed(error)) throw error;
  }
}
