/** Orders the frames of one request on one timeline, through seeks, loops and resuming. */
import { NothingToSendError, RequestError } from "../../base/errors.ts";
import { type Frame, sameFormats, type StreamDescription } from "../../media/frame.ts";
import type { FrameSource, TimedFrame } from "../../media/source.ts";
import type { Notice } from "../../protocol/native/response.ts";
import type { MediaFile } from "../../sources/file/library.ts";
import type { MediaOptions } from "../../sources/file/plan.ts";
import { partFrom, type Sought } from "../../sources/cache/sought.ts";
import type { Controls, Seek } from "./controls.ts";
import type { Part } from "./resume.ts";
import type { ResumeSearch } from "./resume_search.ts";
import {
  beginningOf,
  EndMeter,
  type Move,
  moveFrame,
  movesTo,
  type Position,
  roundLength,
} from "./timeline.ts";

/** Seconds before the end of a round at which the next is opened, to avoid an audible gap. */
const AHEAD = 1;

/** The next part of a response: a frame, a text of subtitles, the target of a seek, or a notice. */
export type Step =
  | {
    kind: "frame";
    frame: TimedFrame;
    /** Seconds on the request's timeline at which the run of frames begins. */
    beginning: number;
    /** Whether it is shown, and not only decoded. */
    isShown: boolean;
  }
  | { kind: "cue"; frame: Frame }
  | { kind: "seek"; seek: Seek }
  | { kind: "notice"; notice: Notice };

/** Options of {@linkcode Player}. */
export interface PlayerOptions {
  file: MediaFile;
  options: MediaOptions;
  /** Start again at the end. */
  loop: boolean;
  controls: Controls;
  /** Opens the file again. */
  open: (options: MediaOptions) => Promise<FrameSource>;
  /** Opens the file for a seek to a time, in seconds of the media. */
  openSought: (to: number) => Promise<Sought>;
  /** Called for a seek to the end, which opens nothing. */
  onSoughtEnd: () => void;
  /** Opens parts of the file as one source. */
  openParts: (parts: readonly Part[]) => Promise<FrameSource>;
  /** Searches for the position of a resumed response. */
  search?: ResumeSearch;
}

/** A run of frames from one source. */
interface Run extends Position {
  cause: "start" | "seek" | "loop";
  /** Rounds before it. */
  round: number;
  /** Parts of the file that are read instead of all from the start. */
  parts?: Part[];
  /** The source, if it is open already. */
  source?: FrameSource;
  /** By stream. */
  moves: ReadonlyMap<number, Move>;
  /** Timestamps of the request from which frames are shown, by stream. */
  shownFrom: ReadonlyMap<number, number>;
  meter: EndMeter;
  /** Streams of which a frame has come. */
  started: Set<number>;
  /** Seconds; when the latest frame is due. */
  due: number;
}

/** Gives the frames of one request on one timeline, through seeks and loops. */
export class Player {
  /** Complaints of FFmpeg about damaged media. */
  warning: string | undefined;
  #streams: readonly StreamDescription[];
  #first: FrameSource;
  #options: PlayerOptions;
  /** Seconds from the start to the end of the last frame so far. */
  #end = 0;
  /** A run of frames was read to its end. */
  #isMeasured = false;
  /** Seconds of the latest rounds, and the beginning of the first of them. */
  #rounds: { length: number; from: number; shift: number } | undefined;
  /** The source of the next round. */
  #next: Promise<FrameSource> | undefined;
  /** Absent once the response goes on, and after a seek. */
  #search: ResumeSearch | undefined;
  /** The position to resume at is not in the parts that the plan reads. */
  #isAstray = false;

  /** @param first the source that the response is described by */
  constructor(first: FrameSource, options: PlayerOptions) {
    this.#first = first;
    this.#streams = first.streams;
    this.#options = options;
    this.#search = options.search;
  }

  /** Gives the steps until the end, or a stop. A frame is valid until the next step. */
  async *steps(): AsyncGenerator<Step> {
    const { controls, loop } = this.#options;
    const parts = this.#search?.parts;
    const first = parts === undefined ? { source: this.#first } : { parts };
    let run: Run | undefined = this.#begin({ cause: "start", ...first });
    try {
      while (run !== undefined) {
        try {
          await using source = await this.#sourceOf(run);
          let isCut = false;
          for await (const frame of source?.frames() ?? []) {
            const step = this.#advance(run, frame);
            if (step !== undefined) yield step;
            isCut = controls.isInterrupted || this.#isLost(run, run.due);
            if (isCut) break;
          }
          if (!isCut && run.started.size > 0) this.#isMeasured = true;
          if (!isCut && (loop || !this.#isLost(run, Infinity))) this.warning ??= source?.warning;
        } catch (error) {
          if (!this.#isHandled(error, run)) throw error;
        } finally {
          this.#end = Math.max(this.#end, run.meter.end);
        }
        await this.#untilResumed();
        const seek = controls.takeSeek();
        if (seek === undefined) {
          run = this.#runAfter(run);
        } else {
          await this.#discardNext();
          yield { kind: "seek", seek };
          this.#search = undefined;
          run = this.#begin({ cause: "seek", from: Math.min(seek.to, this.#mediaEnd()) });
        }
      }
    } finally {
      await this.#discardNext();
    }
  }

  #begin(options: Pick<Run, "cause"> & Partial<Run>): Run {
    const { start = 0 } = this.#options.options;
    const position = { from: start, start, shift: 0, round: 0, ...options };
    const moves = movesTo(position, this.#streams);
    return {
      ...position,
      moves,
      shownFrom: new Map([...moves].map(([id, { ticks }]) => [id, ticks])),
      meter: new EndMeter(this.#streams),
      started: new Set(),
      due: -Infinity,
    };
  }

  /** Moves the next frame of a run to the timeline of the request, or searches on. */
  #advance(run: Run, own: TimedFrame): Step | undefined {
    const { streamId, data } = own;
    const move = run.moves.get(streamId);
    if (move === undefined) return undefined;
    const frame = moveFrame(own, move);
    const isShown = frame.timestamp >= (run.shownFrom.get(streamId) ?? 0);
    run.due = frame.due;
    run.meter.add({ streamId, timestamp: frame.timestamp - move.shift, data });
    this.#openNext(frame.due - run.shift);
    if (!run.started.has(streamId)) {
      run.started.add(streamId);
      // Rounds of raw frames join without a discontinuity.
      if (run.cause === "seek" || (run.cause === "loop" && !isShown)) frame.discontinuity = true;
    }
    const unsent = this.#search === undefined ? frame : this.#search.take(frame, run);
    if (this.#search?.isOver) this.#search = undefined;
    if (unsent !== undefined) {
      return { kind: "frame", frame: unsent, beginning: beginningOf(run), isShown };
    }
    const notice = this.#search?.notice();
    return notice && { kind: "notice", notice };
  }

  /** Whether the failure of a run is no failure of the request. */
  #isHandled(error: unknown, { cause, parts }: Run): boolean {
    const { controls } = this.#options;
    if (controls.isInterrupted) return true;
    this.#isAstray = this.#search !== undefined && parts !== undefined &&
      !controls.current.aborted;
    // A seek may lead behind the last frame, although the duration of the file is longer.
    return this.#isAstray || (error instanceof NothingToSendError && cause === "seek");
  }

  /** Gives the run after one that was not interrupted by a seek; `undefined` at the end. */
  #runAfter({ round, shift }: Run): Run | undefined {
    const { controls, loop } = this.#options;
    if (controls.stopped.aborted) return undefined;
    if (this.#isAstray) {
      this.#isAstray = false;
      this.#search?.restart();
      return this.#begin({ cause: "start" });
    }
    if (!loop) return undefined;
    const length = this.#roundLength();
    // After a seek to the end it was not measured yet, and a file may grow.
    if (length !== this.#rounds?.length || round < this.#rounds.from) {
      this.#rounds = { length, from: round, shift };
    }
    const next = this.#search?.roundAfter({ round, length }) ?? round + 1;
    const first = this.#rounds;
    const begin = first.shift + (next - first.from) * length;
    return this.#begin({ cause: "loop", shift: begin, round: next });
  }

  /** Opens the next round of a loop, if this one is about to end. */
  #openNext(seconds: number): void {
    const { loop, options: { start = 0 } } = this.#options;
    if (!loop || this.#next !== undefined) return;
    if (seconds < Math.max(this.#end, this.#mediaEnd() - start) - AHEAD) return;
    this.#next = this.#open(start);
    // A failure is thrown when the round begins, if it does.
    this.#next.catch(() => {});
  }

  /** Gives the source of a run; `undefined` if it begins at the end of the media. */
  async #sourceOf(run: Run): Promise<FrameSource | undefined> {
    const { cause, from, source, parts } = run;
    if (from >= this.#mediaEnd()) {
      if (cause === "seek") this.#options.onSoughtEnd();
      return undefined;
    }
    if (source !== undefined) return source;
    if (parts !== undefined) {
      await this.#first[Symbol.asyncDispose]();
      return await this.#checked(await this.#options.openParts(parts));
    }
    if (cause === "seek") {
      const sought = await this.#options.openSought(from);
      run.moves = movesTo({ ...run, from: sought.from }, this.#streams);
      return await this.#checked(sought.source);
    }
    const next = cause === "loop" ? this.#next : undefined;
    this.#next = undefined;
    return await (next ?? this.#open(from));
  }

  /** Closes the source of the next round, if it is open. */
  async #discardNext(): Promise<void> {
    const next = this.#next;
    this.#next = undefined;
    const source = await next?.catch(() => undefined);
    await source?.[Symbol.asyncDispose]();
  }

  /** Opens the file at a time, up to the end of the request. */
  async #open(from: number): Promise<FrameSource> {
    const { open, options } = this.#options;
    return await this.#checked(await open(partFrom(options, from)));
  }

  /** Returns a source whose streams are those of the description. */
  async #checked(source: FrameSource): Promise<FrameSource> {
    if (source.streams.every((stream) => this.#isDescribed(stream))) return source;
    await source[Symbol.asyncDispose]();
    throw new RequestError(
      "media_error",
      `Cannot go on with "${this.#options.file.name}": its streams are others than at the beginning, ask again`,
    );
  }

  /** Whether a stream is the same as in the description. */
  #isDescribed(stream: StreamDescription): boolean {
    const described = this.#streams.find(({ id }) => id === stream.id);
    return described !== undefined && sameFormats([described], [stream]) &&
      described.timeBase.join() === stream.timeBase.join();
  }

  /** Waits while playback is paused at the end, since the viewer may still seek. */
  async #untilResumed(): Promise<void> {
    const { controls, loop } = this.#options;
    if (loop || this.#isAstray || controls.isInterrupted) return;
    try {
      await controls.pacer.running(controls.current);
    } catch (error) {
      if (!controls.isInterrupted) throw error;
    }
  }

  /** Seconds on the media's timeline at which the request ends. */
  #mediaEnd(): number {
    const { file, options: { start = 0, duration = Infinity } } = this.#options;
    return Math.min(file.info.duration ?? Infinity, start + duration);
  }

  /**
   * Checks whether a position to resume at should have come.
   *
   * @param due seconds that the run has reached
   * @returns whether to search from the beginning
   * @throws {RequestError} `media_error` if that was done already
   */
  #isLost({ round, parts }: Run, due: number): boolean {
    if (!this.#search?.isMissed(due, { round, length: this.#roundLength() })) return false;
    if (parts === undefined) throw this.#search.failure();
    this.#isAstray = true;
    return true;
  }

  #roundLength(): number {
    const { file, options: { start = 0, duration } } = this.#options;
    const remaining = file.info.duration === undefined ? undefined : file.info.duration - start;
    const known = this.#isMeasured ? undefined : remaining;
    return roundLength({ measured: known ?? this.#end, duration, remaining });
  }
}
