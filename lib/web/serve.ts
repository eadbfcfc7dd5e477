import { messageOf } from "../base/errors.ts";
import type { RunContext } from "../client/run.ts";
import type { Environment } from "../client/terminal/environment.ts";
import { formatAddress, isAnyAddress, isLoopback, parseHttpAddress } from "../net/address.ts";
import type { MediaRequest } from "../protocol/native/request.ts";
import { Access } from "./access.ts";
import { errorResponse } from "./errors.ts";
import { Gateway } from "./router.ts";

/** A page that is served. */
export interface ServedPage extends AsyncDisposable {
  /** Settled when it is served no more. */
  closed: Promise<void>;
}

/**
 * Variables by which Deno listens somewhere else than it is asked to, or believes a request about
 * where it comes from.
 */
const SERVE_VARIABLES = ["DENO_SERVE_ADDRESS", "DENO_TRUST_PROXY_HEADERS"];

/** Bytes of chance in a token. */
const TOKEN_SIZE = 16;

/**
 * Serves the page of `--view browser` until the signal fires, or it is disposed: tells its address
 * and opens it. Other machines need the token in it.
 *
 * @throws {Error} where it cannot listen there, or FFmpeg is missing or too old
 */
export async function browse(context: RunContext, request?: MediaRequest): Promise<ServedPage> {
  const { flags, environment, ffmpeg, signal } = context;
  const checked = ffmpeg.version("ffmpeg");
  const wished = parseHttpAddress(flags.http);
  const isOpen = !isLoopback(wished.hostname);
  const token = isOpen
    ? crypto.getRandomValues(new Uint8Array(TOKEN_SIZE)).toBase64({
      alphabet: "base64url",
      omitPadding: true,
    })
    : undefined;
  const over = new AbortController();
  const ended = AbortSignal.any([signal, over.signal]);
  const listening = Promise.withResolvers<Deno.NetAddr>();
  const ready = Promise.withResolvers<Gateway>();
  // With a signal that has fired already, Deno would neither listen nor end.
  signal.throwIfAborted();
  const server = listen(wished, {
    onListen: listening.resolve,
    answer: async (request) => await (await ready.promise).answer(request),
    signal: ended,
  });
  const { port } = await listening.promise;
  try {
    await checked;
  } catch (error) {
    over.abort();
    await server.finished;
    throw error;
  }
  const access = new Access({ hostname: wished.hostname, port }, token);
  const gateway = new Gateway(context, { access, wanted: request, signal: ended });
  ready.resolve(gateway);
  const close = async () => {
    await gateway[Symbol.asyncDispose]();
    await server.finished;
  };
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const end = () => void close().then(resolve);
  if (ended.aborted) end();
  else ended.addEventListener("abort", end, { once: true });
  const query = token === undefined ? "" : `?token=${token}`;
  const reached = isAnyAddress(wished.hostname) ? "127.0.0.1" : wished.hostname;
  const address = `http://${formatAddress({ hostname: reached, port })}/${query}`;
  // Where standard output takes the media, it takes nothing else.
  const tell = flags.output === "-" ? environment.printError : environment.print;
  tell(`Watch at ${address}\n`);
  if (isAnyAddress(wished.hostname)) {
    environment.printError(
      "From other machines: the same, with this one's name or address for 127.0.0.1\n",
    );
  }
  openAddress(address, environment);
  return {
    closed,
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await closed;
    },
  };
}

/**
 * Answers until the signal fires, which closes all connections at once: whoever reads slowly, or
 * not at all, would be waited for without end.
 *
 * @throws {Error} with what to do, where something else listens there, or nobody may
 */
function listen(
  { hostname, port }: { hostname: string; port: number },
  { onListen, answer, signal }: {
    onListen: (address: Deno.NetAddr) => void;
    answer: (request: Request) => Promise<Response>;
    signal: AbortSignal;
  },
): Deno.HttpServer<Deno.NetAddr> {
  for (const name of SERVE_VARIABLES) Deno.env.delete(name);
  try {
    return Deno.serve({ hostname, port, signal, onListen, onError: errorResponse }, answer);
  } catch (cause) {
    const reason = cause instanceof Deno.errors.AddrInUse
      ? "something listens there already, expected a free port in --http"
      : `${messageOf(cause)}, expected an address of this machine and a free port in --http`;
    throw new Error(`Cannot serve the page at ${formatAddress({ hostname, port })}: ${reason}`, {
      cause,
    });
  }
}

/** The program that opens an address in the user's browser, with its first arguments. */
const OPENERS: Partial<Record<typeof Deno.build.os, readonly [string, ...string[]]>> = {
  darwin: ["open"],
  windows: ["cmd", "/c", "start", ""],
};

/**
 * Opens an address in the user's browser, where there is a screen. Where that does not work, the
 * user still has the address to read. The browser may be this very child, and goes on without this
 * program.
 */
export function openAddress(address: string, { screen }: Pick<Environment, "screen">): void {
  if (screen === undefined) return;
  const [program, ...args] = OPENERS[Deno.build.os] ?? ["xdg-open"];
  try {
    const child = new Deno.Command(program, {
      args: [...args, address],
      stdin: "null",
      stdout: "null",
      stderr: "null",
      detached: true,
    }).spawn();
    child.unref();
    // It is asked for, so that the system forgets the child when it ends.
    child.status.catch(() => {});
  } catch (error) {
    const { NotFound, NotCapable, PermissionDenied } = Deno.errors;
    if ([NotFound, NotCapable, PermissionDenied].some((kind) => error instanceof kind)) return;
    throw error;
  }
}
