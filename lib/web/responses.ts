/** HTTP responses that all routes share, and the headers that protect the page. */
import type { Refused, Verdict } from "./access.ts";
import { errorResponse } from "./api.ts";

/** Methods that are taken everywhere. */
const ALLOWED = { Allow: "GET, HEAD" };

/** A refusal: a line of text if a browser shows it, or else problem details. */
export function refusalResponse(
  request: Request,
  { status, message }: Pick<Refused, "status" | "message">,
): Response {
  const headers = status === 405 ? ALLOWED : undefined;
  return isShown(request)
    ? plain(status, message, headers)
    : errorResponse(new Error(message), { status, headers });
}

/** Whether a browser shows the response as a document. */
export function isShown({ headers }: Request): boolean {
  // By plain HTTP, browsers send no Sec-Fetch-Dest to other machines.
  return headers.get("accept")?.includes("text/html") ?? false;
}

/** A line of text. */
function plain(status: number, message: string, headers?: Record<string, string>): Response {
  return new Response(`${message}\n`, {
    status,
    headers: {
      "Content-Type": "text/plain; charset=utf-8",
      "Cache-Control": "no-store",
      ...headers,
    },
  });
}

/** The response to a visitor who may not enter, or not yet. */
export function responseTo(
  verdict: Exclude<Verdict, { kind: "enter" }>,
  request: Request,
  url: URL,
): Response {
  if (verdict.kind === "refused") return refusalResponse(request, verdict);
  const { cookie, isCrossSite } = verdict;
  // After a link on another site, a redirect would be requested without the SameSite cookie.
  const response = isCrossSite ? reload(url) : toStart();
  response.headers.set("Set-Cookie", cookie);
  return response;
}

/** Leads to the page. */
export function toStart(): Response {
  return new Response(null, {
    status: 303,
    headers: { "Location": "/", "Cache-Control": "no-store" },
  });
}

/** Has the browser request the page again, as a visitor of this site. */
export function reload({ origin }: URL): Response {
  return html(`<!DOCTYPE html><meta http-equiv="refresh" content="0; url=${origin}/">\n`);
}

/** A document that is not cached. */
export function html(
  text: string,
  init: { status?: number; headers?: HeadersInit } = {},
): Response {
  const headers = { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store" };
  return new Response(text, { ...init, headers: { ...headers, ...init.headers } });
}

/**
 * Sets the headers that keep the page to its own files, and out of frames.
 *
 * @param url of the request, whose host has passed the access check
 */
export function protect(response: Response, { protocol, host }: URL): Response {
  const { headers } = response;
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob: data:",
    "media-src 'self' blob:",
    // Not every browser counts WebSockets as 'self'.
    `connect-src 'self' ${protocol === "https:" ? "wss" : "ws"}://${host}`,
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ];
  headers.set("Content-Security-Policy", policy.join("; "));
  headers.set("X-Content-Type-Options", "nosniff");
  // A form's response sets its own: without a referrer, browsers hide the origin of a POST.
  if (!headers.has("Referrer-Policy")) headers.set("Referrer-Policy", "no-referrer");
  // Pictures set their own, since pages of other ports of this host may show them.
  const resourcePolicy = "Cross-Origin-Resource-Policy";
  if (!headers.has(resourcePolicy)) headers.set(resourcePolicy, "same-origin");
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  return response;
}
