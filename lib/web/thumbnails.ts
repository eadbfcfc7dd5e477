/** Images for the page, and a cache of the small ones. */
import { Semaphore } from "../base/async.ts";
import { RequestError } from "../base/errors.ts";
import type { ListEntry } from "../protocol/native/response.ts";
import { type PictureFile, toBrowserPicture } from "../sinks/browser/snapshot.ts";
import type { ImageQuery } from "./api.ts";
import type { ImageRequest, WebService } from "./service.ts";

/** Images fetched at once; each takes an FFmpeg process. */
const MAX_FETCHES = 2;

/** Bytes of the thumbnail cache. */
const CACHE_SIZE = 8 << 20;

/** Pixels: width of a thumbnail. */
const THUMBNAIL_WIDTH = 320;

/** Position of a video's thumbnail: share of the duration, and seconds at most. */
const POSITION_SHARE = 0.1;
const MAX_POSITION = 30;

/** Milliseconds for which the thumbnail of a live source is cached. */
const LIVE_LIFETIME = 10_000;

interface Thumbnail extends PictureFile {
  /** Expiry time, milliseconds of the clock. */
  until: number;
}

/** Who gets an image, and until when it is wanted. */
export interface ThumbnailOptions {
  /** Gets images that are not cached. */
  service: WebService;
  signal: AbortSignal;
}

/** Gets single images for the page, and caches the small ones for all visitors. */
export class Thumbnails {
  #now: () => number;
  #cache = new ByteCache<Thumbnail>(CACHE_SIZE);
  #fetches = new Semaphore(MAX_FETCHES);

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * An image in full size, as PNG.
   *
   * @throws {RequestError} if the service refuses it
   */
  async image(
    query: ImageQuery,
    { service, signal }: ThumbnailOptions,
  ): Promise<PictureFile> {
    const fetch = () => fetchPicture(query, "png", { service, signal });
    return await this.#fetches.take(fetch, { signal });
  }

  /**
   * A small image, as JPEG; of a video, a frame from near its beginning.
   *
   * @throws {RequestError} `not_found` for audio, or if the service refuses it
   */
  async thumbnail(name: string, { service, signal }: ThumbnailOptions): Promise<PictureFile> {
    const entry = await service.find(name, signal);
    if (service.info.classic || entry === undefined || entry.kind === "audio") {
      const reason = entry?.kind === "audio" ? "it is sound" : "there is none";
      throw new RequestError("not_found", `Cannot get a picture of "${name}": ${reason}`);
    }
    const key = JSON.stringify([name, entry.size, entry.modified, entry.duration]);
    return this.#cached(key) ??
      await this.#fetches.take(async () => {
        // Another tab may have fetched it meanwhile.
        const found = this.#cached(key) ??
          await fetchPicture(thumbnailOf(entry), "jpeg", { service, signal });
        const until = entry.live ? this.#now() + LIVE_LIFETIME : Infinity;
        this.#cache.set(key, { until, ...found });
        return found;
      }, { signal });
  }

  #cached(key: string): Thumbnail | undefined {
    const found = this.#cache.get(key);
    return found !== undefined && found.until > this.#now() ? found : undefined;
  }
}

async function fetchPicture(
  request: ImageRequest,
  format: "png" | "jpeg",
  { service, signal }: ThumbnailOptions,
): Promise<PictureFile> {
  const { frame, streams } = await service.image(request, signal);
  return await toBrowserPicture(frame, streams, { format, signal });
}

function thumbnailOf({ name, kind, live, duration = 0 }: ListEntry): ImageRequest {
  const start = Math.min(duration * POSITION_SHARE, MAX_POSITION);
  return { name, width: THUMBNAIL_WIDTH, start: kind === "video" && !live ? start : 0 };
}

/** A value of {@linkcode ByteCache}. */
export interface CachedBytes {
  bytes: Uint8Array<ArrayBuffer>;
}

/** A cache of a limited number of bytes that drops what was used least recently. */
export class ByteCache<T extends CachedBytes> {
  #items = new Map<string, T>();
  #limit: number;
  #size = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): T | undefined {
    const found = this.#items.get(key);
    if (found === undefined) return undefined;
    // A map keeps the order of insertion: the most recently used comes last.
    this.#items.delete(key);
    this.#items.set(key, found);
    return found;
  }

  /** Adds a value; one that is larger than the whole cache is not kept. */
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

  delete(key: string): void {
    this.#size -= this.#items.get(key)?.bytes.byteLength ?? 0;
    this.#items.delete(key);
  }
}
