/** The playback state of one request: paused, seeking, stopped. */
import { onAbort } from "../../base/async.ts";
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { Pacer } from "../../media/pacer.ts";
import { type Control, LIMITS, type MediaRequest } from "../../protocol/native/request.ts";

/** A seek that the peer requests. */
export interface Seek {
  /** Seconds from the beginning of the media. */
  to: number;
  /** Chosen by the peer; sent back when the target is reached. */
  id?: number;
}

/**
 * Milliseconds from a seek on in which further ones do not interrupt the frames: the latest does then.
 * A peer could send thousands a second, and each may start a decoder, unless an index finds the frames.
 */
const SEEK_INTERVALS = { decoded: 100, indexed: 20 };

/** Why a response ends before the media does. */
export type StopReason = "stopped" | "shutdown";

/**
 * The playback state of one request, as the peer controls it. Controls may come before the response
 * begins: they take effect from the first frame on.
 */
export class Controls {
  readonly pacer: Pacer;
  /** Called when the peer asks for a keyframe. */
  onKeyframe?: () => void;
  /** Called when the peer tells how many frames of video it has taken. */
  onTaken?: (taken: Control) => void;
  #clock: Clock;
  #stop = new AbortController();
  #seek: Seek | undefined;
  /**
   * Aborts at a stop, at a seek that has not been taken yet, and with the session. Each frame waits
   * for it, so it is no signal that depends on others: listeners of those cost more.
   */
  #interrupt = new AbortController();
  /** Clock time from which on a seek interrupts at once. */
  #seekAllowed = -Infinity;
  /** Ends the wait of a seek for that time. */
  #delay: AbortController | undefined;
  /** Ends the session. */
  #session: AbortSignal | undefined;
  /** Present once interrupts take effect. */
  #started: { seekable: boolean; isIndexed?: boolean } | undefined;

  constructor(
    { command, speed = 1 }: MediaRequest,
    { clock = MONOTONIC_CLOCK }: { clock?: Clock } = {},
  ) {
    this.#clock = clock;
    // Images are sent at once, whatever their timestamps in a series.
    this.pacer = new Pacer({ speed: command === "get_image" ? 0 : speed, clock });
  }

  /** Aborts when the peer stops the response, or the server shuts down. */
  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  /** Absent before. */
  get stopReason(): StopReason | undefined {
    return this.#stop.signal.reason;
  }

  /** Whether the response has begun, so that stops take effect. */
  get hasBegun(): boolean {
    return this.#started !== undefined;
  }

  /** Aborts when the current run of frames is interrupted, or the session ends. */
  get current(): AbortSignal {
    return this.#interrupt.signal;
  }

  /** Whether a stop or seek has interrupted the current run, and not the end of the session. */
  get isInterrupted(): boolean {
    return this.#interrupt.signal.aborted && !this.#session?.aborted;
  }

  /** Whether a seek waits to be taken. */
  get isSeeking(): boolean {
    return this.#seek !== undefined && this.#started?.seekable === true &&
      !this.#stop.signal.aborted;
  }

  /** Adds the signal that ends the session, until the result is disposed. */
  attach(session: AbortSignal): Disposable {
    this.#session = session;
    const listener = onAbort(session, () => this.#interrupt.abort(session.reason));
    return {
      [Symbol.dispose]: () => {
        listener[Symbol.dispose]();
        this.#endDelay();
      },
    };
  }

  /**
   * Lets stops and seeks take effect, also earlier ones. Called behind the description, so that
   * every response begins with one.
   *
   * @param options `seekable`: false to ignore seeks; `isIndexed`: an index finds their frames
   */
  begin(options: { seekable: boolean; isIndexed?: boolean }): void {
    this.#started = options;
    this.#act();
  }

  /** Applies a control. Unknown ones do nothing. */
  take(control: Control): void {
    const { action, to, id } = control;
    if (action === "pause") this.pacer.pause();
    else if (action === "resume") this.pacer.resume();
    else if (action === "keyframe") this.onKeyframe?.();
    else if (action === "taken") this.onTaken?.(control);
    else if (action === "stop") this.#stop.abort("stopped" satisfies StopReason);
    else if (action === "seek" && typeof to === "number" && to >= 0) {
      this.#seek = { to: Math.min(to, LIMITS.start.max), id: isNumber(id) ? id : undefined };
    }
    this.#act();
  }

  /** Stops the response for the shutdown of the server. */
  shutDown(): void {
    this.#stop.abort("shutdown" satisfies StopReason);
    this.#act();
  }

  /** Takes the latest seek, if any, and ends the interruption. */
  takeSeek(): Seek | undefined {
    const seek = this.#seek;
    if (!this.isSeeking) return undefined;
    this.#seek = undefined;
    const interval = SEEK_INTERVALS[this.#started?.isIndexed ? "indexed" : "decoded"];
    this.#seekAllowed = this.#clock.now() + interval;
    this.#endDelay();
    this.#interrupt = new AbortController();
    if (this.#session?.aborted) this.#interrupt.abort(this.#session.reason);
    return seek;
  }

  #act(): void {
    if (this.#started === undefined) return;
    if (this.#stop.signal.aborted) this.#interrupt.abort();
    else if (this.isSeeking && this.#delay === undefined) this.#interruptSoon();
  }

  #interruptSoon(): void {
    const wait = this.#seekAllowed - this.#clock.now();
    if (wait <= 0) return this.#interrupt.abort();
    const delay = this.#delay = new AbortController();
    // It ends early if the seek is taken meanwhile, or the response is over.
    this.#clock.sleep(wait, delay.signal).then(() => this.#interrupt.abort(), () => {});
  }

  #endDelay(): void {
    this.#delay?.abort();
    this.#delay = undefined;
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
