import type { Frame, StreamDescription } from "../core/frame.ts";

/** Pictures that wait at the most: enough for a view that stutters. */
const MAX_PICTURES = 32;

/** Bytes of all that waits, at the most, but for one frame. */
const MAX_BYTES = 64 << 20;

/** Runs of samples, or packets of sound, that wait at the most. */
const MAX_SOUNDS = 500;

/** What {@linkcode FrameQueue} has to know. */
export interface FrameQueueOptions {
  /** Every frame stands for itself; otherwise pictures refer to the ones since a keyframe. */
  raw: boolean;
}

/**
 * Copies of frames on their way to somebody who may be slow, bounded. Where there is no room, of raw
 * frames the oldest give way; of encoded ones, those up to the next keyframe are left out.
 */
export class FrameQueue implements AsyncIterable<Frame> {
  /** Frames that were left out. */
  dropped = 0;
  #raw: boolean;
  #pictures: Set<number>;
  #frames: Frame[] = [];
  #bytes = 0;
  #skipping = false;
  #ended = false;
  #news = Promise.withResolvers<void>();

  constructor(
    streams: readonly StreamDescription[] = [],
    { raw = true }: Partial<FrameQueueOptions> = {},
  ) {
    this.#raw = raw;
    this.#pictures = new Set(streams.filter(({ type }) => type === "video").map(({ id }) => id));
  }

  /** Frames that wait. */
  get length(): number {
    return this.#frames.length;
  }

  /** Takes a copy of a frame, unless there is no room for it. */
  push(frame: Frame): void {
    if (this.#ended) return;
    const isPicture = this.#pictures.has(frame.streamId);
    if (this.#raw) {
      while (!this.#hasRoom(frame, isPicture)) this.#dropOldest(isPicture);
    } else if (isPicture && this.#skipping && !frame.keyframe || !this.#hasRoom(frame, isPicture)) {
      this.#skipping ||= isPicture;
      this.dropped++;
      return;
    }
    if (isPicture) this.#skipping = false;
    this.#frames.push({ ...frame, data: frame.data.slice() });
    this.#bytes += frame.data.byteLength;
    this.#tell();
  }

  /** Nothing more comes. */
  end(): void {
    this.#ended = true;
    this.#tell();
  }

  /** The frames as they come, up to the end. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Frame> {
    while (true) {
      const frame = this.#frames.shift();
      if (frame !== undefined) {
        this.#bytes -= frame.data.byteLength;
        yield frame;
      } else if (this.#ended) {
        return;
      } else {
        await this.#news.promise;
      }
    }
  }

  #hasRoom({ data }: Frame, isPicture: boolean): boolean {
    if (this.#frames.length === 0) return true;
    if (this.#bytes + data.byteLength > MAX_BYTES) return false;
    const same = this.#frames.filter(({ streamId }) => this.#pictures.has(streamId) === isPicture);
    return same.length < (isPicture ? MAX_PICTURES : MAX_SOUNDS);
  }

  /** Leaves out the oldest of its kind, or, where there is none, the oldest of all. */
  #dropOldest(isPicture: boolean): void {
    const index = this.#frames.findIndex(({ streamId }) =>
      this.#pictures.has(streamId) === isPicture
    );
    const [frame] = this.#frames.splice(Math.max(0, index), 1);
    this.#bytes -= frame.data.byteLength;
    this.dropped++;
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}
