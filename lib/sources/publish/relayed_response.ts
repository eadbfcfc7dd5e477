/** The response of a peer that is relayed: its runs of frames become those of a live source. */
import { onAbort } from "../../base/async.ts";
import { DeadlineError, FormatError, RequestError } from "../../base/errors.ts";
import { type Logger, printable } from "../../base/log.ts";
import type { DataStream, Frame, StreamDescription } from "../../media/frame.ts";
import type { TimedFrame } from "../../media/source.ts";
import { CutError } from "../../net/errors.ts";
import type { MediaResponse, ResponsePart } from "../../protocol/media_response.ts";
import { type LiveFeed, StreamsChangedError } from "../live/feed.ts";
import { PublishedRun } from "./publication.ts";

/** Characters of the peer's message that are passed on to viewers. */
const LONGEST_REASON = 300;

/** A response, and what has to be closed after it. */
export interface RelayedConnection {
  response: MediaResponse;
  /** Disposed at the end; pending reads of the response then fail. */
  connection: Disposable;
}

/** Options of {@linkcode RelayedResponse}. */
export interface RelayedResponseOptions {
  /** Name of the source, for messages. */
  name: string;
  /** The peer in messages: `its server`. */
  peer: string;
  /** Pixels of the largest picture. */
  maxPixels: number;
  logger: Logger;
  /** Ends the response. */
  signal: AbortSignal;
}

/** A response of a peer, which may give several runs of frames. */
export class RelayedResponse {
  /** The peer has lost the source, and waits for it. */
  isLost = false;
  #options: RelayedResponseOptions;
  #response: MediaResponse;
  #connection: Disposable;
  #parts: AsyncIterator<ResponsePart>;
  #run: PublishedRun | undefined;
  #closing: Promise<void> | undefined;
  #abortListener: Disposable | undefined;

  constructor({ response, connection }: RelayedConnection, options: RelayedResponseOptions) {
    this.#options = options;
    this.#response = response;
    this.#connection = connection;
    this.#parts = response[Symbol.asyncIterator]();
    this.#abortListener = onAbort(options.signal, () => this.close());
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Waits for the first frame of a run.
   *
   * @throws {RequestError} `media_error` with the reason if there is none
   */
  async openFeed(): Promise<LiveFeed> {
    while (true) {
      const first = await this.read();
      if (first !== undefined && this.#run !== undefined) {
        return new RelayedFeed(this, this.#run, first);
      }
    }
  }

  /**
   * Reads the next frame, which is the caller's until it is recycled.
   *
   * @returns `undefined` if frames of other streams follow
   * @throws {RequestError} `media_error` with the reason if the source is lost, or the response ends
   */
  async read(): Promise<TimedFrame | undefined> {
    while (true) {
      const part = await this.#take();
      if (part.kind === "frame" || part.kind === "describe") return await this.#accept(part);
      if (part.kind === "end") {
        await this.close();
        const isShutDown = part.end.reason === "shutdown";
        throw this.#failure(isShutDown ? `${this.#options.peer} shuts down` : "it came to its end");
      }
      if (part.kind !== "notice" || part.notice.code !== "source_lost") continue;
      this.isLost = true;
      const error = this.#failure(this.#quoted(part.notice.message));
      this.#options.logger.log("warn", error.message);
      throw error;
    }
  }

  /** Asks for a keyframe, unless every frame is one. */
  requestKeyframe(): void {
    if (!this.#run?.needsKeyframe) return;
    // If the connection is lost, reading tells.
    this.#response.control?.({ action: "keyframe" }).catch(() => {});
  }

  recycle(frame: Frame): void {
    this.#response.recycle?.(frame);
  }

  /** Ends a run; another one may follow unless the signal has aborted. */
  async leave(): Promise<void> {
    if (this.#options.signal.aborted) await this.close();
  }

  /** Closes the connection. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  /**
   * Waits for the next part.
   *
   * @throws the signal's reason, or a {@linkcode RequestError} with the reason
   */
  async #take(): Promise<ResponsePart> {
    try {
      const { value, done } = await this.#parts.next();
      if (!done) return value;
      throw new CutError("the response ended");
    } catch (error) {
      await this.close();
      this.#options.signal.throwIfAborted();
      const reason = this.#reasonOf(error);
      throw reason === undefined ? error : this.#failure(reason, error);
    }
  }

  /** Checks what came as if somebody published it. */
  async #accept(
    part: Extract<ResponsePart, { kind: "frame" | "describe" }>,
  ): Promise<TimedFrame | undefined> {
    try {
      if (part.kind === "describe") {
        this.#run = new PublishedRun(part.description, this.#options);
        return undefined;
      }
      const { frame: { streamId, timestamp, keyframe, discontinuity, data }, dropped, captured } =
        part;
      const frame = { streamId, timestamp, keyframe, discontinuity, dropped, captured, data };
      this.isLost = false;
      return this.#run?.accept(frame);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      await this.close();
      const reason = `${this.#options.peer} sends what cannot be passed on (${error.message})`;
      throw this.#failure(reason, error);
    }
  }

  async #end(): Promise<void> {
    this.#abortListener?.[Symbol.dispose]();
    this.#connection[Symbol.dispose]();
    await this.#parts.return?.();
  }

  /** Why the response broke off, without addresses; `undefined` for what is not known. */
  #reasonOf(error: unknown): string | undefined {
    const { peer } = this.#options;
    if (error instanceof RequestError) return this.#quoted(error.message);
    if (error instanceof FormatError) return `${peer} breaks the protocol (${error.message})`;
    if (error instanceof CutError) return `the connection to ${peer} was cut`;
    if (error instanceof DeadlineError) return `${peer} does not answer any more`;
    return undefined;
  }

  /** The reason in an error of the peer. */
  #quoted(message: string): string {
    return `${this.#options.peer} says: ${printable(message.slice(0, LONGEST_REASON))}`;
  }

  #failure(reason: string, cause?: unknown): RequestError {
    return sourceFailure(this.#options.name, reason, cause);
  }
}

/** One run of frames of a response. */
class RelayedFeed implements LiveFeed {
  readonly streams: readonly StreamDescription[];
  readonly data: readonly DataStream[];
  #response: RelayedResponse;
  #first: TimedFrame | undefined;

  constructor(response: RelayedResponse, { streams, data }: PublishedRun, first: TimedFrame) {
    this.streams = streams;
    this.data = data;
    this.#response = response;
    this.#first = first;
  }

  async next(): Promise<TimedFrame> {
    const frame = this.#first ?? await this.#response.read();
    this.#first = undefined;
    if (frame === undefined) throw new StreamsChangedError("Other streams follow");
    return frame;
  }

  requestKeyframe(): void {
    this.#response.requestKeyframe();
  }

  recycle(frame: Frame): void {
    this.#response.recycle(frame);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#response.leave();
  }
}

/** The error that viewers get of a source that cannot be read. */
export function sourceFailure(name: string, reason: string, cause?: unknown): RequestError {
  return new RequestError("media_error", `Cannot read "${name}": ${reason}`, { cause });
}
