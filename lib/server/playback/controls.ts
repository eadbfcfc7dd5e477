import type { Clock } from "../../base/clock.ts";
import { Pacer } from "../../media/pacer.ts";
import { type Control, LIMITS, type MediaRequest } from "../../protocol/native/request.ts";

/** Where the peer wants to go on. */
export interface Seek {
  /** Seconds from the beginning of the media. */
  to: number;
  /** What the peer calls it; comes back with the answer. */
  id?: number;
}

/** Why an answer ends before the media does. */
export type StopReason = "stopped" | "shutdown";

/**
 * What the peer says of one of its requests. That may be before its turn: then it counts from the
 * first frame on.
 */
export class Controls {
  readonly pacer: Pacer;
  #stop = new AbortController();
  #seek: Seek | undefined;
  /** Fires at a stop, and at a seek that has not been taken yet. */
  #interrupt = new AbortController();
  /** Ends the session. */
  #session: AbortSignal | undefined;
  #current: AbortSignal = this.#interrupt.signal;
  /** From when on interrupts take effect, and whether seeks do. */
  #begun: { seekable: boolean } | undefined;

  constructor({ command, speed = 1 }: MediaRequest, { clock }: { clock?: Clock } = {}) {
    // Images have moments, as those of a series do, but nobody watches them go by.
    this.pacer = new Pacer({ speed: command === "get_image" ? 0 : speed, clock });
  }

  /** Fires when the peer wants no more, or the server ends. */
  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  /** Which of the two it was; `undefined` before. */
  get stopReason(): StopReason | undefined {
    return this.#stop.signal.reason;
  }

  /** Whether the answer has begun, so that stops take effect. */
  get hasBegun(): boolean {
    return this.#begun !== undefined;
  }

  /** Fires when what is being played now is no longer wanted, or the session ends. */
  get current(): AbortSignal {
    return this.#current;
  }

  /** Whether it has fired for the peer's sake, and not because the session ends. */
  get isInterrupted(): boolean {
    return this.#interrupt.signal.aborted && !this.#session?.aborted;
  }

  /** Joins what ends the session to what the peer says. */
  attach(session: AbortSignal): void {
    this.#session = session;
    this.#current = AbortSignal.any([session, this.#interrupt.signal]);
  }

  /**
   * Lets stops and seeks take effect, also those of before. Not earlier, so that every answer
   * begins with its description.
   *
   * @param seekable whether there is anything to seek in; else seeks are ignored
   */
  begin({ seekable }: { seekable: boolean }): void {
    this.#begun = { seekable };
    this.#act();
  }

  /** Does what a control asks for; nothing for those that this server does not know. */
  take({ action, to, id }: Control): void {
    if (action === "pause") this.pacer.pause();
    else if (action === "resume") this.pacer.resume();
    else if (action === "stop") this.#stop.abort("stopped" satisfies StopReason);
    else if (action === "seek" && typeof to === "number" && to >= 0) {
      this.#seek = { to: Math.min(to, LIMITS.start.max), id: isNumber(id) ? id : undefined };
    }
    this.#act();
  }

  /** Stops it since the server ends, as a stop of the peer does. */
  shutDown(): void {
    this.#stop.abort("shutdown" satisfies StopReason);
    this.#act();
  }

  /** Takes the last seek that has not been taken; what is played from here on is wanted again. */
  takeSeek(): Seek | undefined {
    const seek = this.#seek;
    if (seek === undefined || !this.#begun?.seekable || this.#stop.signal.aborted) return undefined;
    this.#seek = undefined;
    this.#interrupt = new AbortController();
    if (this.#session !== undefined) this.attach(this.#session);
    return seek;
  }

  #act(): void {
    if (this.#begun === undefined) return;
    const isSought = this.#seek !== undefined && this.#begun.seekable;
    if (this.#stop.signal.aborted || isSought) this.#interrupt.abort();
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
