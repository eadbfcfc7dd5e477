/** The playback state of one request: paused, seeking, stopped. */
import type { Clock } from "../../base/clock.ts";
import { Pacer } from "../../media/pacer.ts";
import { type Control, LIMITS, type MediaRequest } from "../../protocol/native/request.ts";

/** A seek that the peer requests. */
export interface Seek {
  /** Seconds from the beginning of the media. */
  to: number;
  /** Chosen by the peer; sent back when the target is reached. */
  id?: number;
}

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
  #stop = new AbortController();
  #seek: Seek | undefined;
  /** Aborts at a stop, and at a seek that has not been taken yet. */
  #interrupt = new AbortController();
  /** Ends the session. */
  #session: AbortSignal | undefined;
  #current: AbortSignal = this.#interrupt.signal;
  /** Present once interrupts take effect. */
  #started: { seekable: boolean } | undefined;

  constructor({ command, speed = 1 }: MediaRequest, { clock }: { clock?: Clock } = {}) {
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
    return this.#current;
  }

  /** Whether a stop or seek has interrupted the current run, and not the end of the session. */
  get isInterrupted(): boolean {
    return this.#interrupt.signal.aborted && !this.#session?.aborted;
  }

  /** Adds the signal that ends the session. */
  attach(session: AbortSignal): void {
    this.#session = session;
    this.#current = AbortSignal.any([session, this.#interrupt.signal]);
  }

  /**
   * Lets stops and seeks take effect, also earlier ones. Called behind the description, so that
   * every response begins with one.
   *
   * @param seekable false to ignore seeks
   */
  begin({ seekable }: { seekable: boolean }): void {
    this.#started = { seekable };
    this.#act();
  }

  /** Applies a control. Unknown ones do nothing. */
  take({ action, to, id }: Control): void {
    if (action === "pause") this.pacer.pause();
    else if (action === "resume") this.pacer.resume();
    else if (action === "keyframe") this.onKeyframe?.();
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
    if (seek === undefined || !this.#started?.seekable || this.#stop.signal.aborted) {
      return undefined;
    }
    this.#seek = undefined;
    this.#interrupt = new AbortController();
    if (this.#session !== undefined) this.attach(this.#session);
    return seek;
  }

  #act(): void {
    if (this.#started === undefined) return;
    const isSeeking = this.#seek !== undefined && this.#started.seekable;
    if (this.#stop.signal.aborted || isSeeking) this.#interrupt.abort();
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
