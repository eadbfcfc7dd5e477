import { type Address, formatAddress } from "../core/address.ts";
import { deadline } from "../core/deadline.ts";
import { messageOf } from "../core/errors.ts";

/** Milliseconds that answers under way may take at the end. */
const GRACE = 1000;

/** What can be asked. */
export interface Status {
  /** The numbers, and the type of their text. */
  metrics(): Promise<{ text: string; type: string }>;
  /** Whether whoever asks for media now would be served. */
  isReady(): boolean;
}

/** Answers `/metrics`, `/healthz` and `/readyz` over HTTP. */
export class StatusServer implements AsyncDisposable {
  #server: Deno.HttpServer<Deno.NetAddr>;
  #stop: AbortController;

  constructor(server: Deno.HttpServer<Deno.NetAddr>, stop: AbortController) {
    this.#server = server;
    this.#stop = stop;
  }

  /** Where it listens. */
  get address(): Deno.NetAddr {
    return this.#server.addr;
  }

  /** Ends it, and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    using _limit = deadline(GRACE, () => this.#stop.abort());
    await Promise.race([this.#server.shutdown(), this.#server.finished]);
  }
}

/**
 * Begins to answer.
 *
 * @throws {Error} with what to do, where it cannot listen there
 */
export function startStatusServer(address: Address, status: Status): StatusServer {
  const stop = new AbortController();
  try {
    const server = Deno.serve(
      { ...address, signal: stop.signal, onListen() {} },
      (request) => answer(request, status),
    );
    return new StatusServer(server, stop);
  } catch (cause) {
    const reason = cause instanceof Deno.errors.AddrInUse ? "the port is taken" : messageOf(cause);
    throw new Error(
      `Cannot listen on ${formatAddress(address)} for metrics: ${reason}, choose another with ` +
        "--metrics",
      { cause },
    );
  }
}

async function answer(request: Request, status: Status): Promise<Response> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return plain(405, `Cannot ${request.method} here: expected GET`, { Allow: "GET, HEAD" });
  }
  switch (new URL(request.url).pathname) {
    case "/metrics": {
      const { text, type } = await status.metrics();
      return new Response(text, { headers: { ...HEADERS, "Content-Type": type } });
    }
    case "/healthz":
      return plain(200, "ok");
    case "/readyz":
      return status.isReady() ? plain(200, "ready") : plain(503, "not ready: the server is ending");
  }
  return plain(404, "Cannot find that: expected /metrics, /healthz or /readyz");
}

const HEADERS = { "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff" };

function plain(status: number, text: string, headers: Record<string, string> = {}): Response {
  const type = { "Content-Type": "text/plain; charset=utf-8" };
  return new Response(`${text}\n`, { status, headers: { ...HEADERS, ...type, ...headers } });
}
