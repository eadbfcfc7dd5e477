/** What the user did in an answer, so that a later connection can be led to the same place. Pure. */
import type { Control, MediaRequest } from "../wire/request.ts";

/** What {@linkcode Steering} has to know. */
export interface SteeringOptions {
  /** It is looked at, so that the user may seek in it. */
  seekable: boolean;
}

/** Remembers seeks and pauses. */
export class Steering {
  #request: MediaRequest;
  #seekable: boolean;
  #paused = false;
  /** The newest seek: where to, and by which number; and whether it was answered. */
  #seek: { to: unknown; id: unknown; arrived: boolean } | undefined;

  constructor(request: MediaRequest, { seekable }: SteeringOptions) {
    this.#request = request;
    this.#seekable = seekable;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Whether the place is found by a seek: timestamps that came twice do not tell it. */
  get seeks(): boolean {
    return this.#seek !== undefined || (this.#seekable && this.#request.loop === true);
  }

  /** Takes note of what the user does. */
  act({ action, to, id }: Control): void {
    if (action === "pause") this.#paused = true;
    else if (action === "resume") this.#paused = false;
    else if (action === "seek") this.#seek = { to, id, arrived: false };
  }

  /**
   * Takes note of the server's answer to a seek.
   *
   * @returns where what follows begins, seconds on the time line of the timestamps
   */
  arrive({ to, id }: Control): number {
    // Another seek may have followed the one that this is the answer to.
    if (this.#seek?.id === id) this.#seek = { to, id, arrived: true };
    return (typeof to === "number" ? to : 0) - (this.#request.start ?? 0);
  }

  /**
   * The seek that leads to where the user is, or wants to be.
   *
   * @param position seconds on the time line of the timestamps
   * @param whole seconds of the media, where that is known
   */
  seekTo(position: number, whole = Infinity): Control {
    const action = "seek";
    const seek = this.#seek;
    if (seek !== undefined && !seek.arrived) return { action, to: seek.to, id: seek.id };
    const { start = 0, duration = Infinity, loop } = this.#request;
    const round = Math.min(whole - start, duration);
    const inRound = loop && round > 0 && round < Infinity ? position % round : position;
    return { action, to: Math.max(0, start + inRound), id: seek?.id ?? 0 };
  }
}
