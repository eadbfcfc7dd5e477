import type { Control } from "../../protocol/native/request.ts";
import type { MediaResponse, ResponsePart } from "./response.ts";

/** Bytes of frames that wait at once, and how many have to be left before more are asked for. */
export interface BufferLimits {
  /** Above it the server is told to pause. */
  pause: number;
  /** Below it the server is told to go on. */
  resume: number;
  /** Above it nothing more is read, from a server that goes on all the same. */
  full: number;
}

/** Enough for a few raw pictures, and for some seconds of compressed ones. */
const USUAL: BufferLimits = { pause: 8 << 20, resume: 2 << 20, full: 32 << 20 };

/**
 * An answer that may be taken as slowly as one likes: it is read all the time, so that the server's
 * signs of life are answered, and the server is told to pause while nobody takes what has come.
 */
export class BufferedResponse implements MediaResponse {
  #response: MediaResponse;
  #limits: BufferLimits;
  #waiting: ResponsePart[] = [];
  /** Bytes of the frames that wait. */
  #size = 0;
  #paused = false;
  #over = false;
  #failure: { reason: unknown } | undefined;
  #news = Promise.withResolvers<void>();
  #room = Promise.withResolvers<void>();

  constructor(response: MediaResponse, limits: BufferLimits = USUAL) {
    this.#response = response;
    this.#limits = limits;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ResponsePart> {
    const reading = this.#read();
    try {
      while (true) {
        const part = this.#waiting.shift();
        if (part !== undefined) {
          this.#taken(part);
          yield part;
        } else if (this.#over) {
          if (this.#failure !== undefined) throw this.#failure.reason;
          return;
        } else {
          await this.#news.promise;
        }
      }
    } finally {
      const ended = this.#over;
      this.#over = true;
      if (!ended) this.abandon();
      this.#room.resolve();
      await reading;
    }
  }

  /** Ends the connection at once, and so the answer. */
  abandon(): void {
    this.#response.abandon?.();
  }

  /** Reads to the end, whatever that is; a failure waits for its turn behind what came before. */
  async #read(): Promise<void> {
    try {
      for await (const part of this.#response) {
        this.#waiting.push(kept(part));
        if (part.kind === "frame") this.#size += part.frame.data.byteLength;
        this.#tell();
        if (this.#size > this.#limits.pause) await this.#pause();
        while (this.#size > this.#limits.full && !this.#over) await this.#roomMade();
        if (this.#over) return;
      }
    } catch (reason) {
      this.#failure = { reason };
    } finally {
      this.#over = true;
      this.#tell();
    }
  }

  async #pause(): Promise<void> {
    if (this.#response.control === undefined) {
      // TCP alone can hold such a server up.
      while (this.#size > this.#limits.resume && !this.#over) await this.#roomMade();
    } else if (!this.#paused) {
      this.#paused = true;
      this.#send({ action: "pause" });
    }
  }

  async #roomMade(): Promise<void> {
    this.#room = Promise.withResolvers();
    await this.#room.promise;
  }

  #taken(part: ResponsePart): void {
    if (part.kind !== "frame") return;
    this.#size -= part.frame.data.byteLength;
    this.#room.resolve();
    if (!this.#paused || this.#size >= this.#limits.resume) return;
    this.#paused = false;
    this.#send({ action: "resume" });
  }

  #send(control: Control): void {
    // Where the connection is gone, whoever reads the answer learns it, too, and tells of it.
    this.#response.control?.(control).catch(() => {});
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}

/** The same with memory of its own: the next frame comes where the one before lay. */
function kept(part: ResponsePart): ResponsePart {
  if (part.kind !== "frame") return part;
  return { ...part, frame: { ...part.frame, data: part.frame.data.slice() } };
}
