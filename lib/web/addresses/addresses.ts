/** Addresses that players, cameras' viewers and scripts know: pictures, HLS, files. */
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { RequestError } from "../../base/errors.ts";
import type { InstalledFfmpeg } from "../../ffmpeg/version.ts";
import type { MediaRequest } from "../../protocol/native/request.ts";
import { isFromThisHost } from "../access.ts";
import { errorResponse } from "../api.ts";
import type { StoredFile, WebService } from "../service.ts";
import { taggedResponse } from "./conditional.ts";
import { ChosenHls } from "./hls/chosen.ts";
import { isMadeOnDemand } from "./hls/file_rendition.ts";
import { PLAYLIST_TYPE } from "./hls/playlist.ts";
import { mediaResponse } from "./media_file.ts";
import { MULTIPART_TYPE } from "./multipart.ts";
import { type AddressPath, parsePath, PLAYLIST } from "./paths.ts";
import { SharedPictures } from "./pictures.ts";
import { parseQuery } from "./queries.ts";
import { Sharing } from "./running.ts";
import { Snapshots } from "./snapshots.ts";

/** Limits of what runs at once. */
const MAX = { streams: 32, readers: 512, hls: 8 };

/** Milliseconds for which a reader of pictures may take nothing. */
const STALL = 30_000;

/** Who asks. */
export interface Asker {
  /** Finds and opens what is for them alone. */
  service: Pick<WebService, "find" | "file" | "open">;
  /** Aborts when they have left. */
  signal: AbortSignal;
}

/** Options of {@linkcode Addresses}. */
export interface AddressesOptions {
  /** Opens the responses that several share, whoever of them stays. */
  open: WebService["open"];
  /** Writes the MP4 of HLS. */
  ffmpeg: Pick<InstalledFfmpeg, "dialect">;
  /** @default MONOTONIC_CLOCK */
  clock?: Clock;
  /** Ends everything. */
  signal: AbortSignal;
}

/** Responds to requests for addresses. What many ask for is made once. */
export class Addresses implements AsyncDisposable {
  #options: Required<AddressesOptions>;
  #closed = new AbortController();
  #signal: AbortSignal;
  #snapshots: Snapshots;
  #pictures = new Sharing<SharedPictures>(MAX.streams, "streams of pictures");
  #hls = new Sharing<ChosenHls>(MAX.hls, "renditions of HLS");

  constructor({ clock = MONOTONIC_CLOCK, ...options }: AddressesOptions) {
    this.#options = { clock, ...options };
    this.#signal = AbortSignal.any([options.signal, this.#closed.signal]);
    this.#snapshots = new Snapshots({ open: options.open, signal: this.#signal });
  }

  /**
   * Responds to a request.
   *
   * @returns `undefined` if its path is no such address
   */
  async respond(request: Request, url: URL, asker: Asker): Promise<Response | undefined> {
    try {
      const path = parsePath(url.pathname);
      return path && await this.#respond(request, { path, url, asker });
    } catch (error) {
      return errorResponse(error);
    }
  }

  /** Ends everything, and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await Promise.all([this.#pictures.ended(), this.#hls.ended()]);
  }

  async #respond(
    request: Request,
    { path, url, asker }: { path: AddressPath; url: URL; asker: Asker },
  ): Promise<Response> {
    switch (path.kind) {
      case "snapshot": {
        const query = parseQuery("snapshot", path.name, url.searchParams);
        const headers = {
          "Content-Type": "image/jpeg",
          "Cache-Control": "no-cache",
          ...pictureHeaders(request),
        };
        return await taggedResponse(request, await this.#snapshots.get(query), { headers });
      }
      case "stream":
        return await this.#stream(
          request,
          parseQuery("stream", path.name, url.searchParams),
          asker,
        );
      case "hls":
        return await this.#hlsFile(request, { path, url, asker });
      case "media":
        return await mediaResponse(request, {
          ...{ name: path.name, isDownload: url.searchParams.has("download") },
          open: () => openFile(path.name, asker),
        });
    }
  }

  async #stream(request: Request, query: MediaRequest, asker: Asker): Promise<Response> {
    const { name = "" } = query;
    const { service } = asker;
    const signal = AbortSignal.any([this.#signal, asker.signal]);
    const headers = {
      "Content-Type": MULTIPART_TYPE,
      "Cache-Control": "no-store",
      ...pictureHeaders(request),
    };
    const entry = await service.find(name, signal);
    if (request.method === "HEAD" && entry !== undefined) return new Response(null, { headers });
    const readers = [...this.#pictures.running].reduce((sum, { readers }) => sum + readers, 0);
    if (readers >= MAX.readers) {
      const reason = `${MAX.readers} watch already, try again later`;
      throw new RequestError("busy", `Cannot show "${name}": ${reason}`);
    }
    const { open, clock } = this.#options;
    const options = { stall: STALL, clock, signal: this.#signal };
    // A file begins for each who asks; what the server makes of it is shared there.
    const pictures = entry?.live === false
      ? this.#pictures.start(() =>
        new SharedPictures({ open: (signal) => service.open(query, signal), ...options })
      )
      : this.#pictures.share(
        JSON.stringify(query),
        () => new SharedPictures({ open: (signal) => open(query, signal), ...options }),
      );
    const body = await pictures.read(signal);
    if (request.method === "HEAD") await body.cancel();
    return new Response(request.method === "HEAD" ? null : body, { headers });
  }

  async #hlsFile(
    request: Request,
    { path: { name, file }, url, asker }: {
      path: Extract<AddressPath, { kind: "hls" }>;
      url: URL;
      asker: Asker;
    },
  ): Promise<Response> {
    const query = parseQuery("hls", name, url.searchParams);
    const key = JSON.stringify(query);
    const { open, ffmpeg, clock } = this.#options;
    const start = () =>
      new ChosenHls({
        ...{ request: query, open, clock, dialect: () => ffmpeg.dialect(), signal: this.#signal },
        isLive: async () => (await asker.service.find(name, this.#signal))?.live !== false,
      });
    // Players of a file do not get its playlist again after a pause.
    const starts = file === PLAYLIST || isMadeOnDemand(file);
    const hls = starts ? this.#hls.share(key, start) : this.#hls.find(key);
    if (file === PLAYLIST && hls !== undefined) {
      const text = await hls.playlist(url.search, asker.signal);
      const headers = { "Content-Type": PLAYLIST_TYPE, "Cache-Control": "no-cache" };
      return await taggedResponse(request, new TextEncoder().encode(text), { headers });
    }
    const bytes = await hls?.file(file, asker.signal);
    if (bytes === undefined) {
      const reason = `it is gone, or never was, get ${PLAYLIST} again`;
      throw new RequestError("not_found", `Cannot find "${file}": ${reason}`);
    }
    const headers = { "Content-Type": "video/mp4", "Cache-Control": "no-cache" };
    return await taggedResponse(request, bytes, { headers });
  }
}

/** @throws {RequestError} `not_found` if there is no such file, or it is not here */
async function openFile(name: string, { service, signal }: Asker): Promise<StoredFile> {
  const file = await service.file?.(name, signal);
  if (file !== undefined) return file;
  throw new RequestError("not_found", `Cannot get "${name}": files are not given here`);
}

/** Headers of pictures: pages of other ports of this host may show them, as those of printers do. */
function pictureHeaders({ url, headers }: Request): Record<string, string> {
  const isBeside = isFromThisHost({ url: new URL(url), header: (name) => headers.get(name) });
  return isBeside ? { "Cross-Origin-Resource-Policy": "cross-origin" } : {};
}
