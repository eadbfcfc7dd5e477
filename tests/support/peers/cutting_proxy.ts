/** A bad network between a client and a server. */
import { isConnectionClosed, isConnectionLost } from "../../../lib/base/errors.ts";
import { closeSocket } from "../../../lib/net/socket.ts";
import { say } from "./scripted_server.ts";

/** What the proxy does with a connection. */
export type Fate =
  /** Close both ends after so many bytes from the server. */
  | { cutAfter: number }
  /** Pass nothing more on after so many bytes from the server. */
  | { stallAfter: number }
  /** Close it before anything is passed on. */
  | "refused"
  /** Pass everything on. */
  | "whole";

/** A TCP proxy with a fate for each connection, by its number. */
export class CuttingProxy implements AsyncDisposable {
  #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  #target: Deno.NetAddr;
  #fates: readonly Fate[];
  #open = new Set<Deno.TcpConn>();
  #running: Promise<void>;
  #connections = 0;
  #passed: number[] = [];

  /** @param fates of the first connections; later ones are whole */
  constructor({ address }: { address: Deno.NetAddr }, fates: readonly Fate[]) {
    this.#target = address;
    this.#fates = fates;
    this.#running = this.#accept();
  }

  /** Where it listens. */
  get address(): Deno.NetAddr {
    return this.#listener.addr as Deno.NetAddr;
  }

  /** How many have connected. */
  get connections(): number {
    return this.#connections;
  }

  /** Bytes from the server that each connection passed on. */
  get passed(): readonly number[] {
    return this.#passed;
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
      const index = this.#connections++;
      this.#passed.push(0);
      relays.push(this.#relay(client, index));
    }
    await Promise.all(relays);
  }

  async #relay(client: Deno.TcpConn, index: number): Promise<void> {
    const fate = this.#fates[index] ?? "whole";
    if (fate === "refused") return client.close();
    const { hostname, port } = this.#target;
    const server = await Deno.connect({ hostname, port });
    const both = [client, server];
    both.forEach((socket) => this.#open.add(socket));
    const close = () =>
      both.forEach((socket) => {
        closeSocket(socket);
        this.#open.delete(socket);
      });
    try {
      await Promise.all([
        pass(client, server).finally(close),
        this.#response(server, client, { fate, index }).finally(close),
      ]);
    } finally {
      close();
    }
  }

  async #response(
    server: Deno.TcpConn,
    client: Deno.TcpConn,
    { fate, index }: { fate: Exclude<Fate, "refused">; index: number },
  ): Promise<void> {
    const onBytes = (count: number) => void (this.#passed[index] += count);
    if (fate === "whole") return await pass(server, client, { onBytes });
    if ("cutAfter" in fate) return await pass(server, client, { most: fate.cutAfter, onBytes });
    await pass(server, client, { most: fate.stallAfter, onBytes });
    // The server's bytes are read on, so that it notices nothing.
    await pass(server, undefined);
  }
}

/** Passes bytes on, up to a limit, until one end is gone. */
async function pass(
  from: Deno.TcpConn,
  to: Deno.TcpConn | undefined,
  { most = Infinity, onBytes }: { most?: number; onBytes?: (count: number) => void } = {},
): Promise<void> {
  const memory = new Uint8Array(65536);
  let left = most;
  try {
    while (left > 0) {
      const count = await from.read(memory.subarray(0, Math.min(left, memory.byteLength)));
      if (count === null) return;
      if (to !== undefined) await say(to, memory.subarray(0, count));
      left -= count;
      onBytes?.(count);
    }
  } catch (error) {
    if (!isConnectionLost(error) && !isConnectionClosed(error)) throw error;
  }
}
