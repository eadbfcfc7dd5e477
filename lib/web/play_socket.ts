/** One play of the page over a WebSocket, with flow control. */
import { deadline, onAbort } from "../base/async.ts";
import { messageOf } from "../base/errors.ts";
import { Credit } from "../media/credit.ts";
import type { Cue } from "../media/subtitles.ts";
import { codeOf } from "./api.ts";
import type { PlayHeader, PlayOutput } from "./play.ts";
import type { PlayEnd, PlayStats } from "./service.ts";

/** Bytes of the fragments that may be under way to the page, or lie unused in it. */
const WINDOW = 2 << 20;

/**
 * Milliseconds of live media that may be under way: less than the page plays behind its newest frame
 * before it skips, and enough for a browser that is busy.
 */
const LIVE_WINDOW = 500;

/** Milliseconds between two messages with counters. */
const STATS_INTERVAL = 500;

/** Milliseconds that the page has to close the socket. */
const CLOSE_TIMEOUT = 1000;

/** Status codes of closing (RFC 6455, section 7.4.1). */
const CLOSE = { done: 1000, away: 1001, failed: 1011 };

/** The part of a WebSocket that a play needs. */
export interface MessageSocket {
  /** One of the constants of `WebSocket`. */
  readonly readyState: number;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  /** @param status code of closing */
  close(status: number): void;
  addEventListener(
    type: "open" | "message" | "error" | "close",
    listener: (event: Event & { data?: unknown }) => void,
  ): void;
}

/** Options of {@linkcode PlaySocket}. */
export interface PlaySocketOptions {
  /** Ends the play at shutdown. */
  signal: AbortSignal;
}

/**
 * One play over a WebSocket: messages as JSON texts, the fragments as binary ones. The page reports
 * how many bytes it has used, and is sent at most a window beyond that; of live media little, so that
 * none of it gets old on the way.
 */
export class PlaySocket implements PlayOutput {
  #socket: MessageSocket;
  #left = new AbortController();
  #signal: AbortSignal;
  #opened = Promise.withResolvers<void>();
  #closed = Promise.withResolvers<void>();
  #stats: (() => PlayStats) | undefined;
  /** Bytes sent, and of these, used by the page. */
  #sent = 0;
  #used = 0;
  #change = Promise.withResolvers<void>();
  /** Of live media: counts messages. */
  #credit: Credit | undefined;
  /** Bytes sent up to the end of each message under way, and the messages before those. */
  #underWay = { ends: [] as number[], before: 0 };

  constructor(socket: MessageSocket, { signal }: PlaySocketOptions) {
    this.#socket = socket;
    this.#signal = AbortSignal.any([this.#left.signal, signal]);
    socket.addEventListener("open", () => this.#opened.resolve());
    socket.addEventListener("message", ({ data }) => this.#onMessage(data));
    // "close" follows.
    socket.addEventListener("error", () => this.#leave());
    socket.addEventListener("close", () => {
      this.#leave();
      this.#closed.resolve();
    });
  }

  /**
   * Plays until the end, and closes the socket once the page has used everything.
   *
   * @param action writes to this socket until the signal fires
   */
  async run(action: (signal: AbortSignal) => Promise<PlayEnd>): Promise<void> {
    const signal = this.#signal;
    const interval = setInterval(() => this.#sendStats(), STATS_INTERVAL);
    using _abort = onAbort(signal, () => this.#change.resolve());
    let status = CLOSE.done;
    try {
      await this.#opened.promise;
      const end = await action(signal);
      this.#sendStats();
      this.#send({ kind: "end", ...end });
    } catch (error) {
      status = signal.aborted ? CLOSE.away : CLOSE.failed;
      if (!signal.aborted) {
        this.#send({ kind: "problem", code: codeOf(error), message: messageOf(error) });
      }
    } finally {
      clearInterval(interval);
    }
    // Closing the socket would lose the bytes that are still under way.
    while (this.#used < this.#sent && !signal.aborted) await this.#moreUsed();
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.close(status);
    // A page that hangs must not delay the shutdown.
    using _limit = deadline(CLOSE_TIMEOUT, () => this.#closed.resolve());
    await this.#closed.promise;
  }

  begin(header: PlayHeader): void {
    if (header.live) this.#credit = new Credit({ time: LIVE_WINDOW });
    this.#send({ kind: "begin", ...header });
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength;) {
      this.#signal.throwIfAborted();
      const room = this.#used + WINDOW - this.#sent;
      if (room > 0 && this.#credit?.isOpen !== false) {
        const part = bytes.slice(at, at + room);
        this.#socket.send(part);
        this.#sent += part.byteLength;
        this.#underWay.ends.push(this.#sent);
        this.#credit?.sent();
        at += part.byteLength;
      } else {
        await this.#moreUsed();
      }
    }
  }

  note(message: string): void {
    this.#send({ kind: "note", message });
  }

  subtitle({ start, end, text }: Cue): void {
    this.#send({ kind: "subtitle", start, end, text });
  }

  watch(stats: () => PlayStats): void {
    this.#stats = stats;
  }

  /** Waits until the page has used more, or the signal fires. */
  async #moreUsed(): Promise<void> {
    this.#change = Promise.withResolvers();
    await this.#change.promise;
  }

  #sendStats(): void {
    if (this.#sent > 0) this.#send({ kind: "stats", ...this.#stats?.() });
  }

  #send(message: object): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify(message));
  }

  /** Takes the number of bytes that the page has used so far. */
  #onMessage(data: unknown): void {
    const used = typeof data === "string" ? Number(data) : NaN;
    // A fraction would leave room that is smaller than a byte.
    if (!(Number.isInteger(used) && used > this.#used && used <= this.#sent)) return;
    this.#used = used;
    const { ends } = this.#underWay;
    while (ends.length > 0 && ends[0] <= used) {
      ends.shift();
      this.#underWay.before++;
    }
    this.#credit?.take(this.#underWay.before);
    this.#change.resolve();
  }

  #leave(): void {
    this.#left.abort();
    this.#opened.resolve();
  }
}
