/** Frames of a response as an iterator, for programs that import the client. */
import { isConnectionClosed, isConnectionLost } from "../base/errors.ts";
import { allStreams, type AnyStream, type Description, toSeconds } from "../media/frame.ts";
import type { Target } from "../net/connection.ts";
import { CutError } from "../net/errors.ts";
import type { OpenResponse, ResponsePart } from "../protocol/media_response.ts";
import {
  type Control,
  type ImageFields,
  LIMITS,
  type MediaRequest,
  type VideoFields,
} from "../protocol/native/request.ts";
import type { Notice } from "../protocol/native/response.ts";
import { explain, explainCut } from "./connection/explain.ts";
import type { RetryLimits } from "./connection/retry.ts";
import { ask } from "./request/request.ts";
import { formatTime } from "./terminal/progress.ts";

/** The signal that ends a request, and its listeners. */
export interface RequestEvents {
  /** Ends the request, which then throws its reason. */
  signal?: AbortSignal;
  /**
   * Called with notices of the server, such as dropped frames, with differences from the request
   * (`code` is `note`), and when the connection is lost or back (`connection`). Must not throw.
   */
  onNotice?: (notice: Notice) => void;
}

/** Options of {@linkcode Client.watch}. */
export interface WatchOptions extends VideoFields, RequestEvents {}

/** Options of {@linkcode Client.image}. */
export interface ImageOptions extends ImageFields, RequestEvents {
  /** Of a video: seconds from its beginning; the frame that is shown then. @default 0 */
  time?: number;
}

/** A frame of video, a run of audio samples, a packet, or a message. */
export interface MediaFrame {
  /**
   * Raw video: planes one after another, rows from top to bottom without padding (`bgr24`: height ×
   * width × 3 bytes). PCM: samples with interleaved channels. Other codecs: a packet. Data streams:
   * a message, of codec `json` as UTF-8, of codec `subtitle` JSON of a text with its `start` and
   * `end` in seconds of the media. Valid until the next frame is asked for; copy it with
   * `slice()` to keep it.
   */
  data: Uint8Array<ArrayBuffer>;
  /** The stream that it belongs to. Live sources may change theirs. */
  stream: AnyStream;
  /**
   * Seconds from the beginning of the media. With `loop` it goes on from round to round; that of a
   * live source has any zero. Packets from before `start` are needed to decode what follows.
   */
  time: number;
  /** Ticks of the stream's time base, counted from `start`. */
  timestamp: number;
  /** It is decodable by itself; so is each frame that is raw or a JPEG. */
  keyframe: boolean;
  /** Frames of its stream were dropped before it. */
  dropped: boolean;
  /** It does not continue its stream, as after a seek or a lost connection. */
  discontinuity: boolean;
  /** Of a live source: when it was captured, milliseconds since 1970 by the own clock, if known. */
  capturedAt?: number;
  /** Of a live source: milliseconds from its capture to its arrival, if known. */
  latency?: number;
}

/**
 * Frames of one request, from {@linkcode Client.watch}. The connection is made when the first frame,
 * or the description, is asked for. Lost connections are restored, and every frame of a file comes
 * once; after a seek, the latest one may come again.
 * Leaving the loop, or disposing it, closes the connection.
 */
export interface Watch extends AsyncIterable<MediaFrame>, AsyncDisposable {
  /** The current streams; connects if needed. */
  readonly description: Promise<Description>;
  /**
   * Waits for the next frame.
   *
   * @throws {RequestError} if the server refuses, or fails; `code` says why
   * @throws {ConnectError} if there is no connection
   * @throws {CutError} if the connection was lost, and could not be restored
   */
  next(): Promise<IteratorResult<MediaFrame, undefined>>;
  /** Closes the connection; no frames follow. */
  return(): Promise<IteratorResult<MediaFrame, undefined>>;
  /** Has the server send nothing more until {@linkcode Watch.resume}; what is on its way arrives. */
  pause(): Promise<void>;
  /** Goes on after a pause; a live source with its newest frame. */
  resume(): Promise<void>;
  /**
   * Goes on at another position of a file. Frames of the old one no longer arrive.
   *
   * @param seconds from the beginning of the media; beyond its end, as `Infinity`, for the end
   * @throws {TypeError} if that is no number from 0, or the source is live
   */
  seek(seconds: number): Promise<void>;
  /** Has the server end the media; frames that are on their way arrive. */
  stop(): Promise<void>;
}

/** A server, and how often connections to it are tried. */
export interface Origin {
  target: Target;
  limits: RetryLimits;
}

/** Requests media when its first frame is asked for. */
export class ResponseWatch implements Watch {
  #request: MediaRequest;
  #origin: Origin;
  #events: RequestEvents;
  /** Aborts when it is disposed. */
  #closing = new AbortController();
  /** Aborts when it is stopped. */
  #stopping = new AbortController();
  #signal: AbortSignal;
  #response: OpenResponse | undefined;
  #parts: AsyncIterator<ResponsePart> | undefined;
  #begun: Promise<Description> | undefined;
  #streams = new Map<number, AnyStream>();
  #frames: AsyncGenerator<MediaFrame, undefined> = this.#receive();
  #closed: Promise<void> | undefined;
  /** Name of the media, once it is described. */
  #name: string | undefined;
  /** Time of the latest frame, seconds; `undefined` before the first. */
  #position: number | undefined;
  #seeks = 0;
  /** Id of the seek whose frames have not come yet. */
  #pendingSeek: number | undefined;

  constructor(request: MediaRequest, origin: Origin, events: RequestEvents) {
    this.#request = request;
    this.#origin = origin;
    this.#events = events;
    const signals = [this.#closing.signal, ...(events.signal === undefined ? [] : [events.signal])];
    this.#signal = AbortSignal.any(signals);
  }

  get description(): Promise<Description> {
    return this.#begin();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<MediaFrame, undefined>> {
    return this.#frames.next();
  }

  async return(): Promise<IteratorResult<MediaFrame, undefined>> {
    await this[Symbol.asyncDispose]();
    return { done: true, value: undefined };
  }

  async pause(): Promise<void> {
    await this.#control({ action: "pause" });
  }

  async resume(): Promise<void> {
    await this.#control({ action: "resume" });
  }

  async seek(seconds: number): Promise<void> {
    if (typeof seconds !== "number" || !(seconds >= 0)) {
      throw new TypeError(`Cannot seek to ${seconds}: expected seconds from 0`);
    }
    const { live, name } = await this.#begin();
    if (live) throw new TypeError(`Cannot seek in "${name}": it is live`);
    const id = ++this.#seeks;
    this.#pendingSeek = id;
    await this.#control({ action: "seek", to: Math.min(seconds, LIMITS.start.max), id });
  }

  async stop(): Promise<void> {
    // Without a response, no other one is requested.
    this.#stopping.abort(new DOMException("The watch was stopped", "AbortError"));
    await this.#send({ action: "stop" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async #close(): Promise<void> {
    // Ends a wait for the next frame, which a generator would otherwise finish first.
    this.#response?.[Symbol.dispose]();
    await this.#begun?.catch(() => {});
    await this.#frames.return(undefined);
    await this.#end();
  }

  #begin(): Promise<Description> {
    if (this.#begun === undefined) {
      this.#begun = this.#open();
      // It may fail while nobody waits for it.
      this.#begun.catch(() => {});
    }
    return this.#begun;
  }

  /** Requests the media, and waits for the description. */
  async #open(): Promise<Description> {
    const { target, limits } = this.#origin;
    const signal = this.#signal;
    try {
      this.#response = await ask(this.#request, {
        ...{ target, limits, signal },
        quit: this.#stopping.signal,
        // A loop goes on at exactly the same frame.
        seekable: false,
        notify: (message) => this.#notify({ code: "connection", message }),
      });
      this.#parts = this.#response[Symbol.asyncIterator]();
      while (true) {
        const { done, value: part } = await this.#parts.next();
        if (done) throw new CutError("the connection was cut");
        if (part.kind === "describe") return this.#describe(part.description);
        if (part.kind === "notice") this.#notify(part.notice);
      }
    } catch (error) {
      await this.#end();
      if (!signal.aborted) this.#stopping.signal.throwIfAborted();
      throw explain(error, { target, signal });
    }
  }

  async *#receive(): AsyncGenerator<MediaFrame, undefined> {
    if (this.#isEnding) return;
    try {
      await this.#begin();
      while (true) {
        const result = await this.#parts?.next();
        if (result === undefined || result.done) return;
        const frame = this.#take(result.value);
        if (frame !== undefined) yield frame;
      }
    } catch (error) {
      this.#events.signal?.throwIfAborted();
      if (this.#isEnding) return;
      throw this.#explain(error);
    } finally {
      await this.#end();
    }
  }

  /** Nothing more is wanted, so that whatever ends the response is its end. */
  get #isEnding(): boolean {
    return this.#closing.signal.aborted || this.#stopping.signal.aborted;
  }

  #describe(description: Description): Description {
    this.#begun = Promise.resolve(description);
    this.#name = description.name;
    this.#streams = new Map(allStreams(description).map((stream) => [stream.id, stream]));
    for (const message of description.notes ?? []) this.#notify({ code: "note", message });
    return description;
  }

  /** @returns the frame of a part, if it has one that is wanted */
  #take(part: ResponsePart): MediaFrame | undefined {
    if (part.kind === "describe") this.#describe(part.description);
    else if (part.kind === "notice") this.#notify(part.notice);
    else if (part.kind === "end") this.#onWarning(part.end.warning);
    else if (part.kind === "control") {
      if (part.control.id === this.#pendingSeek) this.#pendingSeek = undefined;
    } else if (this.#pendingSeek === undefined) return this.#toFrame(part);
    return undefined;
  }

  #toFrame(part: Extract<ResponsePart, { kind: "frame" }>): MediaFrame | undefined {
    const { frame: { streamId, timestamp, keyframe, discontinuity = false, data } } = part;
    const { dropped, captured, latency } = part;
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return undefined;
    const { start = 0 } = this.#request;
    const time = start + toSeconds(timestamp, stream.timeBase);
    this.#position = time;
    return {
      ...{ data, stream, time, timestamp, keyframe, dropped, discontinuity, latency },
      capturedAt: captured === undefined ? undefined : captured / 1000,
    };
  }

  #onWarning(warning: string | undefined): void {
    if (warning === undefined) return;
    this.#notify({ code: "note", message: `the media is damaged: ${warning}` });
  }

  #notify(notice: Notice): void {
    this.#events.onNotice?.(notice);
  }

  #explain(error: unknown): unknown {
    const { target } = this.#origin;
    // The error of the first connection has been explained.
    if (this.#name === undefined) return error;
    if (this.#position === undefined) return explain(error, { target, signal: this.#signal });
    return explainCut(error, `"${this.#name}" after ${formatTime(this.#position)}`);
  }

  async #control(control: Control): Promise<void> {
    await this.#begin();
    await this.#send(control);
  }

  async #send(control: Control): Promise<void> {
    try {
      await this.#response?.control?.(control);
    } catch (error) {
      // The next connection gets the control; if there is none, reading the response reports it.
      if (!isConnectionLost(error) && !isConnectionClosed(error)) throw error;
    }
  }

  /** Closes the connection, and ends the pings on it. */
  async #end(): Promise<void> {
    this.#response?.[Symbol.dispose]();
    try {
      await this.#parts?.return?.();
    } catch {
      // The reason has been thrown, or nobody waits for one.
    }
  }
}
