import { NothingToSendError } from "../core/errors.ts";
import type { StreamDescription } from "../core/frame.ts";
import { planLanes } from "../media/lane_plan.ts";
import type { MediaFile } from "../media/library.ts";
import type { MediaOptions } from "../media/media_options.ts";
import { type Lane, merge } from "../media/merge.ts";
import type { FrameSource, TimedFrame } from "../media/source.ts";
import type { Resumption } from "./resumption.ts";
import { type Move, moveFrame, movesTo } from "./timeline.ts";

/**
 * Formats in which reading from anywhere gives packets the timestamps that they have when read from
 * the beginning.
 */
const EXACT_FORMATS = new Set(["mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"]);

/**
 * Seconds by which reading begins before the place where an answer goes on: from here on pictures
 * are right even where decoding begins at one that is not quite a keyframe.
 */
const RUN_UP = 12;

/** Seconds that have to be saved for it to be worth opening the file anew. */
const WORTHWHILE = 10;

/** One stream of a file, read from some moment on. */
export interface Part {
  /** Seconds from the beginning of the media. */
  from: number;
  /** What of the file is read. */
  streams: Pick<MediaOptions, "audio" | "pictures">;
}

/**
 * Plans how an answer is resumed without all that came before, where what follows is the same to
 * the byte: not where it is encoded by what came before (H.264, AAC), nor where samples depend on
 * where decoding began (lossy sound that becomes PCM).
 *
 * @returns `undefined` where nothing would be gained
 */
export function planShortcut(
  resumption: Resumption,
  { file, options, streams }: {
    file: MediaFile;
    options: MediaOptions;
    streams: readonly StreamDescription[];
  },
): Part[] | undefined {
  const { still, fps, start = 0 } = options;
  const { format, audio } = file.info;
  // The filter for another rate counts from where it begins.
  if (still || fps !== undefined) return undefined;
  const { pictures, sound } = planLanes(file, options);
  const isWave = format === "wav" && (audio?.codec.startsWith("pcm_") ?? false);
  const parts = streams.map(({ id, type }): Part => {
    const isExact = type === "video"
      ? pictures !== "h264" && EXACT_FORMATS.has(format)
      : sound === "copy" && EXACT_FORMATS.has(format) || isWave;
    const reached = isExact ? resumption.reached(id) : undefined;
    return {
      // Whole seconds are whole ticks.
      from: Math.max(start, Math.floor(start + (reached ?? 0) - RUN_UP)),
      streams: type === "video" ? { audio: false } : { pictures: false },
    };
  });
  return parts.some(({ from }) => from - start >= WORTHWHILE) ? parts : undefined;
}

/**
 * Opens the parts of a shortcut.
 *
 * @param open opens the file at a moment
 * @param start seconds; the zero of the request's time line
 */
export async function openShortcut(
  parts: readonly Part[],
  { open, start }: {
    open: (from: number, streams: Part["streams"]) => Promise<FrameSource>;
    start: number;
  },
): Promise<FrameSource> {
  const opened = new JoinedSource();
  try {
    for (const { from, streams } of parts) {
      opened.add(await open(from, streams), { from, start });
    }
    return opened;
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

/** Sources that were opened at different moments, as one that was opened at the start. */
class JoinedSource implements FrameSource {
  readonly notes = [];
  /**
   * What FFmpeg says where it begins between two keyframes is no fault of the media, and cannot be
   * told from what is.
   */
  readonly warning = undefined;
  #sources: { source: FrameSource; moves: Map<number, Move> }[] = [];

  get streams(): readonly StreamDescription[] {
    return this.#sources.flatMap(({ source }) => source.streams);
  }

  add(source: FrameSource, { from, start }: { from: number; start: number }): void {
    this.#sources.push({ source, moves: movesTo({ from, start, shift: 0 }, source.streams) });
  }

  frames(): AsyncGenerator<TimedFrame> {
    return merge(this.#sources.map(({ source, moves }) => new MovedLane(source.frames(), moves)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sources.map(({ source }) => source[Symbol.asyncDispose]()));
  }
}

/** The frames of one source on the time line of the request. */
class MovedLane implements Lane<TimedFrame> {
  #frames: AsyncGenerator<TimedFrame>;
  #moves: ReadonlyMap<number, Move>;

  constructor(frames: AsyncGenerator<TimedFrame>, moves: ReadonlyMap<number, Move>) {
    this.#frames = frames;
    this.#moves = moves;
  }

  async take(): Promise<TimedFrame | undefined> {
    try {
      const { value: frame } = await this.#frames.next();
      if (frame === undefined) return undefined;
      const move = this.#moves.get(frame.streamId);
      return move === undefined ? frame : moveFrame(frame, move);
    } catch (error) {
      // One stream may well be empty beside another.
      if (error instanceof NothingToSendError) return undefined;
      throw error;
    }
  }

  timeOf(frame: TimedFrame): number {
    return frame.due;
  }
}
