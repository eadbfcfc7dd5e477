/** Requests media in the server's protocol, and reconnects after a cut. */
import { onAbort } from "../../base/async.ts";
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { DeadlineError, FormatError, RequestError } from "../../base/errors.ts";
import { allStreams, type Frame } from "../../media/frame.ts";
import type { Control, MediaRequest } from "../../protocol/native/request.ts";
import type { EndReport } from "../../protocol/native/response.ts";
import { connect } from "../../net/connection.ts";
import { CutError, ShutdownError } from "../../net/errors.ts";
import { Retries, type RetriesOptions } from "../connection/retry.ts";
import { formatCount, formatTime } from "../terminal/progress.ts";
import { requestMedia } from "../../protocol/native/client.ts";
import {
  FrameCounter,
  type MediaResponse,
  type OpenResponse,
  type ResponsePart,
} from "../../protocol/media_response.ts";
import { NewestResponse } from "./newest.ts";
import { ResumeState } from "./resume_state.ts";
import { type MediaTarget, openScript, type OpenScriptOptions } from "./script.ts";

/** Options of {@linkcode openResponse}. */
export interface OpenOptions extends OpenScriptOptions {
  /** Frames of a server stay valid until they are recycled. @default false */
  keepsFrames?: boolean;
}

/** Connects once, and requests an image or a video in the protocol that the server speaks. */
export async function openResponse(
  request: MediaRequest,
  target: MediaTarget,
  options: OpenOptions,
): Promise<OpenResponse> {
  if (target.shared !== undefined) return target.shared.watch(request, options.signal);
  if (target.protocol === "script") return await openScript(request, target, options);
  const connection = await connect(target, options.signal);
  const response = requestMedia(connection, request, { keepsFrames: options.keepsFrames });
  return { ...response, [Symbol.dispose]: () => connection[Symbol.dispose]() };
}

/** Options of {@linkcode ask}. */
export interface AskOptions extends Omit<ReconnectOptions, "open" | "random" | "waits"> {
  target: MediaTarget;
  /** Late frames of a live source are dropped for a player that buffers. @default false */
  smooth?: boolean;
}

/**
 * Requests an image or a video, and reconnects when the connection is lost. If late frames are
 * dropped, a slow consumer gets the newest frame of a live source.
 *
 * @throws {Error} if no connection can be made, with what the user can do about it
 */
export async function ask(wanted: MediaRequest, options: AskOptions): Promise<OpenResponse> {
  const { target, clock, notify, smooth = false } = options;
  const isScript = target.protocol === "script" || target.shared !== undefined;
  const isNewest = !isScript && wanted.command === "get_video" && wanted.late === "drop";
  const request = isNewest && !smooth ? { ...wanted, credit: true } : wanted;
  const response = new ReconnectingResponse(request, {
    ...options,
    observe: target.observe,
    waits: target.accept !== undefined,
    open: (request, signal) =>
      openResponse(request, target, { signal, clock, notify, keepsFrames: isNewest }),
  });
  await response.connect();
  if (target.protocol === "script") return withoutControls(response);
  return isNewest ? new NewestResponse(response, { clock, smooth }) : response;
}

/** A response for callers that check whether there are controls. */
function withoutControls(response: ReconnectingResponse): OpenResponse {
  return {
    [Symbol.asyncIterator]: () => response[Symbol.asyncIterator](),
    abandon: () => response.abandon(),
    [Symbol.dispose]: () => response[Symbol.dispose](),
  };
}

/** Options of {@linkcode ReconnectingResponse}. */
export interface ReconnectOptions extends RetriesOptions {
  /** Connects and sends a request. The signal closes the connection. */
  open: (request: MediaRequest, signal: AbortSignal) => Promise<OpenResponse>;
  /** The user may seek in the response. */
  seekable: boolean;
  /** Ends the response. */
  signal: AbortSignal;
  /** Aborts when the user quits: the current connection is finished, and no other is made. */
  quit?: AbortSignal;
  /** Called when a connection is restored. */
  onReconnect?: () => void;
}

/**
 * A response over as many connections as it takes. After a cut it continues as
 * {@linkcode ResumeState} describes.
 *
 * Iterating throws what ended the last connection: the error of {@linkcode Retries.wait}, or an
 * `Error` if the media has changed, or if fewer frames arrived than were sent.
 */
export class ReconnectingResponse implements MediaResponse, Disposable {
  #options: ReconnectOptions;
  #clock: Clock;
  #retries: Retries;
  #state: ResumeState;
  /** Frames of the current connection. */
  #received = new FrameCounter();
  /** Frames of the whole response. */
  #delivered = new FrameCounter();
  #abandoned = new AbortController();
  #quitListener: Disposable | undefined;
  #response: OpenResponse | undefined;
  /** A server has sent something, be it a notice. */
  #hasReceived = false;
  /** On the current connection: frames are skipped until the server replies to the seek. */
  #isSeeking = false;
  /** A frame of the current connection was delivered. */
  #hasDelivered = false;
  /** When the connection was lost that is being restored, milliseconds. */
  #lostAt: number | undefined;
  /** Frames that the server dropped, on earlier connections and on the current one. */
  #dropped = { earlier: 0, current: 0 };

  constructor(request: MediaRequest, options: ReconnectOptions) {
    const { clock = MONOTONIC_CLOCK, quit, seekable } = options;
    this.#options = options;
    this.#clock = clock;
    this.#retries = new Retries(options);
    this.#state = new ResumeState(request, { seekable, now: () => clock.now() });
    if (quit === undefined) return;
    this.#quitListener = onAbort(quit, () => {
      if (this.#response === undefined) this.abandon();
    });
  }

  /**
   * Makes the first connection. Returns without one if the user quits meanwhile.
   *
   * @throws {Error} if no connection can be made
   */
  async connect(): Promise<void> {
    const request = this.#state.nextRequest;
    if (request === undefined) return;
    try {
      this.#response = await this.#retries.persist(() => this.#open(request), this.#signal);
    } catch (error) {
      if (!this.#abandoned.signal.aborted || this.#options.signal.aborted) throw error;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ResponsePart> {
    while (true) {
      const request = this.#state.nextRequest;
      if (request === undefined) {
        const missing = formatSeconds(this.#state.idle * 1000);
        this.#options.notify(`What was asked for is over: its last ${missing} s are missing`);
        yield { kind: "end", end: this.#endOf({ reason: "end" }) };
        return;
      }
      try {
        using response = this.#response ?? await this.#open(request);
        this.#response = response;
        yield* this.#parts(response);
        return;
      } catch (error) {
        this.#response = undefined;
        await this.#waitToReconnect(error);
      }
    }
  }

  /** Sends a control. Later connections continue in the state that it leads to. */
  async control(control: Control): Promise<void> {
    this.#state.onControl(control);
    await this.#response?.control?.(control);
  }

  recycle(frame: Frame): void {
    this.#response?.recycle?.(frame);
  }

  abandon(): void {
    this.#abandoned.abort();
    this.#quitListener?.[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.abandon();
    this.#response?.[Symbol.dispose]();
  }

  /** Aborts when nothing more is wanted. */
  get #signal(): AbortSignal {
    return AbortSignal.any([this.#options.signal, this.#abandoned.signal]);
  }

  #open(request: MediaRequest): Promise<OpenResponse> {
    return this.#options.open(request, this.#signal);
  }

  /** Turns the parts of one connection into parts of the whole response. */
  async *#parts(response: MediaResponse): AsyncGenerator<ResponsePart> {
    this.#isSeeking = this.#hasDelivered = false;
    this.#received = new FrameCounter();
    let isFurther = false;
    for await (const part of response) {
      this.#hasReceived = true;
      if (part.kind === "describe") {
        const isReconnected = this.#state.isDescribed && !isFurther;
        const description = this.#state.describe(part.description, { isFurther });
        isFurther = true;
        const streams = allStreams(part.description);
        for (const counter of [this.#received, this.#delivered]) counter.describe(streams);
        if (isReconnected) this.#onReconnected(response);
        if (description !== undefined) yield { kind: "describe", description };
      } else if (part.kind === "frame") {
        const delivered = this.#take(part);
        if (delivered !== undefined) yield delivered;
      } else if (part.kind === "control") {
        this.#isSeeking = false;
        this.#state.onSeekReply(part.control);
        yield part;
      } else if (part.kind === "notice") {
        yield this.#addDropped(part);
      } else if (part.kind === "end") {
        checkReceived(this.#received, part.end);
        if (part.end.reason === "shutdown") {
          throw new ShutdownError("the server was shut down");
        }
        yield { kind: "end", end: this.#endOf(part.end) };
      }
    }
  }

  #onReconnected(response: MediaResponse): void {
    const { position, isPaused, isLive, nextSeek } = this.#state;
    this.#options.onReconnect?.();
    // The gap of a live source is known with its first frame.
    if (!isLive) {
      const now = this.#clock.now();
      const seconds = formatSeconds(now - (this.#lostAt ?? now));
      const from = formatTime(position);
      this.#options.notify(`Connected again after ${seconds} s, going on at ${from}`);
    }
    this.#lostAt = undefined;
    // While paused, no frame arrives that would reset the count.
    if (isPaused) this.#retries.reset();
    this.#isSeeking = nextSeek !== undefined;
    if (nextSeek !== undefined) this.#send(response, nextSeek);
    if (isPaused) this.#send(response, { action: "pause" });
  }

  #take(part: Extract<ResponsePart, { kind: "frame" }>): ResponsePart | undefined {
    this.#received.count(part.frame);
    if (this.#isSeeking) return undefined;
    const frame = this.#state.take(part.frame);
    if (frame === undefined) return undefined;
    this.#delivered.count(frame);
    this.#retries.reset();
    if (!this.#hasDelivered && this.#state.gap > 0) {
      const gap = formatSeconds(this.#state.gap * 1000);
      this.#options.notify(`Connected again, going on with the newest: ${gap} s are missing`);
    }
    this.#hasDelivered = true;
    return { ...part, frame };
  }

  #addDropped(part: Extract<ResponsePart, { kind: "notice" }>): ResponsePart {
    const { dropped } = part.notice;
    if (dropped === undefined) return part;
    this.#dropped.current = dropped;
    return { ...part, notice: { ...part.notice, dropped: this.#dropped.earlier + dropped } };
  }

  /** The end of the whole response, from that of the last connection. */
  #endOf(end: Partial<EndReport> & Pick<EndReport, "reason">): EndReport {
    const dropped = this.#dropped.earlier + (end.dropped ?? 0);
    return { ...end, ...this.#delivered.totals, dropped };
  }

  /** @throws the error, if no other connection may help */
  async #waitToReconnect(error: unknown): Promise<void> {
    const { signal, quit, waits = false } = this.#options;
    const { isDescribed, isLive, isResumable, position } = this.#state;
    signal.throwIfAborted();
    if (this.#abandoned.signal.aborted || quit?.aborted || !isResumable) throw error;
    this.#lostAt ??= this.#clock.now();
    this.#dropped = { earlier: this.#dropped.earlier + this.#dropped.current, current: 0 };
    const hasReason = error instanceof ShutdownError || error instanceof DeadlineError;
    const isLoss = hasReason || error instanceof CutError;
    const at = isDescribed ? ` at ${formatTime(position)}` : "";
    const message = isLoss
      ? `Connection lost${at}${hasReason ? `: ${error.message}` : ""}`
      : undefined;
    // A live source may not be back yet: a camera that lost power as well, or a publisher.
    const isAway = isLive && error instanceof RequestError &&
      (error.code === "media_error" || error.code === "not_found");
    // Anybody may connect in place of the script that is waited for.
    const isOther = waits && error instanceof FormatError && !this.#hasDelivered;
    const transient = isAway || isOther;
    const hasReceived = this.#hasReceived;
    await this.#retries.wait({ error, message, hasReceived, transient }, this.#signal);
  }

  #send(response: MediaResponse, control: Control): void {
    // If the connection is lost again, reading the response reports it.
    response.control?.(control).catch(() => {});
  }
}

function formatSeconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(1);
}

/**
 * Compares what one connection delivered with what the server says it sent, if it says so.
 *
 * @throws {Error} if they differ
 */
function checkReceived({ streams, totals }: FrameCounter, end: EndReport): void {
  if (end.streams === undefined) return;
  const none = { frames: 0, bytes: 0 };
  for (const id of new Set([...end.streams, ...streams].map((stream) => stream.id))) {
    const [sent, came] = [end.streams, streams]
      .map((streams) => streams.findLast((stream) => stream.id === id) ?? none);
    for (const [key, unit] of [["frames", "frame"], ["bytes", "byte"]] as const) {
      if (came[key] === sent[key]) continue;
      throw new Error(
        `the server sent ${formatCount(sent[key], unit)} of stream ${id} and ${came[key]} came, ` +
          "get it again",
      );
    }
  }
  const frames = totals.frames + totals.audioFrames;
  const { bytes } = totals;
  const sentFrames = end.frames + end.audioFrames;
  if (frames === sentFrames && bytes === end.bytes) return;
  throw new Error(
    `the server sent ${formatCount(sentFrames, "frame")} of ${end.bytes} bytes in all and ` +
      `${frames} of ${bytes} came, get it again`,
  );
}
