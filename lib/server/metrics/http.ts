/** The HTTP server for metrics and health checks. */
import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import { deadline } from "../../base/async.ts";
import { messageOf } from "../../base/errors.ts";
import { type Address, formatAddress } from "../../net/address.ts";

/** Milliseconds that responses may take during a shutdown. */
const GRACE = 1000;

/** Connections at once; further ones are closed. They take no slots of viewers. */
const MAX_CONNECTIONS = 32;

/** Timeouts of `node:http`, milliseconds. Deno's own HTTP server has none. */
const TIMEOUTS = { headersTimeout: 10_000, requestTimeout: 10_000, keepAliveTimeout: 60_000 };

/** State that the endpoints report. */
export interface Status {
  /** Metrics as text, and its media type. */
  metrics(): Promise<{ text: string; type: string }>;
  /** Whether a request for media would be served now. */
  isReady(): boolean;
}

/** Options of {@linkcode startMetricsServer}. */
export interface MetricsServerOptions {
  maxConnections?: number;
  timeouts?: typeof TIMEOUTS;
  /** The flag or option that names the address, for errors. @default "--metrics" */
  option?: string;
}

/** Serves `/metrics`, `/healthz` and `/readyz` over HTTP. */
export class MetricsServer implements AsyncDisposable {
  #server: HttpServer;
  #closed: Promise<void> | undefined;

  constructor(server: HttpServer) {
    this.#server = server;
  }

  get address(): Address {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("Cannot tell: not there");
    return { hostname: address.address, port: address.port };
  }

  /** Closes it, and waits until all connections are closed. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    using _limit = deadline(GRACE, () => this.#server.closeAllConnections());
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeIdleConnections();
    await closed;
  }
}

/**
 * Starts an HTTP server for the metrics.
 *
 * @throws {Error} with what to do about it, if it cannot listen
 */
export async function startMetricsServer(
  { hostname, port }: Address,
  status: Status,
  options: MetricsServerOptions = {},
): Promise<MetricsServer> {
  const { maxConnections = MAX_CONNECTIONS, timeouts = TIMEOUTS, option = "--metrics" } = options;
  const checks = { connectionsCheckingInterval: Math.min(1000, timeouts.headersTimeout) };
  // Loaded for those who want metrics, since that takes long.
  const { createServer } = await import("node:http");
  const server = createServer({ ...timeouts, ...checks }, (request, response) => {
    respond(request, response, status);
  });
  server.maxConnections = maxConnections;
  try {
    const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.listen(port, hostname, resolve);
    await listening;
    server.off("error", reject);
    return new MetricsServer(server);
  } catch (cause) {
    const isTaken = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
    throw new Error(
      `Cannot listen on ${formatAddress({ hostname, port })} for metrics: ` +
        `${isTaken ? "the port is taken" : messageOf(cause)}, choose another with ${option}`,
      { cause },
    );
  }
}

/** Never rejects; a failure becomes a 500 without details. */
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
  // Proxies may send an absolute URL (RFC 9112, 3.2.2).
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
