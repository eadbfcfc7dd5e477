/** Where an answer that was cut goes on. Pure. */
import { NothingToSendError, RequestError } from "../../base/errors.ts";
import {
  type AudioStream,
  sampleSize,
  type StreamDescription,
  toSeconds,
} from "../../media/frame.ts";
import type { FrameSource, TimedFrame } from "../../media/source.ts";
import type { ResumePoint } from "../../protocol/native/request.ts";
import { merge, type Track } from "../../sources/file/interleave.ts";
import type { MediaFile } from "../../sources/file/library.ts";
import { type MediaOptions, planTracks } from "../../sources/file/plan.ts";
import { type Move, moveFrame, movesTo } from "./timeline.ts";

/** Seconds from the beginning at which an answer may be resumed: thirty years of a loop. */
const FURTHEST = 1e9;

/** How much of one stream came already. */
interface Progress {
  stream: StreamDescription;
  point: ResumePoint;
  /** Ticks of the last sample's end; absent where whole frames count. */
  next?: number;
  /** The place has been passed: what comes now is to be sent. */
  found: boolean;
  /** Frames that did not follow upon what was before them. */
  breaks: number;
}

/** Lets go by what came before a cut, and lets through what follows, for each stream apart. */
export class Resume {
  #progress: Map<number, Progress>;

  /**
   * @param points what came
   * @param streams as they are described
   * @throws {RequestError} `bad_request` for what cannot be said of these streams
   */
  constructor(points: readonly ResumePoint[], streams: readonly StreamDescription[]) {
    this.#progress = new Map(points.map((point) => [point.id, begin(point, streams)]));
  }

  /** Whether all streams are past what came. */
  get isOver(): boolean {
    return this.#all.every(({ found }) => found);
  }

  /** Whether something is said of a stream. */
  names(id: number): boolean {
    return this.#progress.has(id);
  }

  /** Seconds from the start of the answer up to which a stream came; `undefined` where it did not. */
  reached(id: number): number | undefined {
    const progress = this.#progress.get(id);
    return progress && momentOf(progress);
  }

  /** Seconds up to which all streams came of which something did. */
  get allReached(): number {
    return Math.min(...this.#all.map(momentOf));
  }

  /**
   * Takes the next frame of the answer from its beginning.
   *
   * @returns what of it did not come, in the same memory; `undefined` for nothing
   */
  take(frame: TimedFrame): TimedFrame | undefined {
    const progress = this.#progress.get(frame.streamId);
    if (progress === undefined) return frame;
    if (frame.discontinuity) progress.breaks++;
    if (progress.found) return note(progress, frame);
    return progress.next === undefined ? pass(progress, frame) : cut(progress, frame);
  }

  /** Takes note of rounds that were not looked at, each of which has a break in some streams. */
  skip(rounds: number, streamIds: Iterable<number>): void {
    for (const id of streamIds) {
      const progress = this.#progress.get(id);
      if (progress !== undefined) progress.breaks += rounds;
    }
  }

  /** Whether a stream has no such place, seen from a moment by which it should have come. */
  isMissed(seconds: number): boolean {
    return this.#all.some((progress) => !progress.found && momentOf(progress) < seconds);
  }

  /** The same for another try, behind what was let through in this one. */
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

function begin(point: ResumePoint, streams: readonly StreamDescription[]): Progress {
  const stream = streams.find(({ id }) => id === point.id);
  if (stream === undefined) {
    const ids = streams.map(({ id }) => id).join(" and ");
    throw refused(`there is no stream ${point.id}, expected one of ${ids}`);
  }
  const samples = countsSamples(stream) ? point.next : undefined;
  if (samples === undefined && point.after === undefined && stream.type === "video") {
    throw refused(`stream ${point.id} has pictures, expected after, the last one's timestamp`);
  }
  const progress = { stream, point: { ...point }, next: samples, found: false, breaks: 0 };
  if (Math.abs(momentOf(progress)) <= FURTHEST) return progress;
  throw refused(
    `stream ${point.id} cannot have come up to ${momentOf(progress)} s, ` +
      `expected at most ${FURTHEST} s`,
  );
}

function refused(reason: string): RequestError {
  return new RequestError("bad_request", `Cannot resume: ${reason}`);
}

/** Whether a stream can be cut at any tick. */
function countsSamples(stream: StreamDescription): stream is AudioStream {
  if (stream.type === "video" || stream.codec.endsWith("_planar")) return false;
  const [numerator, denominator] = stream.timeBase;
  return sampleSize(stream.codec) !== undefined && numerator === 1 &&
    denominator === stream.sampleRate;
}

function momentOf({ stream, point, next }: Progress): number {
  return toSeconds(next ?? point.after ?? point.next ?? 0, stream.timeBase);
}

/** Looks for the frame that came last. */
function pass(progress: Progress, frame: TimedFrame): TimedFrame | undefined {
  const { after, next = 0, breaks = 0 } = progress.point;
  if (after === undefined) {
    // All that is known is where the last one ended, to the nearest tick.
    progress.found = frame.timestamp >= next - 1;
    return progress.found ? note(progress, frame) : undefined;
  }
  progress.found = frame.timestamp === after && progress.breaks >= breaks;
}

/** Cuts off the samples that came. */
function cut(progress: Progress, frame: TimedFrame): TimedFrame | undefined {
  const { stream, next = 0 } = progress;
  const { timestamp, data } = frame;
  const bytes = sampleBytes(stream);
  const end = timestamp + data.byteLength / bytes;
  progress.found = end >= next;
  if (end <= next) return undefined;
  const before = Math.max(0, next - timestamp);
  const left = before === 0
    ? frame
    : { ...frame, timestamp: next, data: data.subarray(before * bytes) };
  return note(progress, left);
}

/** Remembers how far a stream has come. */
function note(progress: Progress, frame: TimedFrame): TimedFrame {
  const { stream, point } = progress;
  point.after = frame.timestamp;
  if (progress.next !== undefined) {
    point.next = frame.timestamp + frame.data.byteLength / sampleBytes(stream);
    progress.next = point.next;
  }
  return frame;
}

function sampleBytes(stream: StreamDescription): number {
  return stream.type === "audio" ? (sampleSize(stream.codec) ?? 1) * stream.channels : 1;
}

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
  streams: Pick<MediaOptions, "audio" | "video">;
}

/**
 * Plans how an answer is resumed without all that came before, where what follows is the same to
 * the byte: not where it is encoded by what came before (H.264, AAC), nor where samples depend on
 * where decoding began (lossy sound that becomes PCM).
 *
 * @returns `undefined` where nothing would be gained
 */
export function planResume(
  resumption: Resume,
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
  const { video, audio: audioEncoding } = planTracks(file, options);
  const isWave = format === "wav" && (audio?.codec.startsWith("pcm_") ?? false);
  const parts = streams.map(({ id, type }): Part => {
    const isExact = type === "video"
      ? video !== "h264" && EXACT_FORMATS.has(format)
      : audioEncoding === "copy" && EXACT_FORMATS.has(format) || isWave;
    const reached = isExact ? resumption.reached(id) : undefined;
    return {
      // Whole seconds are whole ticks.
      from: Math.max(start, Math.floor(start + (reached ?? 0) - RUN_UP)),
      streams: type === "video" ? { audio: false } : { video: false },
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
export async function openResumePlan(
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
    return merge(this.#sources.map(({ source, moves }) => new MovedTrack(source.frames(), moves)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sources.map(({ source }) => source[Symbol.asyncDispose]()));
  }
}

/** The frames of one source on the time line of the request. */
class MovedTrack implements Track<TimedFrame> {
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
