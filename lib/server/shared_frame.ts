import type { Frame } from "../core/frame.ts";
import { wallClock } from "../core/wall_clock.ts";
import { encodeFrame } from "../wire/native.ts";

/** What a {@linkcode SharedFrame} is made with. */
export interface SharedFrameOptions {
  isPicture: boolean;
  /** Milliseconds at which it came, by the broadcast's clock. */
  at: number;
  /** Called once nobody holds the frame any more. */
  recycle: (frame: Frame) => void;
}

/**
 * A frame that many viewers send from the same memory. Whoever keeps it holds it and lets it go;
 * with the last of them, the memory goes back to where it came from.
 */
export class SharedFrame {
  readonly frame: Frame;
  /** The frame as a message of the native wire, header and all, around the frame's own data. */
  readonly message: Uint8Array<ArrayBuffer>;
  readonly isPicture: boolean;
  /** Milliseconds at which it came, by the broadcast's clock. */
  readonly at: number;
  #recycle: (frame: Frame) => void;
  #holders = 1;

  /** Whoever makes it holds it. */
  constructor(frame: Frame, { isPicture, at, recycle }: SharedFrameOptions) {
    this.frame = frame;
    this.message = encodeFrame(frame);
    this.isPicture = isPicture;
    this.at = at;
    this.#recycle = recycle;
  }

  /** Bytes of its data. */
  get size(): number {
    return this.frame.data.byteLength;
  }

  /** Seconds since it was captured; none where somebody has set the clock back since. */
  get age(): number {
    const now = wallClock();
    return Math.max(0, now - (this.frame.captured ?? now)) / 1e6;
  }

  /** Holds it once more. */
  hold(): this {
    this.#holders++;
    return this;
  }

  /** Lets it go. From here on the caller may not look at it any more. */
  release(): void {
    this.#holders--;
    if (this.#holders === 0) this.#recycle(this.frame);
  }
}
