import { deadline } from "../base/async.ts";
import { messageOf } from "../base/errors.ts";
import { Statistics } from "../client/playback/statistics.ts";
import type { PlayEnd, PlayHead, PlayTarget } from "../client/web_service.ts";
import { codeOf } from "./errors.ts";

/** Bytes of the MP4 that may be under way, or lie unused in the page. */
const WINDOW = 2 << 20;

/** Milliseconds from one count to the next. */
const STATS_INTERVAL = 500;

/** Milliseconds that the page has to answer when the socket is closed. */
const FAREWELL = 1000;

/** Statuses with which a socket is closed (RFC 6455, section 7.4.1). */
const CLOSE = { done: 1000, away: 1001, broken: 1011 };

/** What {@linkcode PlaySocket} has to know. */
export interface PlaySocketOptions {
  /** Seconds that were asked for as the beginning. */
  start: number;
  /** Ends it, since the program ends. */
  signal: AbortSignal;
}

/**
 * One play over one socket: what is known of it and what happens as JSON, the MP4 as it is. The
 * page says how many bytes it has used, and gets no more than a window's beyond that.
 */
export class PlaySocket implements PlayTarget {
  readonly statistics = new Statistics("get_video");
  #socket: WebSocket;
  #options: PlaySocketOptions;
  #gone = new AbortController();
  #opened = Promise.withResolvers<void>();
  #closed = Promise.withResolvers<void>();
  /** Bytes sent, and of these, used by the page. */
  #sent = 0;
  #used = 0;
  #credit = Promise.withResolvers<void>();

  constructor(socket: WebSocket, options: PlaySocketOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.addEventListener("open", () => this.#opened.resolve());
    socket.addEventListener("message", ({ data }) => this.#hear(data));
    // A close follows.
    socket.addEventListener("error", () => this.#leave());
    socket.addEventListener("close", () => {
      this.#leave();
      this.#closed.resolve();
    });
  }

  /** Fires when the page has left, or the program ends. */
  get signal(): AbortSignal {
    return AbortSignal.any([this.#gone.signal, this.#options.signal]);
  }

  /**
   * Plays until the end, and closes the socket once the page has used all.
   *
   * @param action plays to this, and ends by the signal
   */
  async run(action: (signal: AbortSignal) => Promise<PlayEnd>): Promise<void> {
    const { signal } = this;
    const interval = setInterval(() => this.#count(), STATS_INTERVAL);
    const leave = () => this.#credit.resolve();
    signal.addEventListener("abort", leave);
    let status = CLOSE.done;
    try {
      await this.#opened.promise;
      const end = await action(signal);
      this.#count();
      this.#say({ kind: "end", ...end });
    } catch (error) {
      status = signal.aborted ? CLOSE.away : CLOSE.broken;
      if (!signal.aborted) {
        this.#say({ kind: "problem", code: codeOf(error), message: messageOf(error) });
      }
    } finally {
      clearInterval(interval);
    }
    // A socket that is closed loses what is still under way.
    while (this.#used < this.#sent && !signal.aborted) await this.#moreUsed();
    signal.removeEventListener("abort", leave);
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.close(status);
    // A page that stands still must not keep the program from its end.
    using _limit = deadline(FAREWELL, () => this.#closed.resolve());
    await this.#closed.promise;
  }

  begin(head: PlayHead): void {
    this.#say({ kind: "begin", ...head });
  }

  async write(bytes: Uint8Array): Promise<void> {
    const { signal } = this;
    for (let at = 0; at < bytes.byteLength;) {
      signal.throwIfAborted();
      const room = this.#used + WINDOW - this.#sent;
      if (room > 0) {
        const part = bytes.slice(at, at + room);
        this.#socket.send(part);
        this.#sent += part.byteLength;
        at += part.byteLength;
      } else {
        await this.#moreUsed();
      }
    }
  }

  /** Waits until the page has used more, or has left. */
  async #moreUsed(): Promise<void> {
    this.#credit = Promise.withResolvers();
    await this.#credit.promise;
  }

  note(message: string): void {
    this.#say({ kind: "note", message });
  }

  #count(): void {
    if (this.#sent === 0) return;
    this.#say({ kind: "stats", ...statsOf(this.statistics, this.#options.start) });
  }

  #say(message: object): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify(message));
  }

  /** Takes the bytes that the page has used so far. */
  #hear(data: unknown): void {
    const used = typeof data === "string" ? Number(data) : NaN;
    // A fraction of a byte would leave room that no byte fits into.
    if (!(Number.isInteger(used) && used > this.#used && used <= this.#sent)) return;
    this.#used = used;
    this.#credit.resolve();
  }

  #leave(): void {
    this.#gone.abort();
    this.#opened.resolve();
  }
}

/** What the page is told of a play, twice a second. */
export interface PlayStats {
  frames: number;
  audioFrames: number;
  bytes: number;
  dropped: number;
  /** Pictures a second, over the whole time. */
  fps: number;
  /** Milliseconds from a live picture's capture to its arrival; null where nothing is live. */
  latencyMs: { p50: number; p95: number } | null;
  /** Seconds of the media up to which it has come. */
  position: number;
}

/**
 * What is counted, in the form for the page.
 *
 * @param start seconds of the media at which the time line of the timestamps begins
 */
export function statsOf(statistics: Statistics, start: number): PlayStats {
  const { frames, audioFrames, bytes, dropped, framesPerSecond, latency, position } = statistics;
  return {
    ...{ frames, audioFrames, bytes, dropped },
    fps: Number(framesPerSecond.toFixed(2)),
    latencyMs: latency === undefined
      ? null
      : { p50: Number(latency.p50.toFixed(1)), p95: Number(latency.p95.toFixed(1)) },
    position: start + position,
  };
}
