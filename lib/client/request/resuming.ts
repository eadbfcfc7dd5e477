import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { DeadlineError, RequestError } from "../../base/errors.ts";
import type { Description } from "../../media/frame.ts";
import type { Control, MediaRequest } from "../../protocol/native/request.ts";
import type { EndReport } from "../../protocol/native/response.ts";
import { CutError, ShutdownError } from "../connection/errors.ts";
import { Retries, type RetryLimits } from "../connection/retry.ts";
import { formatTime } from "../terminal/progress.ts";
import { LiveTimeline } from "./live_timeline.ts";
import type { MediaResponse, ResponsePart } from "./response.ts";
import { checkSame, PlaybackState, ResumeState, Totals } from "./resume_state.ts";

/** The answer to one request, over a connection of its own. */
export interface OpenResponse extends Disposable {
  response: MediaResponse;
}

/** What {@linkcode ResumingResponse} has to know. */
export interface ResumingOptions {
  /** Connects and asks; the signal ends the connection, too. */
  ask: (request: MediaRequest, signal: AbortSignal) => Promise<OpenResponse>;
  limits: RetryLimits;
  /** It is looked at, so that the user may seek in it. */
  seekable: boolean;
  /** Ends it. */
  signal: AbortSignal;
  /** Fires when the user ends it: what is under way comes to its end, nothing new is begun. */
  quit?: AbortSignal;
  /** Told of connections that are lost, and made again. */
  tell: (line: string) => void;
  /** Told that a connection was made again. */
  onReconnect?: () => void;
  clock?: Clock;
  /** Gives numbers from 0 up to 1, as `Math.random` does. */
  random?: () => number;
}

/** A connection that is asked over. */
interface Turn {
  response: MediaResponse;
  receipt: Totals;
  /** What comes is let go by, up to the answer to the seek. */
  seeking: boolean;
  /** Something of it was passed on. */
  used: boolean;
}

/**
 * One answer over as many connections as it takes: where one is cut, the next goes on with the frame
 * that follows the last one that came. What is live goes on with the newest, what the user has
 * sought in, or begins again at its end, where it was.
 *
 * Iterating throws what ended the last connection, where that cannot be helped: the error of
 * {@linkcode Retries.wait}, or an `Error` where the media is another one now, or less came than was
 * sent.
 */
export class ResumingResponse implements MediaResponse, Disposable {
  #options: ResumingOptions;
  #request: MediaRequest;
  #clock: Clock;
  #retries: Retries;
  #left = new AbortController();
  #opened: OpenResponse | undefined;
  #first: Description | undefined;
  /** Something came, if only the place in line: there is a server at the address. */
  #heard = false;
  #resumeState = new ResumeState([]);
  /** Of live sources. */
  #line: LiveTimeline | undefined;
  #playbackState: PlaybackState;
  /** When the connection was lost that is made again now, milliseconds. */
  #lost: number | undefined;
  /** Frames that the server has left out, over connections that are gone, and over this one. */
  #dropped = { before: 0, now: 0 };

  constructor(request: MediaRequest, options: ResumingOptions) {
    const { limits, tell, clock = MONOTONIC_CLOCK, random, quit } = options;
    this.#request = request;
    this.#options = options;
    this.#playbackState = new PlaybackState(request, options);
    this.#clock = clock;
    this.#retries = new Retries({ limits, tell, clock, random });
    const onQuit = () => {
      if (this.#opened === undefined) this.abandon();
    };
    if (quit?.aborted) onQuit();
    quit?.addEventListener("abort", onQuit, { signal: this.#left.signal });
  }

  /**
   * Makes the first connection.
   *
   * @throws {Error} where that is not possible, unless the user has ended it meanwhile
   */
  async connect(): Promise<void> {
    try {
      this.#opened = await this.#retries.persist(() => this.#ask(), this.#ended);
    } catch (error) {
      if (!this.#left.signal.aborted || this.#options.signal.aborted) throw error;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ResponsePart> {
    while (true) {
      const request = this.#rest;
      if (request === undefined) {
        const missing = formatSeconds((this.#line?.silence ?? 0) * 1000);
        this.#options.tell(`What was asked for is over: its last ${missing} s are missing`);
        yield { kind: "end", end: this.#totals({ reason: "end" }) };
        return;
      }
      try {
        using opened = this.#opened ?? await this.#ask(request);
        this.#opened = opened;
        yield* this.#parts(opened.response);
        return;
      } catch (error) {
        this.#opened = undefined;
        await this.#recover(error);
      }
    }
  }

  /** Passes a control on; what it asks for holds for later connections, too. */
  async control(control: Control): Promise<void> {
    this.#playbackState.act(control);
    await this.#opened?.response.control?.(control);
  }

  abandon(): void {
    this.#left.abort();
  }

  [Symbol.dispose](): void {
    this.abandon();
    this.#opened?.[Symbol.dispose]();
  }

  /** Fires when nothing more is wanted. */
  get #ended(): AbortSignal {
    return AbortSignal.any([this.#options.signal, this.#left.signal]);
  }

  #ask(request = this.#request): Promise<OpenResponse> {
    return this.#options.ask(request, this.#ended);
  }

  /** What comes over one connection, as parts of the whole. */
  async *#parts(response: MediaResponse): AsyncGenerator<ResponsePart> {
    const turn: Turn = { response, receipt: new Totals(), seeking: false, used: false };
    for await (const part of response) {
      this.#heard = true;
      if (part.kind === "describe") {
        if (this.#first !== undefined) this.#goOn(part.description, turn);
        else yield this.#begin(part);
      } else if (part.kind === "frame") {
        const placed = this.#take(part, turn);
        if (placed !== undefined) yield placed;
      } else if (part.kind === "control") {
        turn.seeking = false;
        this.#resumeState.jump(this.#playbackState.arrive(part.control));
        yield part;
      } else if (part.kind === "notice") {
        yield this.#countDropped(part);
      } else {
        turn.receipt.check(part.end);
        if (part.end.reason === "shutdown") {
          throw new ShutdownError("the server was shut down");
        }
        yield { kind: "end", end: this.#totals(part.end) };
      }
    }
  }

  #begin(part: Extract<ResponsePart, { kind: "describe" }>): ResponsePart {
    const { description } = part;
    const { live, streams } = description;
    this.#first = description;
    this.#resumeState = new ResumeState(streams);
    if (live) this.#line = new LiveTimeline(streams, () => this.#clock.now());
    return part;
  }

  /** Goes on over a new connection. */
  #goOn(description: Description, turn: Turn): void {
    const { position } = this.#resumeState;
    const { paused } = this.#playbackState;
    if (this.#first !== undefined) checkSame(this.#first, description);
    this.#options.onReconnect?.();
    const now = this.#clock.now();
    if (this.#line !== undefined) {
      this.#line.resume(description.streams);
    } else {
      const seconds = formatSeconds(now - (this.#lost ?? now));
      this.#options.tell(`Connected again after ${seconds} s, going on at ${formatTime(position)}`);
    }
    this.#lost = undefined;
    // In a pause nothing comes that could tell that all is well.
    if (paused) this.#retries.reset();
    if (this.#seeks) {
      turn.seeking = true;
      this.#send(turn.response, this.#playbackState.seekTo(position, description.duration));
    }
    if (paused) this.#send(turn.response, { action: "pause" });
  }

  #take(part: Extract<ResponsePart, { kind: "frame" }>, turn: Turn): ResponsePart | undefined {
    turn.receipt.count(part.frame);
    if (turn.seeking) return undefined;
    const frame = this.#line === undefined ? part.frame : this.#line.place(part.frame);
    if (frame === undefined) return undefined;
    this.#retries.reset();
    if (!turn.used && this.#line !== undefined && this.#line.gap > 0) {
      const gap = formatSeconds(this.#line.gap * 1000);
      this.#options.tell(`Connected again, going on with the newest: ${gap} s are missing`);
    }
    turn.used = true;
    this.#resumeState.take(frame);
    return { ...part, frame };
  }

  #countDropped(part: Extract<ResponsePart, { kind: "notice" }>): ResponsePart {
    const { dropped } = part.notice;
    if (dropped === undefined) return part;
    this.#dropped.now = dropped;
    return { ...part, notice: { ...part.notice, dropped: this.#dropped.before + dropped } };
  }

  /** The end of the whole, from that of the last connection. */
  #totals(end: Partial<EndReport> & Pick<EndReport, "reason">): EndReport {
    const dropped = this.#dropped.before + (end.dropped ?? 0);
    return { ...end, ...this.#resumeState.totals, dropped };
  }

  /** Waits until it is time for the next connection. */
  async #recover(error: unknown): Promise<void> {
    const { signal, quit } = this.#options;
    signal.throwIfAborted();
    if (this.#left.signal.aborted || quit?.aborted || !this.#canGoOn) throw error;
    this.#lost ??= this.#clock.now();
    const { before, now } = this.#dropped;
    this.#dropped = { before: before + now, now: 0 };
    const at = this.#first === undefined ? "" : ` at ${formatTime(this.#resumeState.position)}`;
    const told = isLoss(error) ? `Connection lost${at}${reasonOf(error)}` : undefined;
    const passing = this.#line !== undefined && isAway(error);
    await this.#retries.wait({ error, told, begun: this.#heard, passing }, this.#ended);
  }

  /** Whether the server can take up the thread. */
  get #canGoOn(): boolean {
    return this.#first === undefined || this.#first.live || this.#first.etag !== undefined;
  }

  /** The request for what has not come yet; `undefined` where that is nothing. */
  get #rest(): MediaRequest | undefined {
    // Who leaves the choice to the server goes on with what it chose at first.
    const request = { ...this.#request, name: this.#first?.name ?? this.#request.name };
    if (this.#line !== undefined && request.duration !== undefined) {
      const duration = request.duration - this.#line.length;
      return duration < SHORTEST ? undefined : { ...request, duration };
    }
    const { points } = this.#resumeState;
    const isWhole = this.#line !== undefined || this.#seeks || points.length === 0;
    return isWhole ? request : { ...request, resume: points };
  }

  /** Whether the place is found by a seek. */
  get #seeks(): boolean {
    return this.#line === undefined && this.#playbackState.seeks;
  }

  #send(response: MediaResponse, control: Control): void {
    // Where the connection is gone again, reading the answer tells.
    response.control?.(control).catch(() => {});
  }
}

/** Whether an error ended a connection that stood. */
function isLoss(error: unknown): error is Error {
  return error instanceof CutError || error instanceof DeadlineError;
}

/** Whether the source of a server is not there yet, as a camera that was without power as well. */
function isAway(error: unknown): boolean {
  return error instanceof RequestError && error.code === "media_error";
}

/** What there is to say of a loss besides that it is one. */
function reasonOf(error: Error): string {
  const isKnown = error instanceof ShutdownError || error instanceof DeadlineError;
  return isKnown ? `: ${error.message}` : "";
}

/** Seconds: the shortest part that can be asked for. */
const SHORTEST = 0.001;

function formatSeconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(1);
}
