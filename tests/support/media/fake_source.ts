/** A source of made-up frames. */
import type { StreamDescription } from "../../../lib/media/frame.ts";
import type { FrameSource, TimedFrame } from "../../../lib/media/source.ts";

/** Raw video, 10 ticks a second. */
export const PICTURES: StreamDescription = {
  ...{ id: 0, type: "video", codec: "rawvideo", fourcc: "I420", timeBase: [1, 10] },
  ...{ extradata: new Uint8Array(0), width: 4, height: 2, pixelFormat: "gray" },
};

/** Audio, 10 ticks a second. */
export const SOUND: StreamDescription = {
  ...{ id: 1, type: "audio", codec: "pcm_s16le", fourcc: "PSD\x10", timeBase: [1, 10] },
  ...{ extradata: new Uint8Array([1, 2]), sampleRate: 10, channels: 1 },
};

/** A frame whose bytes depend on its stream and timestamp. */
export function frameAt(timestamp: number, { streamId = 0, size = 8 } = {}): TimedFrame {
  const data = new Uint8Array(size).fill(16 * streamId + timestamp);
  return { streamId, timestamp, due: timestamp / 10, keyframe: true, data };
}

/** A second of frames. */
export const TEN_FRAMES: readonly TimedFrame[] = Array.from({ length: 10 }, (_, at) => frameAt(at));

/** Gives frames and records its use. */
export class FakeSource implements FrameSource {
  readonly notes = ["A note"];
  readonly streams: readonly StreamDescription[];
  warning: string | undefined;
  /** Frames that were given. */
  given = 0;
  isOpen = true;
  #frames: readonly TimedFrame[];
  #failure: Error | undefined;

  /** @param failure thrown after the last frame */
  constructor(
    frames: readonly TimedFrame[],
    { streams = [PICTURES, SOUND], failure }: {
      streams?: readonly StreamDescription[];
      failure?: Error;
    } = {},
  ) {
    this.#frames = frames;
    this.streams = streams;
    this.#failure = failure;
  }

  async *frames(): AsyncGenerator<TimedFrame> {
    for (const frame of this.#frames) {
      this.given++;
      // In memory that is used again, as a decoder's.
      const data = frame.data.slice();
      yield await Promise.resolve({ ...frame, data });
      if (!data.buffer.detached) data.fill(255);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.isOpen = false;
    return Promise.resolve();
  }
}

/** The frames of a source to its end, with copies of their bytes. */
export async function allOf(source: FrameSource): Promise<TimedFrame[]> {
  const frames: TimedFrame[] = [];
  for await (const frame of source.frames()) frames.push({ ...frame, data: frame.data.slice() });
  return frames;
}
