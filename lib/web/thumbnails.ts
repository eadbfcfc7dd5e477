import { Semaphore } from "../base/async.ts";
import { RequestError } from "../base/errors.ts";
import { connect } from "../client/connection/connection.ts";
import { explained } from "../client/connection/errors.ts";
import { toRequest } from "../client/options.ts";
import { requestMedia } from "../client/request/native.ts";
import { requestScript } from "../client/request/script.ts";
import type { RunContext } from "../client/run.ts";
import type { Catalog } from "../client/web_service.ts";
import type { Frame, StreamDescription } from "../media/frame.ts";
import type { MediaRequest } from "../protocol/native/request.ts";
import type { ListEntry } from "../protocol/native/response.ts";
import { type PictureFile, toBrowserPicture } from "../sinks/browser/snapshot.ts";
import type { PictureQuery } from "./query.ts";

/** Pictures that are got at once; each takes the server an FFmpeg. */
const AT_ONCE = 2;

/** Bytes of small pictures that are kept. */
const CACHE = 8 << 20;

/** Pixels: width of a small picture. */
const SMALL = 320;

/** Of a video's small picture: how far in it lies, as a share of all, and seconds at the most. */
const SHARE = 0.1;
const FARTHEST = 30;

/** Milliseconds for which a live source's small picture is good. */
const LIVE_FRESH = 10_000;

/** A small picture that is kept. */
interface Small extends PictureFile {
  /** Milliseconds since some fixed moment up to which it is good. */
  until: number;
}

/** What {@linkcode GatewayPictures} has to know. */
export interface GatewayPicturesOptions {
  context: Pick<RunContext, "flags">;
  catalog: Catalog;
  /** Milliseconds since some fixed moment; never goes back. */
  now?: () => number;
}

/** Gets single pictures for the page. */
export class GatewayPictures {
  #context: Pick<RunContext, "flags">;
  #catalog: Catalog;
  #now: () => number;
  #small = new ByteCache<Small>(CACHE);
  #turns = new Semaphore(AT_ONCE);

  constructor({ context, catalog, now = () => performance.now() }: GatewayPicturesOptions) {
    this.#context = context;
    this.#catalog = catalog;
    this.#now = now;
  }

  /**
   * A picture in full size, as PNG.
   *
   * @throws {RequestError} what the server says against it
   */
  async image({ name, start }: PictureQuery, signal: AbortSignal): Promise<PictureFile> {
    const { width, height, pixelFormat } = toRequest(
      { ...this.#context.flags, encoding: undefined, bitrate: undefined, quality: undefined },
      "image",
    );
    const size = { width, height, pixelFormat };
    const request = { name, ...size, ...(start > 0 ? { start } : {}) };
    return await this.#turns.take(() => this.#get(request, "png", signal), { signal });
  }

  /**
   * A small picture, as JPEG; of a video one from some way in.
   *
   * @throws {RequestError} `not_found` for sound, or what the server says against it
   */
  async thumbnail(name: string, signal: AbortSignal): Promise<PictureFile> {
    const { classic } = this.#context.flags;
    const entry = await this.#catalog.find(name, signal);
    if (classic || entry === undefined || entry.kind === "audio") {
      const reason = entry?.kind === "audio" ? "it is sound" : "there is none";
      throw new RequestError("not_found", `Cannot get a picture of "${name}": ${reason}`);
    }
    const key = JSON.stringify([name, entry.size, entry.duration]);
    return this.#kept(key) ??
      await this.#turns.take(async () => {
        // Another tab may have got it meanwhile.
        const found = this.#kept(key) ?? await this.#getSmall(entry, signal);
        const until = entry.live ? this.#now() + LIVE_FRESH : Infinity;
        this.#small.set(key, { until, ...found });
        return found;
      }, { signal });
  }

  #kept(key: string): Small | undefined {
    const found = this.#small.get(key);
    return found !== undefined && found.until > this.#now() ? found : undefined;
  }

  async #getSmall(
    { name, kind, live, duration = 0 }: ListEntry,
    signal: AbortSignal,
  ): Promise<PictureFile> {
    const request = { name, width: SMALL, encoding: "mjpeg" as const };
    const start = Math.min(duration * SHARE, FARTHEST);
    const isMoving = kind === "video" && !live && start > 0;
    return await this.#get({ ...request, ...(isMoving ? { start } : {}) }, "jpeg", signal);
  }

  async #get(
    request: Omit<MediaRequest, "command">,
    format: "png" | "jpeg",
    signal: AbortSignal,
  ): Promise<PictureFile> {
    const { frame, streams } = await this.#frame({ command: "get_image", ...request }, signal);
    return await toBrowserPicture(frame, streams, { format, signal });
  }

  /** The first picture of the answer to a request. */
  async #frame(
    request: MediaRequest,
    signal: AbortSignal,
  ): Promise<{ frame: Frame; streams: readonly StreamDescription[] }> {
    const { flags } = this.#context;
    using link = await connect(flags, signal);
    const answer = flags.classic ? requestScript(link, "get_image") : requestMedia(link, request);
    let streams: readonly StreamDescription[] = [];
    try {
      for await (const part of answer) {
        if (part.kind === "describe") streams = part.description.streams;
        // The frame is good until the next part, of which none is asked for.
        else if (part.kind === "frame") return { frame: part.frame, streams };
      }
    } catch (error) {
      throw explained(error, { flags, signal });
    }
    throw new RequestError("not_found", `Cannot get "${request.name}": there is no picture there`);
  }
}

/** What is kept for a while. */
export interface Kept {
  bytes: Uint8Array<ArrayBuffer>;
}

/** Keeps what was used last, up to a number of bytes. */
export class ByteCache<T extends Kept> {
  #items = new Map<string, T>();
  #limit: number;
  #size = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** What is kept under a key. */
  get(key: string): T | undefined {
    const found = this.#items.get(key);
    if (found === undefined) return undefined;
    // The map keeps the order: what was used last comes last.
    this.#items.delete(key);
    this.#items.set(key, found);
    return found;
  }

  /** Keeps something, in place of what was used longest ago; nothing larger than all of it. */
  set(key: string, item: T): void {
    this.delete(key);
    if (item.bytes.byteLength > this.#limit) return;
    this.#items.set(key, item);
    this.#size += item.bytes.byteLength;
    for (const oldest of this.#items.keys()) {
      if (this.#size <= this.#limit) break;
      this.delete(oldest);
    }
  }

  /** Keeps it no longer. */
  delete(key: string): void {
    this.#size -= this.#items.get(key)?.bytes.byteLength ?? 0;
    this.#items.delete(key);
  }
}
