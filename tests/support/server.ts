import type { Logger } from "../../lib/base/log.ts";
import type { ServerOptions } from "../../lib/server/options.ts";
import { type Server, startServer } from "../../lib/server/server.ts";

/** A server of the tests' own process, on a free port of this machine. */
export class TestServer implements AsyncDisposable {
  /** What the server logged, one event each: the level, the message, its fields as JSON. */
  readonly log: readonly string[];
  #server: Server;

  constructor(server: Server, log: readonly string[]) {
    this.#server = server;
    this.log = log;
  }

  /** Where it listens. */
  get address(): Deno.NetAddr {
    return this.#server.address;
  }

  /** Opens a socket to it. */
  connect(): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname: this.address.hostname, port: this.address.port });
  }

  /** Ends it and waits until all its sessions are over. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

/** Starts a server and lets it run until it is disposed. */
export async function testServer(
  options: Partial<ServerOptions> & { media: string },
): Promise<TestServer> {
  const log: string[] = [];
  const logger: Logger = {
    log: (level, message, fields) => {
      log.push([level, message, ...fields === undefined ? [] : [JSON.stringify(fields)]].join(" "));
    },
  };
  const server = await startServer(
    { host: "127.0.0.1", port: 0, defaults: {}, maxClients: 16, ...options },
    logger,
  );
  server.run();
  return new TestServer(server, log);
}
