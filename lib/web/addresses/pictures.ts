/** The newest picture of a response, for many readers. */
import { abortable } from "../../base/async.ts";
import type { Clock } from "../../base/clock.ts";
import { DeadlineError, RequestError } from "../../base/errors.ts";
import type { VideoStream } from "../../media/frame.ts";
import type { OpenResponse } from "../../protocol/media_response.ts";
import { encodePart, MULTIPART_BEGIN } from "./multipart.ts";
import type { Running } from "./running.ts";
import { orient } from "./upright.ts";

/** Options of {@linkcode SharedPictures}. */
export interface SharedPicturesOptions {
  /** Opens the response, whose frames of video are JPEGs. */
  open: (signal: AbortSignal) => Promise<OpenResponse>;
  /** Milliseconds for which a reader may take nothing. */
  stall: number;
  clock: Pick<Clock, "now">;
  /** Ends everything. */
  signal: AbortSignal;
}

/**
 * Reads the pictures of one response, and gives each reader the newest one when it is ready for it: a
 * reader that is slow holds up nobody, and holds one picture at most. Ends when the last reader leaves.
 */
export class SharedPictures implements Running {
  readonly ended: Promise<void>;
  #options: SharedPicturesOptions;
  #left = new AbortController();
  #described = Promise.withResolvers<void>();
  #feeds = new Set<PictureFeed>();
  #readers = 0;
  #latest: Uint8Array<ArrayBuffer> | undefined;

  constructor(options: SharedPicturesOptions) {
    this.#options = options;
    // Those who wait for it get the failure.
    this.#described.promise.catch(() => {});
    this.ended = this.#run(AbortSignal.any([options.signal, this.#left.signal]));
  }

  get isEnding(): boolean {
    return this.#left.signal.aborted;
  }

  /** Readers, and those who wait to be one. */
  get readers(): number {
    return this.#readers;
  }

  /**
   * Adds a reader: parts of `multipart/x-mixed-replace`, until the response ends.
   *
   * @throws {RequestError} if the response is refused
   */
  async read(signal: AbortSignal): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    this.#readers++;
    try {
      await abortable(this.#described.promise, signal);
    } catch (error) {
      this.#leave();
      throw error;
    }
    const feed: PictureFeed = new PictureFeed(this.#options.clock, () => {
      if (this.#feeds.delete(feed)) this.#leave();
    });
    this.#feeds.add(feed);
    if (this.#latest !== undefined) feed.offer(this.#latest);
    if (this.#left.signal.aborted) feed.end();
    return feed.body;
  }

  #leave(): void {
    this.#readers--;
    if (this.#readers === 0) this.#left.abort();
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      using response = await this.#options.open(signal);
      let video: VideoStream | undefined;
      for await (const part of response) {
        if (part.kind === "describe") {
          const { name, streams } = part.description;
          video = streams.find((stream) => stream.type === "video");
          if (video?.codec !== "mjpeg") throw noPictures(name, video?.codec);
          this.#described.resolve();
        } else if (part.kind === "frame" && part.frame.streamId === video?.id) {
          this.#publish(orient(part.frame.data, video.rotation), part.captured);
        }
      }
    } catch (error) {
      this.#described.reject(error);
    } finally {
      this.#described.reject(new RequestError("not_found", "Cannot show it: it ended at once"));
      this.#left.abort();
      for (const feed of this.#feeds) feed.end();
    }
  }

  /** @param captured microseconds since 1970 */
  #publish(jpeg: Uint8Array, captured?: number): void {
    const part = encodePart(jpeg, captured === undefined ? undefined : captured / 1e6);
    this.#latest = part;
    for (const feed of this.#feeds) {
      if (feed.silence > this.#options.stall) feed.cut();
      else feed.offer(part);
    }
  }
}

/** @param codec of the video, by FFmpeg's name; scripts send what they have */
function noPictures(name: string, codec?: string): RequestError {
  const reason = codec === undefined ? "it has none" : `they come as ${codec}, not as JPEG`;
  return new RequestError("unsupported", `Cannot show pictures of "${name}": ${reason}`);
}

/** What one reader gets: the newest picture, each time it asks. */
class PictureFeed {
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
  #clock: Pick<Clock, "now">;
  #controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  #onLeave: () => void;
  #newest: Uint8Array<ArrayBuffer> | undefined;
  /** Wakes the reader, if it waits for a picture. */
  #wake: (() => void) | undefined;
  /** When it took a picture last, milliseconds of the clock. */
  #taken: number;
  #isEnded = false;

  constructor(clock: Pick<Clock, "now">, onLeave: () => void) {
    this.#clock = clock;
    this.#taken = clock.now();
    this.#onLeave = onLeave;
    this.body = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
        controller.enqueue(MULTIPART_BEGIN);
      },
      pull: () => this.#give(),
      cancel: onLeave,
    }, { highWaterMark: 0 });
  }

  /** Milliseconds for which it has taken nothing; 0 while it waits for a picture. */
  get silence(): number {
    return this.#wake === undefined ? this.#clock.now() - this.#taken : 0;
  }

  /** Replaces the picture that it has not taken. */
  offer(part: Uint8Array<ArrayBuffer>): void {
    this.#newest = part;
    this.#wake?.();
  }

  /** Ends it behind the newest picture. */
  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  /** Ends it at once. */
  cut(): void {
    this.#controller.error(new DeadlineError("Cannot go on: the reader takes no pictures"));
    this.#onLeave();
  }

  async #give(): Promise<void> {
    if (this.#newest === undefined && !this.#isEnded) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
      this.#wake = undefined;
    }
    this.#taken = this.#clock.now();
    const part = this.#newest;
    this.#newest = undefined;
    if (part !== undefined) return this.#controller.enqueue(part);
    this.#controller.close();
    this.#onLeave();
  }
}
