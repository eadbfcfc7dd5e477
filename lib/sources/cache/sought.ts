/** Seeks in what others have made, or are about to make. */
import type { StreamDescription } from "../../media/frame.ts";
import type { FrameSource, TimedFrame } from "../../media/source.ts";
import type { MediaFile } from "../file/library.ts";
import { type MediaOptions, planTracks } from "../file/plan.ts";
import type { Entry } from "./shared_rendition.ts";

/** Seconds between the places at which encoders begin, so that seeks to about a time share one. */
const GRID = 2;

/** Seconds of audio before the target that are sent, more than decoders need to set up. */
const WARM_UP = 0.25;

/** The options of a part that begins at another time, and ends when all of it does. */
export function partFrom(options: MediaOptions, from: number): MediaOptions {
  const { start = 0, duration } = options;
  if (from === start) return options;
  const remaining = duration === undefined ? undefined : start + duration - from;
  return { ...options, start: from, duration: remaining };
}

/**
 * Whether a response may go on after a seek with the frames of any encoder. Those of others have
 * timestamps, or bytes, that depend on the time at which the encoder begins.
 */
export function isSeekShared(file: MediaFile, options: MediaOptions): boolean {
  const { still, fps } = options;
  return !still && fps === undefined && planTracks(file, options).video === "h264";
}

/** The time at which an encoder begins for a seek, in seconds of the media. */
export function gridStart(to: number, { start = 0 }: MediaOptions): number {
  const place = Math.floor(to / GRID) * GRID;
  return to < start ? place : Math.max(start, place);
}

/** A source that was opened for a seek. */
export interface Sought {
  source: FrameSource;
  /** Seconds of the media at which its timeline begins; frames before the target are not shown. */
  from: number;
}

/** The frames that are needed from a time on, out of a source that begins before. */
export class SoughtSource implements FrameSource {
  #source: FrameSource;
  #entry: Pick<Entry, "keyframe">;
  #earliest: number;

  /** @param to seconds on the timeline of the source */
  constructor(
    source: FrameSource,
    { entry = {}, to }: { entry?: Pick<Entry, "keyframe">; to: number },
  ) {
    this.#source = source;
    this.#entry = entry;
    this.#earliest = to - WARM_UP;
  }

  get streams(): readonly StreamDescription[] {
    return this.#source.streams;
  }

  get notes(): readonly string[] {
    return this.#source.notes;
  }

  get warning(): string | undefined {
    return this.#source.warning;
  }

  async *frames(): AsyncGenerator<TimedFrame> {
    const { keyframe = -Infinity } = this.#entry;
    const videoId = this.streams.find(({ type }) => type === "video")?.id;
    for await (const frame of this.#source.frames()) {
      const isVideo = frame.streamId === videoId;
      if (isVideo ? frame.timestamp >= keyframe : frame.due >= this.#earliest) yield frame;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source[Symbol.asyncDispose]();
  }
}
