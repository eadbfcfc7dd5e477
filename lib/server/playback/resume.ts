/** Resumes a response that was cut off: drops the frames that the client has, and plans to skip them. */
import { NothingToSendError, RequestError } from "../../base/errors.ts";
import { EXACT_AFTER_SEEK } from "../../ffmpeg/rendition.ts";
import {
  type AudioStream,
  pcmSampleSize,
  type StreamDescription,
  toSeconds,
} from "../../media/frame.ts";
import type { FrameSource, TimedFrame } from "../../media/source.ts";
import type { ResumePoint } from "../../protocol/native/request.ts";
import { merge, type Track } from "../../sources/file/interleave.ts";
import type { MediaFile } from "../../sources/file/library.ts";
import { partFrom } from "../../sources/cache/sought.ts";
import { type MediaOptions, planTracks } from "../../sources/file/plan.ts";
import { type Move, moveFrame, movesTo } from "./timeline.ts";

/** Seconds from the start at which a response may be resumed: thirty years of a loop. */
const MAX_TIME = 1e9;

/** The progress of one stream. */
interface Progress {
  stream: StreamDescription;
  point: ResumePoint;
  /** Ticks; end of the client's last sample. Absent if the stream is resumed by whole frames. */
  next?: number;
  /** The client has none of the frames that follow. */
  isFound: boolean;
  /** Discontinuities so far. */
  breaks: number;
}

/** Drops frames the client already has and passes on the rest, per stream. */
export class Resume {
  #progress: Map<number, Progress>;

  /**
   * @param points the last frame of each stream that the client has
   * @param streams as in the description
   * @throws {RequestError} `bad_request` if a point does not match its stream
   */
  constructor(points: readonly ResumePoint[], streams: readonly StreamDescription[]) {
    this.#progress = new Map(points.map((point) => [point.id, startOf(point, streams)]));
  }

  /** Whether all streams have passed their points. */
  get isOver(): boolean {
    return this.#all.every(({ isFound }) => isFound);
  }

  /** Whether a stream has a point. */
  has(id: number): boolean {
    return this.#progress.has(id);
  }

  /** Seconds of a stream that the client has; `undefined` without a point. */
  reached(id: number): number | undefined {
    const progress = this.#progress.get(id);
    return progress && timeOf(progress);
  }

  /** Latest time, in seconds, that every stream with a point has reached. */
  get allReached(): number {
    return Math.min(...this.#all.map(timeOf));
  }

  /**
   * Takes the next frame of the response, from its beginning on.
   *
   * @returns the part that the client does not have, in the same memory
   */
  take(frame: TimedFrame): TimedFrame | undefined {
    const progress = this.#progress.get(frame.streamId);
    if (progress === undefined) return frame;
    if (frame.discontinuity) progress.breaks++;
    if (progress.isFound) return advance(progress, frame);
    return progress.next === undefined ? findFrame(progress, frame) : findSample(progress, frame);
  }

  /** Counts rounds that are not read, each of which begins with a discontinuity in some streams. */
  skip(rounds: number, streamIds: Iterable<number>): void {
    for (const id of streamIds) {
      const progress = this.#progress.get(id);
      if (progress !== undefined) progress.breaks += rounds;
    }
  }

  /** Whether some stream has not passed its point by a time that is behind it. */
  isMissed(seconds: number): boolean {
    return this.#all.some((progress) => !progress.isFound && timeOf(progress) < seconds);
  }

  /** Restarts at the beginning, behind the frames that were passed on. */
  again(): Resume {
    return new Resume(
      this.#all.map(({ point }) => point),
      this.#all.map(({ stream }) => stream),
    );
  }

  get #all(): Progress[] {
    return [...this.#progress.values()];
  }
}

function startOf(point: ResumePoint, streams: readonly StreamDescription[]): Progress {
  const stream = streams.find(({ id }) => id === point.id);
  if (stream === undefined) {
    const ids = streams.map(({ id }) => id).join(" and ");
    throw refused(`there is no stream ${point.id}, expected one of ${ids}`);
  }
  const next = hasSampleTicks(stream) ? point.next : undefined;
  if (next === undefined && point.after === undefined && stream.type === "video") {
    throw refused(`stream ${point.id} has pictures, expected after, the last one's timestamp`);
  }
  const progress = { stream, point: { ...point }, next, isFound: false, breaks: 0 };
  if (Math.abs(timeOf(progress)) <= MAX_TIME) return progress;
  throw refused(
    `stream ${point.id} cannot have come up to ${timeOf(progress)} s, ` +
      `expected at most ${MAX_TIME} s`,
  );
}

function refused(reason: string): RequestError {
  return new RequestError("bad_request", `Cannot resume: ${reason}`);
}

/** Whether a tick is a sample, so that frames can be cut at any tick. */
function hasSampleTicks(stream: StreamDescription): stream is AudioStream {
  if (stream.type === "video" || stream.codec.endsWith("_planar")) return false;
  const [numerator, denominator] = stream.timeBase;
  return pcmSampleSize(stream) !== undefined && numerator === 1 &&
    denominator === stream.sampleRate;
}

function timeOf({ stream, point, next }: Progress): number {
  return toSeconds(next ?? point.after ?? point.next ?? 0, stream.timeBase);
}

/** Drops frames up to the last one that the client has. */
function findFrame(progress: Progress, frame: TimedFrame): TimedFrame | undefined {
  const { after, next = 0, breaks = 0 } = progress.point;
  if (after === undefined) {
    // Only the end of the last one is known, to the nearest tick.
    progress.isFound = frame.timestamp >= next - 1;
    return progress.isFound ? advance(progress, frame) : undefined;
  }
  progress.isFound = frame.timestamp === after && progress.breaks >= breaks;
}

/** Drops samples up to the last one that the client has. */
function findSample(progress: Progress, frame: TimedFrame): TimedFrame | undefined {
  const { stream, next = 0 } = progress;
  const { timestamp, data } = frame;
  const bytes = pcmSampleSize(stream) ?? 1;
  const end = timestamp + data.byteLength / bytes;
  progress.isFound = end >= next;
  if (end <= next) return undefined;
  const before = Math.max(0, next - timestamp);
  const rest = before === 0
    ? frame
    : { ...frame, timestamp: next, data: data.subarray(before * bytes) };
  return advance(progress, rest);
}

/** Moves the point of a stream behind a frame that is passed on. */
function advance(progress: Progress, frame: TimedFrame): TimedFrame {
  const { stream, point } = progress;
  point.after = frame.timestamp;
  if (progress.next !== undefined) {
    point.next = frame.timestamp + frame.data.byteLength / (pcmSampleSize(stream) ?? 1);
    progress.next = point.next;
  }
  return frame;
}

/** Formats whose packets have the same timestamps after a seek as without one. */
const EXACT_FORMATS = new Set(["mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"]);

/**
 * Seconds that are read before the position to resume at. By then video is decoded correctly even
 * from a frame on that is not quite a keyframe.
 */
const RUN_UP = 12;

/** Seconds that a plan has to skip to be worth opening the file again. */
const WORTHWHILE = 10;

/** One stream of a file, read from a time on. */
export interface Part {
  /** Seconds from the beginning of the media. */
  from: number;
  /** Selects the stream. */
  streams: Pick<MediaOptions, "audio" | "video">;
}

/**
 * Plans how to resume without reading all of the file, if the frames are the same to the byte.
 * Not repeatable from a later time: H.264 and AAC encoded here, and PCM decoded from lossy audio.
 *
 * @returns `undefined` if nothing would be gained
 */
export function planResume(
  resume: Resume,
  { file, options, streams }: {
    file: MediaFile;
    options: MediaOptions;
    streams: readonly StreamDescription[];
  },
): Part[] | undefined {
  const { still, fps, start = 0 } = options;
  const { format, audio } = file.info;
  // The filter for another frame rate depends on the time at which it begins.
  if (still || fps !== undefined) return undefined;
  const { video, audio: audioEncoding } = planTracks(file, options);
  const isWave = format === "wav" && (audio?.codec.startsWith("pcm_") ?? false);
  const parts = streams.map(({ id, type }): Part => {
    const isExact = type === "video"
      ? EXACT_AFTER_SEEK[video ?? "raw"] && EXACT_FORMATS.has(format)
      : audioEncoding === "copy" && EXACT_FORMATS.has(format) || isWave;
    const reached = isExact ? resume.reached(id) : undefined;
    return {
      // Whole seconds are whole ticks.
      from: Math.max(start, Math.floor(start + (reached ?? 0) - RUN_UP)),
      streams: type === "video" ? { audio: false } : { video: false },
    };
  });
  return parts.some(({ from }) => from - start >= WORTHWHILE) ? parts : undefined;
}

/**
 * Opens the parts of a resume plan as one source.
 *
 * @param options of the whole
 * @param open opens the file with other options
 */
export async function openResumePlan(
  parts: readonly Part[],
  { options, open }: {
    options: MediaOptions;
    open: (options: MediaOptions) => Promise<FrameSource>;
  },
): Promise<FrameSource> {
  const joined = new JoinedSource();
  const { start = 0 } = options;
  try {
    for (const { from, streams } of parts) {
      joined.add(await open({ ...partFrom(options, from), ...streams }), { from, start });
    }
    return joined;
  } catch (error) {
    await joined[Symbol.asyncDispose]();
    throw error;
  }
}

/** Sources that were opened at different times, as one that was opened at the start. */
class JoinedSource implements FrameSource {
  readonly notes = [];
  /** Absent: FFmpeg also complains about a start between two keyframes, which is no damage. */
  readonly warning = undefined;
  #sources: { source: FrameSource; moves: Map<number, Move> }[] = [];

  get streams(): readonly StreamDescription[] {
    return this.#sources.flatMap(({ source }) => source.streams);
  }

  add(source: FrameSource, { from, start }: { from: number; start: number }): void {
    this.#sources.push({ source, moves: movesTo({ from, start, shift: 0 }, source.streams) });
  }

  frames(): AsyncGenerator<TimedFrame> {
    return merge(this.#sources.map(({ source, moves }) => movedTrack(source.frames(), moves)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sources.map(({ source }) => source[Symbol.asyncDispose]()));
  }
}

/** The frames of one source on the timeline of the request. */
function movedTrack(
  frames: AsyncGenerator<TimedFrame>,
  moves: ReadonlyMap<number, Move>,
): Track<TimedFrame> {
  return {
    async take() {
      try {
        const { value: frame } = await frames.next();
        const move = frame && moves.get(frame.streamId);
        return move === undefined ? frame : moveFrame(frame, move);
      } catch (error) {
        // One of the streams may be empty.
        if (error instanceof NothingToSendError) return undefined;
        throw error;
      }
    },
    timeOf: ({ due }) => due,
  };
}
