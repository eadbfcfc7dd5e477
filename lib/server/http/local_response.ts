/** A response that is read in the process that makes it, without a connection. */
import { abortable } from "../../base/async.ts";
import type { Description, Frame } from "../../media/frame.ts";
import { ShutdownError } from "../../net/errors.ts";
import type { OpenResponse, ResponsePart } from "../../protocol/media_response.ts";
import type { Control } from "../../protocol/native/request.ts";
import type { EndReport, Notice } from "../../protocol/native/response.ts";
import type { SharedFrame } from "../../sources/live/shared_frame.ts";
import type { Controls, Seek } from "../playback/controls.ts";
import type { ResponseWriter } from "../playback/sender.ts";

/** Options of {@linkcode LocalResponse}. */
export interface LocalResponseOptions {
  controls: Controls;
  /** Ends the response; its reason is then what reading throws. */
  signal: AbortSignal;
  /** Called when the reader leaves before the end. */
  onLeave: () => void;
}

/**
 * Both ends of a response: what the server writes is what the other side reads. A write takes until
 * the reader asks for the next part, so that a slow reader slows the server as a slow connection does,
 * and no frame is copied.
 */
export class LocalResponse implements ResponseWriter, OpenResponse {
  #options: LocalResponseOptions;
  /** The part to be read next; `undefined` behind the last one. */
  #offered = Promise.withResolvers<ResponsePart | undefined>();
  /** Resolves when the reader is done with it. */
  #taken = Promise.withResolvers<void>();
  /** Ends reading in place of a further part. */
  #settle: ((offered: PromiseWithResolvers<ResponsePart | undefined>) => void) | undefined;
  /** Settles when the latest write is over. */
  #turn: Promise<void> = Promise.resolve();
  #hasLeft = false;
  /** The end was read: nothing of the response is left. */
  #isOver = false;

  constructor(options: LocalResponseOptions) {
    this.#options = options;
    // A reader that has left takes no failure.
    this.#offered.promise.catch(() => {});
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ResponsePart> {
    try {
      while (true) {
        const part = await this.#offered.promise;
        if (part === undefined) return;
        this.#isOver = part.kind === "end";
        yield part;
        this.#take();
      }
    } finally {
      this.abandon();
    }
  }

  control(control: Control): Promise<void> {
    this.#options.controls.take(control);
    return Promise.resolve();
  }

  abandon(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    if (!this.#isOver) this.#options.onLeave();
    // Nobody reads later frames.
    this.#taken.resolve();
  }

  [Symbol.dispose](): void {
    this.abandon();
  }

  describe(description: Description): Promise<void> {
    return this.#give({ kind: "describe", description });
  }

  async write(frame: Frame, { dropped }: { dropped: boolean }): Promise<number> {
    const { byteLength } = frame.data;
    await this.#give({ kind: "frame", frame, dropped });
    return byteLength;
  }

  async writeShared(
    { frame, size, age }: SharedFrame,
    { dropped, discontinuity }: { dropped: boolean; discontinuity: boolean },
  ): Promise<number> {
    const latency = frame.captured === undefined ? undefined : age * 1000;
    const shared = { ...frame, discontinuity, borrowed: true };
    await this.#give({ kind: "frame", frame: shared, dropped, latency });
    return size;
  }

  end(end: EndReport): Promise<void> {
    if (end.reason !== "shutdown") return this.#give({ kind: "end", end });
    // A response that is cut is not whole.
    this.fail(new ShutdownError("the server was shut down"));
    return Promise.resolve();
  }

  notify(notice: Notice): Promise<void> {
    return this.#give({ kind: "notice", notice });
  }

  seek(seek: Seek): Promise<void> {
    return this.#give({ kind: "control", control: { action: "seek", ...seek } });
  }

  /** Ends reading behind the last part. */
  close(): void {
    this.#finish((offered) => offered.resolve(undefined));
  }

  /** Fails reading, behind the part that is being read. */
  fail(reason: unknown): void {
    this.#finish((offered) => offered.reject(reason));
  }

  /** Hands a part over, after those before it. */
  #give(part: ResponsePart): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      if (this.#hasLeft) return;
      this.#options.signal.throwIfAborted();
      this.#offered.resolve(part);
      await abortable(this.#taken.promise, this.#options.signal);
    });
    return this.#turn;
  }

  /** @param settle does nothing to a part that waits to be read */
  #finish(settle: (offered: PromiseWithResolvers<ResponsePart | undefined>) => void): void {
    this.#settle = settle;
    settle(this.#offered);
  }

  #take(): void {
    const { resolve } = this.#taken;
    this.#offered = Promise.withResolvers();
    this.#offered.promise.catch(() => {});
    this.#settle?.(this.#offered);
    this.#taken = Promise.withResolvers();
    resolve();
  }
}
