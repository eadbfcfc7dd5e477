/** A source of another server, which is watched as viewers do: while somebody here watches. */
import { onAbort } from "../../base/async.ts";
import { wallClock } from "../../base/clock.ts";
import { DeadlineError, FormatError, RequestError } from "../../base/errors.ts";
import { type Logger, printable } from "../../base/log.ts";
import type { DataStream, Frame, StreamDescription } from "../../media/frame.ts";
import type { TimedFrame } from "../../media/source.ts";
import { formatAddress } from "../../net/address.ts";
import { connect, type Credentials, type ServerConnection } from "../../net/connection.ts";
import { ConnectError, CutError } from "../../net/errors.ts";
import type { MediaResponse, ResponsePart } from "../../protocol/media_response.ts";
import { requestMedia } from "../../protocol/native/client.ts";
import { MAX_RELAYS, type MediaRequest } from "../../protocol/native/request.ts";
import { type FeedOpener, type LiveFeed, StreamsChangedError } from "../live/feed.ts";
import { PublishedRun } from "./publication.ts";
import type { LiveSource, Upstream } from "../live/source_spec.ts";

/** Characters of the other server's message that are passed on to viewers. */
const LONGEST_REASON = 300;

/** Options of {@linkcode Relay}. */
export interface RelayOptions {
  upstream: Upstream;
  /** Called for each connection. */
  credentials: () => Credentials;
  /** Pixels of the largest picture. */
  maxPixels: number;
  logger: Logger;
}

/** A source of another server. One response of that server is watched at a time. */
export class Relay implements FeedOpener {
  /** Named in requests to the other server, by which a loop is found. */
  #id = crypto.randomUUID();
  #name: string;
  #options: RelayOptions;
  /** Outlasts a run if other streams follow, or if the other server has lost the source. */
  #response: RelayedResponse | undefined;

  constructor({ name }: LiveSource, options: RelayOptions) {
    this.#name = name;
    this.#options = options;
  }

  /** The other server tells when the source is back. */
  get isAwaited(): boolean {
    return this.#response !== undefined && this.#response.isLost && !this.#response.isClosed;
  }

  refuseLoop(via: readonly string[]): void {
    if (!via.includes(this.#id)) return;
    const reason = "a loop, the request has come through this relay before";
    throw new RequestError("bad_request", `Cannot relay "${this.#name}": ${reason}`);
  }

  async open(signal: AbortSignal, via: readonly string[]): Promise<LiveFeed> {
    if (this.#response === undefined || this.#response.isClosed) {
      this.#response = undefined;
      this.#response = await this.#request(signal, via);
    }
    return await this.#response.openFeed();
  }

  async #request(signal: AbortSignal, via: readonly string[]): Promise<RelayedResponse> {
    const { upstream: { host, port, name }, credentials, maxPixels, logger } = this.#options;
    try {
      const target = { host, port, credentials: credentials() };
      const connection = await connect(target, signal);
      const request: MediaRequest = {
        ...{ command: "get_video", name, encoding: "copy", data: true, redescribe: true },
        // Each viewer here has a policy of its own: a recording keeps late frames.
        late: "wait",
        // The oldest ids are cut off: refusing made-up ones would close the source for everybody.
        via: [this.#id, ...via].slice(0, MAX_RELAYS),
      };
      return new RelayedResponse(this.#name, request, { connection, signal, maxPixels, logger });
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ConnectError)) throw error;
      const address = formatAddress({ hostname: host, port });
      throw failure(this.#name, error.brief.replaceAll(address, "its server"), error);
    }
  }
}

/** Options of {@linkcode RelayedResponse}. */
interface ResponseOptions extends Omit<RelayOptions, "upstream" | "credentials"> {
  connection: ServerConnection;
  /** Ends the response. */
  signal: AbortSignal;
}

/** A response of the other server, which may give several runs of frames. */
class RelayedResponse {
  /** The other server has lost the source, and waits for it. */
  isLost = false;
  #name: string;
  #options: ResponseOptions;
  #response: MediaResponse;
  #parts: AsyncIterator<ResponsePart>;
  #run: PublishedRun | undefined;
  #closing: Promise<void> | undefined;
  #abortListener: Disposable | undefined;

  constructor(name: string, request: MediaRequest, options: ResponseOptions) {
    this.#name = name;
    this.#options = options;
    const settings = { clock: wallClock, keepsFrames: true };
    this.#response = requestMedia(options.connection, request, settings);
    this.#parts = this.#response[Symbol.asyncIterator]();
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
        throw failure(this.#name, isShutDown ? "its server shuts down" : "it came to its end");
      }
      if (part.kind !== "notice" || part.notice.code !== "source_lost") continue;
      this.isLost = true;
      const error = failure(this.#name, quoted(part.notice.message));
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
      const reason = reasonOf(error);
      throw reason === undefined ? error : failure(this.#name, reason, error);
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
      const reason = `its server sends what cannot be passed on (${error.message})`;
      throw failure(this.#name, reason, error);
    }
  }

  async #end(): Promise<void> {
    this.#abortListener?.[Symbol.dispose]();
    this.#options.connection[Symbol.dispose]();
    await this.#parts.return?.();
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

/** Why a response broke off, without addresses; `undefined` for what is not known. */
function reasonOf(error: unknown): string | undefined {
  if (error instanceof RequestError) return quoted(error.message);
  if (error instanceof FormatError) return `its server breaks the protocol (${error.message})`;
  if (error instanceof CutError) return "the connection to its server was cut";
  if (error instanceof DeadlineError) return "its server does not answer any more";
  return undefined;
}

/** The reason in an error of the other server. */
function quoted(message: string): string {
  return `its server says: ${printable(message.slice(0, LONGEST_REASON))}`;
}

function failure(name: string, reason: string, cause?: unknown): RequestError {
  return new RequestError("media_error", `Cannot read "${name}": ${reason}`, { cause });
}
