import { RequestError } from "../base/errors.ts";
import { Statistics } from "../client/playback/statistics.ts";
import type { RunContext } from "../client/run.ts";
import { Catalog, playInPage, type PlayTarget } from "../client/web_service.ts";
import { formatAddress } from "../net/address.ts";
import type { MediaRequest } from "../protocol/native/request.ts";
import type { PictureFile } from "../sinks/browser/snapshot.ts";
import type { Access, Verdict } from "./access.ts";
import { PAGE_FILES } from "./assets.ts";
import { errorResponse } from "./errors.ts";
import { PlayBody } from "./play_response.ts";
import { PlaySocket } from "./play_socket.ts";
import { parsePictureQuery, parsePlayQuery } from "./query.ts";
import { GatewayPictures } from "./thumbnails.ts";

/** Plays at once, of all tabs together: each takes an FFmpeg. */
const MAX_PLAYS = 16;

/** What {@linkcode Gateway} has to know. */
export interface GatewayOptions {
  access: Access;
  /** What the command line asks for, if anything. */
  wanted?: MediaRequest;
  /** Ends everything. */
  signal: AbortSignal;
}

/** Answers the page: its files, lists and pictures, and plays, each over a connection of its own. */
export class Gateway implements AsyncDisposable {
  #context: Pick<RunContext, "flags" | "ffmpeg">;
  #options: GatewayOptions;
  #catalog: Catalog;
  #pictures: GatewayPictures;
  #plays = new Set<Promise<void>>();
  #over = new AbortController();

  constructor(context: Pick<RunContext, "flags" | "ffmpeg">, options: GatewayOptions) {
    this.#context = context;
    this.#options = options;
    this.#catalog = new Catalog(context);
    this.#pictures = new GatewayPictures({ context, catalog: this.#catalog });
  }

  /** Answers a request. */
  async answer(request: Request): Promise<Response> {
    // It has the name in it that the request calls the page by, whatever that is.
    const url = URL.parse(request.url);
    if (url === null) return plain(400, "Cannot show the page by this name: expected its address");
    const verdict = this.#options.access.judge({
      method: request.method,
      url,
      header: (name) => request.headers.get(name),
    });
    const response = verdict.kind === "enter"
      ? await this.#enter(request, url)
      : outside(verdict, url);
    // The answer to an upgrade has its headers already.
    if (response.status === 101) return response;
    return guarded(response, request.headers.get("host") ?? "");
  }

  /** Ends all plays, and waits until they are over. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await Promise.all(this.#plays);
  }

  async #enter(request: Request, url: URL): Promise<Response> {
    const file = PAGE_FILES.get(url.pathname);
    if (file !== undefined) {
      const headers = { "Content-Type": file.type, "Cache-Control": "no-cache" };
      return new Response(file.text, { headers });
    }
    if (!url.pathname.startsWith("/api/")) {
      return plain(404, "Cannot find that: expected / or one of the addresses below /api");
    }
    try {
      return await this.#api(request, url);
    } catch (error) {
      return errorResponse(error);
    }
  }

  async #api(request: Request, { pathname, searchParams }: URL): Promise<Response> {
    const signal = this.#ended;
    switch (request.method === "GET" ? pathname : "") {
      case "/api/list":
        return Response.json(await this.#list(signal), {
          headers: { "Cache-Control": "no-store" },
        });
      case "/api/image":
        return picture(await this.#pictures.image(parsePictureQuery(searchParams), signal), 0);
      case "/api/thumbnail": {
        const { name = "" } = parsePictureQuery(searchParams);
        return picture(await this.#pictures.thumbnail(name, signal), 60);
      }
      case "/api/play":
        return await this.#play(request, searchParams);
    }
    throw new RequestError("not_found", `Cannot ${request.method} "${pathname}": there is no such`);
  }

  /** Fires when everything ends. */
  get #ended(): AbortSignal {
    return AbortSignal.any([this.#options.signal, this.#over.signal]);
  }

  async #list(signal: AbortSignal): Promise<object> {
    const { flags } = this.#context;
    const { wanted } = this.#options;
    const start = wanted === undefined ? null : {
      kind: wanted.command === "get_image" ? "image" : "video",
      name: wanted.name ?? null,
      at: wanted.start ?? 0,
      loop: wanted.loop ?? false,
      // The page waits for nothing but its own clock.
      speed: wanted.speed || 1,
    };
    const server = formatAddress({ hostname: flags.host, port: flags.port });
    return { server, classic: flags.classic, start, entries: await this.#catalog.list(signal) };
  }

  async #play(request: Request, params: URLSearchParams): Promise<Response> {
    const query = parsePlayQuery(params);
    if (this.#plays.size >= MAX_PLAYS) {
      throw new RequestError(
        "busy",
        `Cannot play more than ${MAX_PLAYS} at once: close another tab`,
      );
    }
    const play = (target: PlayTarget, statistics: Statistics) => (signal: AbortSignal) =>
      playInPage(query, target, {
        ...{ context: this.#context, wanted: this.#options.wanted, statistics, signal },
        live: this.#catalog.known(query.name)?.live ?? false,
      });
    const ended = this.#ended;
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      const body = new PlayBody(ended);
      this.#keep(body.run(play(body, new Statistics("get_video"))));
      return await body.response();
    }
    const { socket, response } = Deno.upgradeWebSocket(request);
    const target = new PlaySocket(socket, { start: query.start, signal: ended });
    this.#keep(target.run(play(target, target.statistics)));
    return response;
  }

  /** Remembers a play until it is over. */
  #keep(play: Promise<void>): void {
    this.#plays.add(play);
    play.finally(() => this.#plays.delete(play));
  }
}

/** What is answered to those who may not enter, or not yet. */
function outside(verdict: Exclude<Verdict, { kind: "enter" }>, url: URL): Response {
  if (verdict.kind === "refused") return plain(verdict.status, verdict.message);
  const headers = { "Set-Cookie": verdict.cookie, "Cache-Control": "no-store" };
  if (!verdict.isCrossSite) {
    return new Response(null, { status: 303, headers: { ...headers, Location: "/" } });
  }
  // Who follows a link from elsewhere sends no such cookie along with what a redirection leads to.
  const page = `<!DOCTYPE html><meta http-equiv="refresh" content="0; url=${url.origin}/">\n`;
  return new Response(page, {
    headers: { ...headers, "Content-Type": "text/html; charset=utf-8" },
  });
}

function plain(status: number, message: string): Response {
  const headers = { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" };
  return new Response(`${message}\n`, { status, headers });
}

/** @param seconds for which the browser may keep it; 0 for not at all */
function picture({ type, bytes }: PictureFile, seconds: number): Response {
  const keeping = seconds === 0 ? "no-store" : `private, max-age=${seconds}`;
  return new Response(bytes, { headers: { "Content-Type": type, "Cache-Control": keeping } });
}

/** Lets the page load nothing but what is served here, and run in no frame of others. */
function guarded(response: Response, host: string): Response {
  const { headers } = response;
  // Not every browser takes sockets for the page's own; the host has been looked at.
  const policy = [
    ...[
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self' blob: data:",
    ],
    ...["media-src 'self' blob:", `connect-src 'self' ws://${host}`, "base-uri 'none'"],
    ...["form-action 'none'", "frame-ancestors 'none'"],
  ];
  headers.set("Content-Security-Policy", policy.join("; "));
  headers.set("X-Content-Type-Options", "nosniff");
  headers.set("Referrer-Policy", "no-referrer");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  return response;
}
