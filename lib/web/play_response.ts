import type { PlayEnd, PlayHead, PlayTarget } from "../client/web_service.ts";
import { errorResponse } from "./errors.ts";

/**
 * One play as the body of a response, which begins with the first byte of the MP4. It ends with the
 * media, and breaks where that was cut.
 */
export class PlayBody implements PlayTarget {
  #stream = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  #writer = this.#stream.writable.getWriter();
  #head = Promise.withResolvers<PlayHead>();
  #gone = new AbortController();
  #signal: AbortSignal;

  /** @param signal ends it, since the program ends */
  constructor(signal: AbortSignal) {
    this.#signal = AbortSignal.any([signal, this.#gone.signal]);
    // It fails also where the reader leaves.
    this.#writer.closed.catch(() => this.#gone.abort());
  }

  /**
   * Plays until the end.
   *
   * @param action plays to this, and ends by the signal
   */
  async run(action: (signal: AbortSignal) => Promise<PlayEnd>): Promise<void> {
    try {
      await action(this.#signal);
      await this.#writer.close();
    } catch (error) {
      this.#head.reject(error);
      await this.#writer.abort(error);
    }
  }

  /** The response, once it is known what comes, or why nothing does. */
  async response(): Promise<Response> {
    try {
      const head = await this.#head.promise;
      return new Response(this.#stream.readable, { headers: headersOf(head) });
    } catch (error) {
      return errorResponse(error);
    }
  }

  begin(head: PlayHead): void {
    this.#head.resolve(head);
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#writer.ready;
    await this.#writer.write(new Uint8Array(bytes));
  }

  /** There is no place for it in a body. */
  note(): void {}
}

function headersOf({ type, begin, start, duration, live, title, notes }: PlayHead): HeadersInit {
  return {
    "Content-Type": type,
    "Cache-Control": "no-store",
    "X-Begin": String(begin),
    "X-Start": String(start),
    ...(duration === null ? {} : { "X-Duration": String(duration) }),
    "X-Live": live ? "1" : "0",
    // Half a character, as a server may send, has no form in an address.
    "X-Title": encodeURIComponent(title.toWellFormed()),
    "X-Notes": encodeURIComponent(JSON.stringify(notes)),
  };
}
