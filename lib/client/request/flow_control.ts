/** Buffers a response, and pauses the server when the buffer is full. */
import { copyFrame } from "../../media/frame.ts";
import type { MediaResponse, ResponsePart } from "../../protocol/media_response.ts";

/** Limits on the buffered frames, in bytes. */
export interface BufferLimits {
  /** Above it, the server is asked to pause. */
  pause: number;
  /** Below it, the server is asked to resume. */
  resume: number;
  /** Above it, reading stops, in case the server does not pause. */
  full: number;
}

/** Options of {@linkcode BufferedResponse}. */
export interface BufferOptions {
  /** @default a few raw frames, or some seconds of compressed ones */
  limits?: BufferLimits;
  /** The response keeps its frames until they are recycled, so that none is copied. @default false */
  keepsFrames?: boolean;
}

const DEFAULT_LIMITS: BufferLimits = { pause: 8 << 20, resume: 2 << 20, full: 32 << 20 };

/**
 * Buffers a response for a slow consumer. Reading continues meanwhile, so that the server's pings
 * get a reply; the server is asked to pause when the buffer is full enough.
 */
export class BufferedResponse implements MediaResponse {
  #response: MediaResponse;
  #limits: BufferLimits;
  #keepsFrames: boolean;
  #parts: ResponsePart[] = [];
  /** Bytes of the frames in `#parts`. */
  #size = 0;
  #isPaused = false;
  /** Nothing more is read. */
  #ended = false;
  #failure: { error: unknown } | undefined;
  #added = Promise.withResolvers<void>();
  #taken = Promise.withResolvers<void>();

  constructor(
    response: MediaResponse,
    { limits = DEFAULT_LIMITS, keepsFrames = false }: BufferOptions = {},
  ) {
    this.#response = response;
    this.#limits = limits;
    this.#keepsFrames = keepsFrames;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ResponsePart> {
    const reading = this.#read();
    try {
      while (true) {
        const part = this.#parts.shift();
        if (part !== undefined) {
          this.#onTaken(part);
          yield part;
          if (this.#keepsFrames && part.kind === "frame") this.#response.recycle?.(part.frame);
        } else if (this.#ended) {
          if (this.#failure !== undefined) throw this.#failure.error;
          return;
        } else {
          await this.#added.promise;
        }
      }
    } finally {
      if (!this.#ended) this.abandon();
      this.#ended = true;
      this.#taken.resolve();
      await reading;
    }
  }

  /** Closes the connection, which ends the response. */
  abandon(): void {
    this.#response.abandon?.();
  }

  /** Reads to the end. A failure is thrown after the parts before it have been taken. */
  async #read(): Promise<void> {
    const { pause, resume, full } = this.#limits;
    try {
      for await (const part of this.#response) {
        this.#parts.push(this.#keepsFrames ? part : copyOf(part));
        if (part.kind === "frame") this.#size += part.frame.data.byteLength;
        this.#onAdded();
        if (this.#size > pause) {
          this.#setPaused(true);
          // Without a pause message, only TCP's flow control holds the server up.
          if (this.#response.control === undefined) await this.#sizeAtMost(resume);
        }
        await this.#sizeAtMost(full);
        if (this.#ended) return;
      }
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#ended = true;
      this.#onAdded();
    }
  }

  async #sizeAtMost(bytes: number): Promise<void> {
    while (this.#size > bytes && !this.#ended) {
      this.#taken = Promise.withResolvers();
      await this.#taken.promise;
    }
  }

  #onAdded(): void {
    this.#added.resolve();
    this.#added = Promise.withResolvers();
  }

  #onTaken(part: ResponsePart): void {
    if (part.kind !== "frame") return;
    this.#size -= part.frame.data.byteLength;
    this.#taken.resolve();
    if (this.#size < this.#limits.resume) this.#setPaused(false);
  }

  #setPaused(isPaused: boolean): void {
    if (this.#isPaused === isPaused) return;
    this.#isPaused = isPaused;
    // If the connection is lost, reading the response reports it.
    this.#response.control?.({ action: isPaused ? "pause" : "resume" }).catch(() => {});
  }
}

/** A copy of a part: the next frame may reuse the memory of this one. */
function copyOf(part: ResponsePart): ResponsePart {
  if (part.kind !== "frame") return part;
  return { ...part, frame: copyFrame(part.frame) };
}
