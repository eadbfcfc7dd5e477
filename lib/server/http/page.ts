/** The page of a server, as a row of its listener table. */
import { InstalledFfmpeg } from "../../ffmpeg/version.ts";
import { type Address, formatAddress } from "../../net/address.ts";
import type { Certificate } from "../../net/certificate.ts";
import { FollowedList } from "../../web/followed_list.ts";
import { Router } from "../../web/router.ts";
import { startupWarnings } from "../auth/credentials.ts";
import type { PortRow } from "../listeners.ts";
import { listPieces } from "../list/pieces.ts";
import { SERVER_FLAG_NAMES } from "../option_names.ts";
import { runSession, type SharedContext } from "../session/session.ts";
import { ServerAccess } from "./access.ts";
import { drawCode, locate, type PageAddress } from "./page_address.ts";
import type { ServerVisitor } from "./connection.ts";
import { HttpConversations } from "./parser.ts";
import { ServerWebService } from "./service.ts";

/** The response to visitors that speak HTTP to a port of HTTPS. */
const PLAIN_REFUSAL = new TextEncoder().encode(
  "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" +
    "Cannot serve without TLS: expected https:// in front of the address\n",
);

/** Options of {@linkcode ServerPage}. */
export interface ServerPageOptions {
  /** Address to listen on; port 0 takes a free one. */
  address: Address;
  /** The certificate for a new connection; without one, the page is served by HTTP. */
  certificate: () => Certificate | undefined;
  /** Plays at once. */
  maxPlays: number;
  /** Host of the media port, whose warnings hold here, too. */
  mediaHost: string;
  shared: SharedContext;
  /** Draws what is for a person at a terminal; absent if there is none. */
  draw?: (text: string) => void;
}

/** A page whose port is open. */
interface OpenPage {
  router: Router<ServerVisitor>;
  page: PageAddress;
}

/** Serves the page, and what stands beside it, to browsers and programs. */
export class ServerPage implements AsyncDisposable {
  #options: ServerPageOptions;
  #ffmpeg = new InstalledFfmpeg();
  #conversations = new HttpConversations();
  #found: OpenPage | undefined;
  /** In memory while a page follows it. */
  #list: FollowedList;
  /** Responses that visitors share, until they have ended. */
  #work = new Set<Promise<void>>();

  constructor(options: ServerPageOptions) {
    this.#options = options;
    this.#list = new FollowedList(({ follow }, signal) =>
      listPieces(options.shared, { follow, signal })
    );
  }

  /** URL of the page, once it is served. */
  get url(): string | undefined {
    return this.#found?.page.urls[0];
  }

  /** The port, and what is spoken there. */
  get row(): PortRow {
    const { address, shared } = this.#options;
    const { http } = shared.names ?? SERVER_FLAG_NAMES;
    return {
      address,
      flags: { host: http, port: http, freePort: `port 0 in ${http}` },
      converse: (socket, slot) => {
        const certificate = this.#options.certificate();
        const scheme = certificate === undefined ? "http" : "https";
        return runSession(socket, shared, {
          ...{ slot, certificate, plainRefusal: PLAIN_REFUSAL },
          converse: (context, abort) => {
            const { router, page } = this.#opened;
            return this.#conversations.converse({
              ...{ context, abort, scheme },
              handlers: {
                serviceOf: (connection) =>
                  new ServerWebService({
                    ...connection,
                    list: this.#list,
                    server: new URL(page.shared ?? page.urls[0]).host,
                  }),
                handle: (request, visitor) => router.handle(request, visitor),
              },
            });
          },
        });
      },
      onListening: (address) => this.#open(address),
    };
  }

  /** Ends all plays. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#found?.router[Symbol.asyncDispose]();
    await Promise.all(this.#work);
    await this.#ffmpeg[Symbol.asyncDispose]();
  }

  get #opened(): OpenPage {
    if (this.#found === undefined) throw new Error("Cannot serve: the port is not open");
    return this.#found;
  }

  async #open({ hostname, port }: Deno.NetAddr): Promise<void> {
    const { shared, maxPlays, certificate, draw, mediaHost } = this.#options;
    const { authenticator, logger, names } = shared;
    const access = new ServerAccess({ address: { hostname, port }, clock: shared.clock });
    const scheme = certificate() === undefined ? "http" : "https";
    const page = locate({ hostname, port }, { scheme });
    const own = new ServerWebService({
      // For the server itself, whichever visitor came first.
      context: { ...shared, address: "", isDraining: () => shared.shutdown.stopped.aborted },
      ...{ server: formatAddress({ hostname, port }), list: this.#list, signal: shared.signal },
      follow: (work) => {
        this.#work.add(work);
        work.finally(() => this.#work.delete(work));
      },
    });
    const router = new Router<ServerVisitor>({
      open: (request, signal) => own.open(request, signal),
      ...{ ffmpeg: this.#ffmpeg, maxPlays },
      ...{ draining: shared.shutdown.draining, signal: shared.signal },
      admit: (request, url, visitor) => access.admit(request, url, visitor),
    });
    this.#found = { router, page };
    for (const url of page.urls) logger.log("info", `Watch at ${url}`);
    const tls = certificate() !== undefined;
    const protections = { token: authenticator.isRequired, tls, scriptsOpen: false };
    const warnings = hostname === mediaHost ? [] : startupWarnings(hostname, protections, names);
    for (const line of warnings) logger.log("warn", line);
    if (draw !== undefined && page.shared !== undefined) draw(await drawCode(page.shared));
  }
}
