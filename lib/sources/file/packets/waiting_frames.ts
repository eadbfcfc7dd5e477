/** Frames of one stream that wait until they are due. */
import type { TimedFrame } from "../../../media/source.ts";

/** Numbers of each frame: timestamp, due time, whether it is a keyframe, offset and size of its data. */
const FIELDS = 5;

/**
 * A queue of frames whose memory is borrowed. They wait as numbers: objects that live as long as a
 * batch outlast the collections of young garbage, and with many viewers there would be much of it.
 */
export class WaitingFrames {
  #streamId: number;
  #numbers: number[] = [];
  #buffers: ArrayBuffer[] = [];
  #taken = 0;
  #lastDue = -Infinity;

  constructor(streamId: number) {
    this.#streamId = streamId;
  }

  get isEmpty(): boolean {
    return this.#taken >= this.#buffers.length;
  }

  /** Seconds at which the next frame is due; `Infinity` without any. */
  get due(): number {
    return this.isEmpty ? Infinity : this.#numbers[this.#taken * FIELDS + 1];
  }

  /** Seconds at which the last frame that was added is due; `-Infinity` before the first. */
  get lastDue(): number {
    return this.#lastDue;
  }

  /** @param due seconds */
  add({ timestamp, keyframe, data }: TimedFrame, due: number): void {
    this.#numbers.push(timestamp, due, keyframe ? 1 : 0, data.byteOffset, data.byteLength);
    this.#buffers.push(data.buffer);
    this.#lastDue = due;
  }

  /** Takes the next frame; there has to be one. */
  take(): TimedFrame {
    const at = this.#taken * FIELDS;
    const buffer = this.#buffers[this.#taken++];
    return {
      streamId: this.#streamId,
      timestamp: this.#numbers[at],
      keyframe: this.#numbers[at + 2] === 1,
      data: new Uint8Array(buffer, this.#numbers[at + 3], this.#numbers[at + 4]),
      borrowed: true,
      due: this.#numbers[at + 1],
    };
  }

  /** Frees the memory of what was taken. */
  compact(): void {
    this.#numbers = this.#numbers.slice(this.#taken * FIELDS);
    this.#buffers = this.#buffers.slice(this.#taken);
    this.#taken = 0;
  }
}
