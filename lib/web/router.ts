/** Routes of the page: its files, and the API. */
import { RequestError } from "../base/errors.ts";
import type { PictureFile } from "../sinks/browser/snapshot.ts";
import type { InstalledFfmpeg } from "../ffmpeg/version.ts";
import { Addresses } from "./addresses/addresses.ts";
import { taggedResponse } from "./addresses/conditional.ts";
import { errorResponse, parseImageQuery, parsePlayQuery } from "./api.ts";
import { PAGE_FILES } from "./assets.ts";
import { eventsResponse } from "./events.ts";
import { createTarget, PlayBody, type PlayOutput } from "./play.ts";
import { type MessageSocket, PlaySocket } from "./play_socket.ts";
import { protect, refusalResponse } from "./responses.ts";
import type { WebService } from "./service.ts";
import { Thumbnails } from "./thumbnails.ts";

/** Default for {@linkcode RouterOptions.maxPlays}. */
const MAX_PLAYS = 16;

/** The connection that a request came over. */
export interface Visitor {
  /** Serves the requests of this connection. */
  service: WebService;
  /** Aborts when the connection is lost. */
  signal: AbortSignal;
  /**
   * Turns the connection into a WebSocket, instead of a response.
   *
   * @throws {RequestError} `bad_request` if it is no request for that
   */
  upgrade(): MessageSocket;
}

/** Options of {@linkcode Router}. */
export interface RouterOptions<V extends Visitor> {
  /**
   * Decides about a request.
   *
   * @returns the response if it is not to be routed
   */
  admit: (
    request: Request,
    url: URL,
    visitor: V,
  ) => Promise<Response | undefined> | Response | undefined;
  /** Opens what several visitors share, and what goes on when one of them leaves. */
  open: WebService["open"];
  /** Writes the fragments of plays. */
  ffmpeg: Pick<InstalledFfmpeg, "dialect" | "encoders">;
  /** Plays at once, of all visitors together; each takes an FFmpeg process. @default 16 */
  maxPlays?: number;
  /** Ends what goes on without an end of its own. @default the signal */
  draining?: AbortSignal;
  /** Ends all plays. */
  signal: AbortSignal;
}

/** Handles HTTP requests: the files of the page, the routes below `/api/`, and the addresses. */
export class Router<V extends Visitor = Visitor> implements AsyncDisposable {
  #options: RouterOptions<V>;
  #thumbnails = new Thumbnails();
  #addresses: Addresses;
  #plays = new Set<Promise<void>>();
  #closed = new AbortController();
  /** Fires when everything ends. */
  #signal: AbortSignal;

  constructor(options: RouterOptions<V>) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#closed.signal]);
    const { open, ffmpeg } = options;
    this.#addresses = new Addresses({ open, ffmpeg, signal: this.#signal });
  }

  /**
   * Responds to a request.
   *
   * @returns `undefined` if the visitor's connection is a WebSocket now
   */
  async handle(request: Request, visitor: V): Promise<Response | undefined> {
    // The URL has the header Host, which may be anything.
    const url = URL.parse(request.url);
    if (url === null) {
      const message =
        "Cannot serve by this name: expected an address as it was printed at the start";
      return refusalResponse(request, { status: 400, message });
    }
    const refusal = await this.#options.admit(request, url, visitor);
    const response = refusal ?? await this.#route(request, url, visitor);
    return response && protect(response, url);
  }

  /** Ends all plays, and what the addresses share, and waits for that. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await Promise.all([...this.#plays, this.#addresses[Symbol.asyncDispose]()]);
  }

  async #route(request: Request, url: URL, visitor: V): Promise<Response | undefined> {
    const file = PAGE_FILES.get(url.pathname);
    if (file !== undefined) {
      const headers = { "Content-Type": file.type, "Cache-Control": "no-cache" };
      return new Response(file.text, { headers });
    }
    const found = await this.#addresses.respond(request, url, visitor);
    if (found !== undefined) return found;
    if (!url.pathname.startsWith("/api/")) {
      const message = "Cannot find that: expected /, or one of the addresses in the guide";
      return refusalResponse(request, { status: 404, message });
    }
    try {
      return await this.#callApi(request, url, visitor);
    } catch (error) {
      return errorResponse(error);
    }
  }

  async #callApi(
    request: Request,
    { pathname, searchParams }: URL,
    visitor: V,
  ): Promise<Response | undefined> {
    const { service } = visitor;
    const { draining = this.#signal } = this.#options;
    const signal = AbortSignal.any([this.#signal, visitor.signal]);
    // Only the list is for other programs, too, which may ask for its headers alone.
    switch (request.method === "GET" || pathname === "/api/list" ? pathname : "") {
      case "/api/list": {
        const { server, classic, start } = service.info;
        const entries = await service.list(signal);
        const text = JSON.stringify({ server, classic, start, entries });
        const headers = { "Content-Type": "application/json", "Cache-Control": "no-cache" };
        return await taggedResponse(request, new TextEncoder().encode(text), { headers });
      }
      case "/api/image":
        return imageResponse(
          await this.#thumbnails.image(parseImageQuery(searchParams), { service, signal }),
          "no-store",
        );
      case "/api/thumbnail": {
        const { name = "" } = parseImageQuery(searchParams);
        const file = await this.#thumbnails.thumbnail(name, { service, signal });
        return imageResponse(file, "private, max-age=60");
      }
      case "/api/play":
        return await this.#play(request, searchParams, { ...visitor, signal });
      case "/api/info":
        return infoResponse(service);
      case "/api/events":
        return eventsResponse(service, AbortSignal.any([signal, draining]));
    }
    throw new RequestError("not_found", `Cannot ${request.method} "${pathname}": there is no such`);
  }

  /** @param visitor its signal ends the play */
  async #play(
    request: Request,
    params: URLSearchParams,
    visitor: Visitor,
  ): Promise<Response | undefined> {
    const query = parsePlayQuery(params);
    const { ffmpeg, maxPlays = MAX_PLAYS } = this.#options;
    if (this.#plays.size >= maxPlays) {
      throw new RequestError(
        "busy",
        `Cannot play more than ${maxPlays} at once: close another tab`,
      );
    }
    const { can } = query;
    const { service } = visitor;
    const playTo = (output: PlayOutput) => (signal: AbortSignal) =>
      service.play(query, createTarget(output, { can, ffmpeg, signal }), signal);
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      const body = new PlayBody(visitor.signal);
      this.#track(body.run(playTo(body)));
      return await body.response();
    }
    const output = new PlaySocket(visitor.upgrade(), visitor);
    this.#track(output.run(playTo(output)));
    return undefined;
  }

  /** Counts a play until it has ended. */
  #track(play: Promise<void>): void {
    this.#plays.add(play);
    play.finally(() => this.#plays.delete(play));
  }
}

/** The properties of the server that the page needs before it lists media. */
function infoResponse(service: WebService): Response {
  const properties = { ...service.info, files: "file" in service, follows: "follow" in service };
  return Response.json(properties, { headers: { "Cache-Control": "no-store" } });
}

function imageResponse({ type, bytes }: PictureFile, caching: string): Response {
  return new Response(bytes, { headers: { "Content-Type": type, "Cache-Control": caching } });
}
