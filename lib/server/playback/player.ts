import { NothingToSendError, RequestError } from "../../base/errors.ts";
import { sameFormats, type StreamDescription } from "../../media/frame.ts";
import type { FrameSource, TimedFrame } from "../../media/source.ts";
import type { Notice } from "../../protocol/native/response.ts";
import type { MediaFile } from "../../sources/file/library.ts";
import type { MediaOptions } from "../../sources/file/plan.ts";
import type { Controls, Seek } from "./controls.ts";
import { openResumePlan, type Part } from "./resume.ts";
import type { ResumeSearch } from "./resume_search.ts";
import { beginningOf, EndMeter, moveFrame, movesTo, type Place, roundLength } from "./timeline.ts";

/** Seconds before the end of a round at which the next one is opened, so that no gap is heard. */
const AHEAD = 1;

/** What comes next in an answer: a frame, the beginning of what a seek asked for, or news. */
export type Step =
  | {
    kind: "frame";
    frame: TimedFrame;
    /** Seconds on the request's time line at which the run of frames begins. */
    beginning: number;
    /** Whether it is shown, and not only needed for decoding what is. */
    isShown: boolean;
  }
  | { kind: "seek"; seek: Seek }
  | { kind: "notice"; notice: Notice };

/** Options of {@linkcode Player}. */
export interface PlayerOptions {
  file: MediaFile;
  options: MediaOptions;
  /** Begin again at the end. */
  loop: boolean;
  controls: Controls;
  /** Opens the file anew. */
  open: (options: MediaOptions) => Promise<FrameSource>;
  /** Looks for the place where the answer goes on; absent where it begins. */
  search?: ResumeSearch;
}

/** A run of frames from one source, and how it came about. */
interface Run extends Place {
  cause: "start" | "seek" | "loop";
  /** Rounds that went before. */
  round: number;
  /** What is read instead of all from the start. */
  parts?: Part[];
  /** The source where it is open already. */
  source?: FrameSource;
}

/** Gives the frames of one request on one time line, wherever the peer seeks to. */
export class Player {
  /** What FFmpeg complained about while it went on; the media is damaged then. */
  warning: string | undefined;
  #streams: readonly StreamDescription[];
  #first: FrameSource;
  #options: PlayerOptions;
  /** Seconds at which the furthest frame of the media was over, from the start. */
  #end = 0;
  /** The source of the next round. */
  #next: Promise<FrameSource> | undefined;
  /** Looks for the place where the answer goes on; absent once it does, and after a seek. */
  #search: ResumeSearch | undefined;
  /** The place was not found where it should have been, reading only a part. */
  #isAstray = false;

  /** @param first the source that the answer is described by */
  constructor(first: FrameSource, options: PlayerOptions) {
    this.#first = first;
    this.#streams = first.streams;
    this.#options = options;
    this.#search = options.search;
  }

  /** Gives what is to be sent until the end, or a stop. A frame is good until the next step. */
  async *steps(): AsyncGenerator<Step> {
    const { controls, loop } = this.#options;
    const { start = 0 } = this.#options.options;
    const beginning = { from: start, start, shift: 0, round: 0 };
    let run: Run = { cause: "start", ...beginning, ...this.#way() };
    try {
      while (true) {
        yield* this.#run(run);
        const seek = controls.takeSeek();
        if (seek !== undefined) {
          await this.#discardNext();
          yield { kind: "seek", seek };
          this.#search = undefined;
          run = { cause: "seek", ...beginning, from: Math.min(seek.to, this.#mediaEnd()) };
        } else if (controls.stopped.aborted) {
          return;
        } else if (this.#isAstray) {
          this.#isAstray = false;
          this.#search?.restart();
          run = { cause: "start", ...beginning };
        } else if (loop) {
          const length = this.#roundLength();
          const { round } = run;
          const next = this.#search?.roundAfter({ round, length }) ?? round + 1;
          run = { cause: "loop", ...beginning, shift: next * length, round: next };
        } else if (await this.#isOver()) {
          return;
        }
      }
    } finally {
      await this.#discardNext();
    }
  }

  /** Gives the frames of one source; ends early where the peer wants something else. */
  async *#run(run: Run): AsyncGenerator<Step> {
    if (run.from >= this.#mediaEnd()) return;
    const { controls, loop } = this.#options;
    const moves = movesTo(run, this.#streams);
    const meter = new EndMeter(this.#streams);
    const begun = new Set<number>();
    try {
      await using source = await this.#sourceOf(run);
      for await (const own of source.frames()) {
        const move = moves.get(own.streamId);
        if (move === undefined) continue;
        const frame = moveFrame(own, move);
        const isShown = own.timestamp >= 0;
        meter.add({ ...own, timestamp: frame.timestamp - move.shift });
        this.#openNext(frame.due - run.shift);
        if (!begun.has(own.streamId)) {
          begun.add(own.streamId);
          // A round of raw frames follows upon the one before as if there were no seam.
          const isApart = run.cause === "seek" || (run.cause === "loop" && !isShown);
          if (isApart) frame.discontinuity = true;
        }
        const rest = this.#search === undefined ? frame : this.#search.take(frame, run);
        if (this.#search?.isOver) this.#search = undefined;
        if (rest !== undefined) {
          yield { kind: "frame", frame: rest, beginning: beginningOf(run), isShown };
        } else {
          const notice = this.#search?.news();
          if (notice !== undefined) yield { kind: "notice", notice };
        }
        if (controls.isInterrupted || this.#isLost(run, frame.due)) return;
      }
      if (!loop && this.#isLost(run, Infinity)) return;
      this.warning ??= source.warning;
    } catch (error) {
      if (controls.isInterrupted) return;
      this.#isAstray = this.#search !== undefined && run.parts !== undefined &&
        !controls.current.aborted;
      if (this.#isAstray) return;
      // Behind the last frame, although the file said that it lasts longer.
      if (error instanceof NothingToSendError && run.cause === "seek") return;
      throw error;
    } finally {
      this.#end = Math.max(this.#end, meter.end);
    }
  }

  /** Opens the next round of a loop, where this one is about to end. */
  #openNext(seconds: number): void {
    const { loop, options: { start = 0 } } = this.#options;
    if (!loop || this.#next !== undefined) return;
    if (seconds < Math.max(this.#end, this.#mediaEnd() - start) - AHEAD) return;
    this.#next = this.#open(start);
    // A failure is told where the round begins, if it ever does.
    this.#next.catch(() => {});
  }

  /** Gives the source of a run, which may be open already. */
  async #sourceOf({ cause, from, source, parts }: Run): Promise<FrameSource> {
    if (source !== undefined) return source;
    if (parts !== undefined) {
      await this.#first[Symbol.asyncDispose]();
      const open = (from: number, streams: Part["streams"]) => this.#open(from, streams);
      return await openResumePlan(parts, { open, start: this.#options.options.start ?? 0 });
    }
    const next = cause === "loop" ? this.#next : undefined;
    this.#next = undefined;
    return await (next ?? this.#open(from));
  }

  /** Closes the next round, which will not come. */
  async #discardNext(): Promise<void> {
    const next = this.#next;
    this.#next = undefined;
    const source = await next?.catch(() => undefined);
    await source?.[Symbol.asyncDispose]();
  }

  /** Opens the file at a moment, up to where the request ends. */
  async #open(from: number, streams: Partial<MediaOptions> = {}): Promise<FrameSource> {
    const { open, options, file } = this.#options;
    const { start = 0, duration } = options;
    const rest = duration === undefined ? undefined : start + duration - from;
    const source = await open({ ...options, ...streams, start: from, duration: rest });
    if (source.streams.every((stream) => this.#isKnown(stream))) return source;
    await source[Symbol.asyncDispose]();
    throw new RequestError(
      "media_error",
      `Cannot go on with "${file.name}": its streams are others than at the beginning, ask again`,
    );
  }

  /** Whether a stream is just as it was described. */
  #isKnown(stream: StreamDescription): boolean {
    const known = this.#streams.find(({ id }) => id === stream.id);
    return known !== undefined && sameFormats([known], [stream]) &&
      known.timeBase.join() === stream.timeBase.join();
  }

  /** Waits out a pause at the end, in which the peer may still seek. */
  async #isOver(): Promise<boolean> {
    const { controls } = this.#options;
    try {
      await controls.pacer.running(controls.current);
      return true;
    } catch (error) {
      if (controls.isInterrupted) return false;
      throw error;
    }
  }

  /** Seconds at which the request ends, on the media's time line. */
  #mediaEnd(): number {
    const { file, options: { start = 0, duration = Infinity } } = this.#options;
    return Math.min(file.info.duration ?? Infinity, start + duration);
  }

  /** The source that is open already, or a shorter way to where the answer goes on. */
  #way(): Pick<Run, "source" | "parts"> {
    const parts = this.#search?.parts;
    return parts === undefined ? { source: this.#first } : { parts };
  }

  /**
   * Looks whether the place where the answer goes on should have come.
   *
   * @param due seconds that a run has come to
   * @returns whether it has to be looked for from the beginning on
   * @throws {RequestError} `media_error` where that was done already
   */
  #isLost({ round, parts }: Run, due: number): boolean {
    if (!this.#search?.isMissed(due, { round, length: this.#roundLength() })) return false;
    if (parts === undefined) throw this.#search.failure();
    this.#isAstray = true;
    return true;
  }

  #roundLength(): number {
    const { file, options: { start = 0, duration } } = this.#options;
    const rest = file.info.duration === undefined ? undefined : file.info.duration - start;
    return roundLength({ measured: this.#end, duration, rest });
  }
}
