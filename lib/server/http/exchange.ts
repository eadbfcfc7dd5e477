/** Requests and responses of the web, from and to those of Node's HTTP parser. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { onAbort } from "../../base/async.ts";
import { RequestError } from "../../base/errors.ts";

/** Bytes of the largest body: a form with a token. */
const MAX_BODY = 64 * 1024;

/**
 * Reads a request. Only POST has a body here.
 *
 * @param scheme `http` or `https`
 * @throws {RequestError} `bad_request` if it is none that can be served
 */
export async function readRequest(
  incoming: IncomingMessage,
  scheme: "http" | "https",
): Promise<Request> {
  const { method = "GET", url: target = "/", headers: { host = "" } } = incoming;
  const headers = new Headers();
  // Proxies may send an absolute URL (RFC 9112, 3.2.2).
  const path = target.replace(/^https?:\/\/[^/]*/i, "");
  const body = method === "POST" ? await readBody(incoming) : undefined;
  try {
    for (let at = 0; at + 1 < incoming.rawHeaders.length; at += 2) {
      headers.append(incoming.rawHeaders[at], incoming.rawHeaders[at + 1]);
    }
    return new Request(`${scheme}://${host}${path}`, { method, headers, body });
  } catch (cause) {
    const message = "Cannot read the request: its method, its address or a header is wrong";
    throw new RequestError("bad_request", message, { cause });
  }
}

async function readBody(incoming: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of incoming) {
    size += chunk.byteLength;
    if (size > MAX_BODY) {
      throw new RequestError("bad_request", `Cannot take a body of more than ${MAX_BODY} bytes`);
    }
    chunks.push(chunk);
  }
  return await new Blob(chunks).bytes();
}

/**
 * Writes a response, as fast as the client takes it.
 *
 * @param signal aborts when the connection is lost, or has to give way
 */
export async function writeResponse(
  outgoing: ServerResponse,
  response: Response,
  signal: AbortSignal,
): Promise<void> {
  const { status, headers, body } = response;
  outgoing.writeHead(status, [...headers].flat());
  if (body === null || outgoing.req.method === "HEAD") {
    await body?.cancel();
    outgoing.end();
    return;
  }
  const reader = body.getReader();
  using _lost = onAbort(signal, () => void reader.cancel().catch(() => {}));
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!outgoing.write(value)) await drained(outgoing, signal);
    }
    signal.throwIfAborted();
    outgoing.end();
  } catch {
    // The client has to see that something is missing.
    outgoing.destroy();
  } finally {
    reader.releaseLock();
  }
}

async function drained(outgoing: ServerResponse, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  using _lost = onAbort(signal, resolve);
  outgoing.once("drain", resolve);
  await promise;
  outgoing.off("drain", resolve);
}
