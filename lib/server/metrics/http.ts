import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from "node:http";
import { deadline } from "../../base/async.ts";
import { messageOf } from "../../base/errors.ts";
import { type Address, formatAddress } from "../../net/address.ts";

/** Milliseconds that answers under way may take at the end. */
const GRACE = 1000;

/** Connections at once; one more is closed. Whoever holds them takes none of those of viewers. */
const MAX_CONNECTIONS = 32;

/** Waits for those who ask, milliseconds: Deno's own server has none. */
const TIMEOUTS = { headersTimeout: 10_000, requestTimeout: 10_000, keepAliveTimeout: 60_000 };

/** What can be asked. */
export interface Status {
  /** The numbers, and the type of their text. */
  metrics(): Promise<{ text: string; type: string }>;
  /** Whether whoever asks for media now would be served. */
  isReady(): boolean;
}

/** What may be other than usual. */
export interface MetricsServerOptions {
  maxConnections?: number;
  timeouts?: typeof TIMEOUTS;
}

/** Answers `/metrics`, `/healthz` and `/readyz` over HTTP. */
export class MetricsServer implements AsyncDisposable {
  #server: HttpServer;
  #closed: Promise<void> | undefined;

  constructor(server: HttpServer) {
    this.#server = server;
  }

  /** Where it listens. */
  get address(): Address {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("Cannot tell: not there");
    return { hostname: address.address, port: address.port };
  }

  /** Ends it, and waits until it is gone. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    using _limit = deadline(GRACE, () => this.#server.closeAllConnections());
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeIdleConnections();
    await closed;
  }
}

/**
 * Begins to answer.
 *
 * @throws {Error} with what to do, where it cannot listen there
 */
export async function startMetricsServer(
  { hostname, port }: Address,
  status: Status,
  { maxConnections = MAX_CONNECTIONS, timeouts = TIMEOUTS }: MetricsServerOptions = {},
): Promise<MetricsServer> {
  const checks = { connectionsCheckingInterval: Math.min(1000, timeouts.headersTimeout) };
  const server = createServer({ ...timeouts, ...checks }, (request, response) => {
    respond(request, response, status);
  });
  server.maxConnections = maxConnections;
  try {
    server.listen(port, hostname);
    await once(server, "listening");
    return new MetricsServer(server);
  } catch (cause) {
    const isTaken = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
    throw new Error(
      `Cannot listen on ${formatAddress({ hostname, port })} for metrics: ` +
        `${isTaken ? "the port is taken" : messageOf(cause)}, choose another with --metrics`,
      { cause },
    );
  }
}

/** Never throws: whoever asks gets to know at the most that something went wrong. */
async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  status: Status,
): Promise<void> {
  const { code, text, headers } = await toReply(request, status).catch(() => FAILED);
  response.writeHead(code, { ...HEADERS, ...headers });
  response.end(text);
}

interface Reply {
  code: number;
  text: string;
  headers?: Record<string, string>;
}

const FAILED: Reply = { code: 500, text: "Cannot tell now\n" };

async function toReply({ method, url = "" }: IncomingMessage, status: Status): Promise<Reply> {
  if (method !== "GET" && method !== "HEAD") {
    const headers = { Allow: "GET, HEAD" };
    return { code: 405, text: `Cannot ${method} here: expected GET\n`, headers };
  }
  // Proxies may ask for a whole address (RFC 9112, 3.2.2).
  switch (url.replace(/^http:\/\/[^/]*/i, "").split("?", 1)[0]) {
    case "/metrics": {
      const { text, type } = await status.metrics();
      return { code: 200, text, headers: { "Content-Type": type } };
    }
    case "/healthz":
      return { code: 200, text: "ok\n" };
    case "/readyz":
      return status.isReady()
        ? { code: 200, text: "ready\n" }
        : { code: 503, text: "not ready: the server is ending\n" };
  }
  return { code: 404, text: "Cannot find that: expected /metrics, /healthz or /readyz\n" };
}

const HEADERS = {
  "Cache-Control": "no-store",
  "Content-Type": "text/plain; charset=utf-8",
  "X-Content-Type-Options": "nosniff",
};
