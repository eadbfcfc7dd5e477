/** Routes of the page: its files, and the API. */
import { RequestError } from "../base/errors.ts";
import type { PictureFile } from "../sinks/browser/snapshot.ts";
import type { InstalledFfmpeg } from "../ffmpeg/version.ts";
import type { Access, Verdict } from "./access.ts";
import { errorResponse, parseImageQuery, parsePlayQuery } from "./api.ts";
import { PAGE_FILES } from "./assets.ts";
import { createTarget, PlayBody, type PlayOutput } from "./play.ts";
import { PlaySocket } from "./play_socket.ts";
import type { WebService } from "./service.ts";
import { Thumbnails } from "./thumbnails.ts";

/** Plays at once, of all tabs together; each takes an FFmpeg process. */
const MAX_PLAYS = 16;

/** Options of {@linkcode Router}. */
export interface RouterOptions {
  access: Access;
  /** Writes the MP4 of plays. */
  ffmpeg: Pick<InstalledFfmpeg, "dialect">;
  /** Ends all plays. */
  signal: AbortSignal;
}

/** Handles the HTTP requests of the page: its files, and the routes below `/api/`. */
export class Router implements AsyncDisposable {
  #service: WebService;
  #options: RouterOptions;
  #thumbnails: Thumbnails;
  #plays = new Set<Promise<void>>();
  #closed = new AbortController();
  /** Fires when everything ends. */
  #signal: AbortSignal;

  constructor(service: WebService, options: RouterOptions) {
    this.#service = service;
    this.#options = options;
    this.#thumbnails = new Thumbnails(service);
    this.#signal = AbortSignal.any([options.signal, this.#closed.signal]);
  }

  /** Responds to a request. */
  async handle(request: Request): Promise<Response> {
    // Deno builds the URL with the header Host, which may be anything.
    const url = URL.parse(request.url);
    if (url === null) return plain(400, "Cannot show the page by this name: expected its address");
    const verdict = this.#options.access.judge({
      method: request.method,
      url,
      header: (name) => request.headers.get(name),
    });
    const response = verdict.kind === "enter"
      ? await this.#route(request, url)
      : responseTo(verdict, url);
    // The headers of an upgrade are final.
    if (response.status === 101) return response;
    return protect(response, request.headers.get("host") ?? "");
  }

  /** Ends all plays, and waits for them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await Promise.all(this.#plays);
  }

  async #route(request: Request, url: URL): Promise<Response> {
    const file = PAGE_FILES.get(url.pathname);
    if (file !== undefined) {
      const headers = { "Content-Type": file.type, "Cache-Control": "no-cache" };
      return new Response(file.text, { headers });
    }
    if (!url.pathname.startsWith("/api/")) {
      return plain(404, "Cannot find that: expected / or one of the addresses below /api");
    }
    try {
      return await this.#callApi(request, url);
    } catch (error) {
      return errorResponse(error);
    }
  }

  async #callApi(request: Request, { pathname, searchParams }: URL): Promise<Response> {
    const signal = this.#signal;
    switch (request.method === "GET" ? pathname : "") {
      case "/api/list": {
        const { server, classic, start } = this.#service.info;
        const entries = await this.#service.list(signal);
        const headers = { "Cache-Control": "no-store" };
        return Response.json({ server, classic, start, entries }, { headers });
      }
      case "/api/image":
        return imageResponse(
          await this.#thumbnails.image(parseImageQuery(searchParams), signal),
          "no-store",
        );
      case "/api/thumbnail": {
        const { name = "" } = parseImageQuery(searchParams);
        const file = await this.#thumbnails.thumbnail(name, signal);
        return imageResponse(file, "private, max-age=60");
      }
      case "/api/play":
        return await this.#play(request, searchParams);
    }
    throw new RequestError("not_found", `Cannot ${request.method} "${pathname}": there is no such`);
  }

  async #play(request: Request, params: URLSearchParams): Promise<Response> {
    const query = parsePlayQuery(params);
    if (this.#plays.size >= MAX_PLAYS) {
      throw new RequestError(
        "busy",
        `Cannot play more than ${MAX_PLAYS} at once: close another tab`,
      );
    }
    const { can } = query;
    const dialect = () => this.#options.ffmpeg.dialect();
    const playTo = (output: PlayOutput) => (signal: AbortSignal) =>
      this.#service.play(query, createTarget(output, { can, dialect, signal }), signal);
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      const body = new PlayBody(this.#signal);
      this.#track(body.run(playTo(body)));
      return await body.response();
    }
    const { socket, response } = Deno.upgradeWebSocket(request);
    const output = new PlaySocket(socket, { signal: this.#signal });
    this.#track(output.run(playTo(output)));
    return response;
  }

  /** Counts a play until it has ended. */
  #track(play: Promise<void>): void {
    this.#plays.add(play);
    play.finally(() => this.#plays.delete(play));
  }
}

/** The response to a visitor who may not enter, or not yet. */
function responseTo(verdict: Exclude<Verdict, { kind: "enter" }>, url: URL): Response {
  if (verdict.kind === "refused") return plain(verdict.status, verdict.message);
  const headers = { "Set-Cookie": verdict.cookie, "Cache-Control": "no-store" };
  if (!verdict.isCrossSite) {
    return new Response(null, { status: 303, headers: { ...headers, Location: "/" } });
  }
  // After a link on another site, a redirect would be requested without the SameSite cookie.
  const page = `<!DOCTYPE html><meta http-equiv="refresh" content="0; url=${url.origin}/">\n`;
  return new Response(page, {
    headers: { ...headers, "Content-Type": "text/html; charset=utf-8" },
  });
}

function plain(status: number, message: string): Response {
  const headers = { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" };
  return new Response(`${message}\n`, { status, headers });
}

function imageResponse({ type, bytes }: PictureFile, caching: string): Response {
  return new Response(bytes, { headers: { "Content-Type": type, "Cache-Control": caching } });
}

/** Sets the headers that keep the page to its own files, and out of frames. */
function protect(response: Response, host: string): Response {
  const { headers } = response;
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob: data:",
    "media-src 'self' blob:",
    // Not every browser counts WebSockets as 'self'; the host has passed the access check.
    `connect-src 'self' ws://${host}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  headers.set("Content-Security-Policy", policy.join("; "));
  headers.set("X-Content-Type-Options", "nosniff");
  headers.set("Referrer-Policy", "no-referrer");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  return response;
}
