/** The HTTP server of the page. */
import { onAbort } from "../base/async.ts";
import { messageOf } from "../base/errors.ts";
import { type Address, formatAddress, isAnyAddress, isLoopback } from "../net/address.ts";
import type { InstalledFfmpeg } from "../ffmpeg/version.ts";
import { Access } from "./access.ts";
import { errorResponse } from "./api.ts";
import { responseTo } from "./responses.ts";
import { Router } from "./router.ts";
import type { WebService } from "./service.ts";

/** Options of {@linkcode servePage}. */
export interface ServeOptions {
  /** Address to listen on; port 0 takes a free one. */
  address: Address;
  /** Name of the flag that sets the address, for error messages. */
  flag: string;
  /** Writes the fragments of plays. */
  ffmpeg: Pick<InstalledFfmpeg, "version" | "dialect" | "encoders">;
  /** Stops serving. */
  signal: AbortSignal;
}

/** A page that is served. */
export interface ServedPage extends AsyncDisposable {
  /** URL to open on this machine, with the token if there is one. */
  url: string;
  /** Resolves when serving has stopped. */
  closed: Promise<void>;
}

/**
 * Variables by which Deno overrides the address to listen on, or believes a request about its
 * origin.
 */
const SERVE_VARIABLES = ["DENO_SERVE_ADDRESS", "DENO_TRUST_PROXY_HEADERS"];

/** Random bytes in a token. */
const TOKEN_SIZE = 16;

/**
 * Serves the page until the signal fires or it is disposed. If other machines can reach the address,
 * visitors need the token in the URL.
 *
 * @throws {Error} if it cannot listen there, or FFmpeg is missing or too old
 */
export async function servePage(
  service: WebService,
  { address: wanted, flag, ffmpeg, signal }: ServeOptions,
): Promise<ServedPage> {
  const checked = ffmpeg.version("ffmpeg");
  const closing = new AbortController();
  const ended = AbortSignal.any([signal, closing.signal]);
  const listening = Promise.withResolvers<Deno.NetAddr>();
  const ready = Promise.withResolvers<Router>();
  const respond = async (request: Request): Promise<Response> => {
    const router = await ready.promise;
    let upgraded: Response | undefined;
    const response = await router.handle(request, {
      service,
      signal: ended,
      upgrade() {
        const { socket, response } = Deno.upgradeWebSocket(request);
        upgraded = response;
        return socket;
      },
    });
    return response ?? upgraded ?? Response.error();
  };
  // With a signal that has fired already, Deno would neither listen nor end.
  signal.throwIfAborted();
  const server = listen(wanted, {
    flag,
    onListen: listening.resolve,
    handle: respond,
    signal: ended,
  });
  const { port } = await listening.promise;
  try {
    await checked;
  } catch (error) {
    closing.abort();
    await server.finished;
    throw error;
  }
  const { hostname } = wanted;
  const token = isLoopback(hostname) ? undefined : createToken();
  const access = new Access({ hostname, port }, token);
  const router = new Router({
    open: (request, signal) => service.open(request, signal),
    ffmpeg,
    signal: ended,
    admit(request, url) {
      const { method, headers } = request;
      const verdict = access.judge({ method, url, header: (name) => headers.get(name) });
      return verdict.kind === "enter" ? undefined : responseTo(verdict, request, url);
    },
  });
  ready.resolve(router);
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const close = async () => {
    await router[Symbol.asyncDispose]();
    await server.finished;
    resolve();
  };
  onAbort(ended, close);
  const reached = isAnyAddress(hostname) ? "127.0.0.1" : hostname;
  const query = token === undefined ? "" : `?token=${token}`;
  return {
    url: `http://${formatAddress({ hostname: reached, port })}/${query}`,
    closed,
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      await closed;
    },
  };
}

function createToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(TOKEN_SIZE));
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

/**
 * Handles requests until the signal fires, which closes all connections at once: waiting for a
 * reader that is slow, or reads nothing, could take forever.
 *
 * @throws {Error} with advice, if the address is taken or not allowed
 */
function listen(
  { hostname, port }: Address,
  { flag, onListen, handle, signal }: {
    flag: string;
    onListen: (address: Deno.NetAddr) => void;
    handle: (request: Request) => Promise<Response>;
    signal: AbortSignal;
  },
): Deno.HttpServer<Deno.NetAddr> {
  for (const name of SERVE_VARIABLES) Deno.env.delete(name);
  try {
    return Deno.serve({ hostname, port, signal, onListen, onError: errorResponse }, handle);
  } catch (cause) {
    const reason = cause instanceof Deno.errors.AddrInUse
      ? `something listens there already, expected a free port in --${flag}`
      : `${messageOf(cause)}, expected an address of this machine and a free port in --${flag}`;
    throw new Error(`Cannot serve the page at ${formatAddress({ hostname, port })}: ${reason}`, {
      cause,
    });
  }
}
