/** Single pictures as JPEG. */
import { deadline, Semaphore } from "../../base/async.ts";
import { RequestError } from "../../base/errors.ts";
import type { StreamDescription } from "../../media/frame.ts";
import type { MediaRequest } from "../../protocol/native/request.ts";
import type { OpenResponse } from "../../protocol/media_response.ts";
import { toBrowserPicture } from "../../sinks/browser/snapshot.ts";

/** Pictures that are made at once; others wait. */
const MAX_AT_ONCE = 4;

/** Pictures that are made, or wait for that. */
const MAX_WAITING = 64;

/** Milliseconds for a picture: a camera that is gone has none. */
const TIMEOUT = 20_000;

/** Options of {@linkcode Snapshots}. */
export interface SnapshotsOptions {
  /** Opens a response. */
  open: (request: MediaRequest, signal: AbortSignal) => Promise<OpenResponse>;
  /** @default 20_000 */
  timeout?: number;
  /** Ends everything. */
  signal: AbortSignal;
}

/** Gets single pictures; all who ask for the same one meanwhile get it, too. */
export class Snapshots {
  #options: SnapshotsOptions;
  #making = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();
  #slots = new Semaphore(MAX_AT_ONCE);

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  /**
   * Gets a picture as a JPEG file, upright.
   *
   * @throws {RequestError} if it is refused, or takes too long
   */
  async get(request: MediaRequest): Promise<Uint8Array<ArrayBuffer>> {
    const key = JSON.stringify(request);
    const found = this.#making.get(key);
    if (found !== undefined) return await found;
    if (this.#making.size >= MAX_WAITING) {
      const reason = `${MAX_WAITING} others are waited for, try again later`;
      throw new RequestError("busy", `Cannot get a picture of "${request.name}": ${reason}`);
    }
    const making = this.#make(request).finally(() => this.#making.delete(key));
    this.#making.set(key, making);
    return await making;
  }

  async #make(request: MediaRequest): Promise<Uint8Array<ArrayBuffer>> {
    const { signal: ending, timeout = TIMEOUT } = this.#options;
    const late = new AbortController();
    const signal = AbortSignal.any([ending, late.signal]);
    using _limit = deadline(timeout, () => {
      const reason = "none came in time, try again later";
      late.abort(new RequestError("busy", `Cannot get a picture of "${request.name}": ${reason}`));
    });
    try {
      return await this.#slots.take(() => this.#fetch(request, signal), { signal });
    } catch (error) {
      throw late.signal.aborted ? late.signal.reason : error;
    }
  }

  async #fetch(request: MediaRequest, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    using response = await this.#options.open(request, signal);
    let streams: readonly StreamDescription[] = [];
    for await (const part of response) {
      if (part.kind === "describe") streams = part.description.streams;
      if (part.kind !== "frame") continue;
      // The frame is valid until the next part, which is not requested.
      return (await toBrowserPicture(part.frame, streams, { format: "jpeg", signal })).bytes;
    }
    signal.throwIfAborted();
    const reason = "there is no picture there";
    throw new RequestError("not_found", `Cannot get "${request.name}": ${reason}`);
  }
}
