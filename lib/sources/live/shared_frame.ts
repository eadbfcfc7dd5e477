/** A frame that all subscribers of a live source share. */
import { wallClock } from "../../base/clock.ts";
import type { AnyStream, Frame } from "../../media/frame.ts";

/** Encodes a frame as a message, around the frame's own data, for all subscribers at once. */
export type PrepareFrame = (frame: Frame) => Uint8Array<ArrayBuffer>;

/** Bytes that a message counts as in addition to its own. */
const MESSAGE_OVERHEAD = 256;

/** Options of {@linkcode SharedFrame}. */
export interface SharedFrameOptions {
  /** Of its stream. */
  type: AnyStream["type"];
  /** Milliseconds by the broadcast's clock at which it arrived. */
  time: number;
  prepare: PrepareFrame;
  /** Called once nobody holds the frame any more. */
  recycle: (frame: Frame) => void;
}

/** A frame whose memory all subscribers share, counted by holders. The creator is the first. */
export class SharedFrame {
  readonly frame: Frame;
  /** The message that `prepare` made of it. */
  readonly message: Uint8Array<ArrayBuffer>;
  /** Type of its stream. */
  readonly type: AnyStream["type"];
  /** Milliseconds by the broadcast's clock at which it arrived. */
  readonly time: number;
  #recycle: (frame: Frame) => void;
  #holders = 1;

  constructor(frame: Frame, { type, time, prepare, recycle }: SharedFrameOptions) {
    this.frame = frame;
    this.message = prepare(frame);
    this.type = type;
    this.time = time;
    this.#recycle = recycle;
  }

  /** Bytes of its data. */
  get size(): number {
    return this.frame.data.byteLength;
  }

  /** Bytes that it counts as in a queue. */
  get cost(): number {
    return this.size + (this.type === "data" ? MESSAGE_OVERHEAD : 0);
  }

  /** Seconds since it was captured; 0 if the clock was set back meanwhile. */
  get age(): number {
    const now = wallClock();
    return Math.max(0, now - (this.frame.captured ?? now)) / 1e6;
  }

  /** Adds a holder. */
  hold(): this {
    this.#holders++;
    return this;
  }

  /** Removes a holder, which must not use the frame any more. */
  release(): void {
    this.#holders--;
    if (this.#holders === 0) this.#recycle(this.frame);
  }
}
