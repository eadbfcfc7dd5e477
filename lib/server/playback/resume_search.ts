/** Searches a file for the position at which a response resumes. */
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { RequestError } from "../../base/errors.ts";
import type { StreamDescription } from "../../media/frame.ts";
import type { TimedFrame } from "../../media/source.ts";
import type { Notice } from "../../protocol/native/response.ts";
import type { MediaFile } from "../../sources/file/library.ts";
import type { MediaOptions } from "../../sources/file/plan.ts";
import { type Part, planResume, type Resume } from "./resume.ts";

/** Milliseconds of searching after which the viewer is notified. */
const NOTICE_DELAY = 1000;

/** Seconds by which a frame may come behind others that are due later. */
const MAX_DISORDER = 10;

/** Options of {@linkcode ResumeSearch}. */
export interface ResumeSearchOptions {
  file: MediaFile;
  options: MediaOptions;
  /** The media starts again at its end. */
  loop: boolean;
  streams: readonly StreamDescription[];
  /** @default MONOTONIC_CLOCK */
  clock?: Pick<Clock, "now">;
}

/** A round of a loop, or the only one. */
export interface Round {
  /** Rounds before it. */
  round: number;
  /** Seconds of a round. */
  length: number;
}

/** Searches the frames of a response for the position at which it resumes. */
export class ResumeSearch {
  /** The resume plan; absent if the file is read from the start. */
  readonly parts: Part[] | undefined;
  #resume: Resume;
  #options: ResumeSearchOptions;
  #clock: Pick<Clock, "now">;
  /** Milliseconds on the clock at the start; absent once the viewer is notified. */
  #since: number | undefined;
  /** Streams with frames in the first round. */
  #withFrames = new Set<number>();
  /** Streams whose further rounds begin with a discontinuity. */
  #broken = new Set<number>();

  constructor(resume: Resume, options: ResumeSearchOptions) {
    const { loop, clock = MONOTONIC_CLOCK } = options;
    this.#resume = resume;
    this.#options = options;
    this.#clock = clock;
    this.#since = clock.now();
    this.parts = loop ? undefined : planResume(resume, options);
  }

  /** Whether all streams have passed their points. */
  get isOver(): boolean {
    return this.#resume.isOver;
  }

  /** Searches again from the beginning, behind the frames that were passed on. */
  restart(): void {
    this.#resume = this.#resume.again();
  }

  /**
   * Takes the next frame.
   *
   * @returns the part that the client does not have, in the same memory
   */
  take(frame: TimedFrame, { round }: Pick<Round, "round">): TimedFrame | undefined {
    if (round === 0) this.#withFrames.add(frame.streamId);
    if (frame.discontinuity) this.#broken.add(frame.streamId);
    return this.#resume.take(frame);
  }

  /**
   * Whether the point of some stream should have come.
   *
   * @param due seconds; frames that are due earlier have come
   */
  isMissed(due: number, { round, length }: Round): boolean {
    const { loop, options: { start = 0 } } = this.#options;
    if (!loop) return this.#resume.isMissed(due - MAX_DISORDER);
    // Rounds may begin with packets before their start.
    return round > 0 && this.#resume.isMissed(due - MAX_DISORDER - start - 2 * length);
  }

  /** The error of a search without a result. */
  failure(): RequestError {
    const { file } = this.#options;
    return new RequestError(
      "media_error",
      `Cannot resume "${file.name}": the last frame that came is not in it, ` +
        "ask again from the beginning",
    );
  }

  /** Gives a notice, once, if the search takes a while. */
  notice(): Notice | undefined {
    if (this.#since === undefined || this.#clock.now() - this.#since < NOTICE_DELAY) return;
    this.#since = undefined;
    const message = "Resuming where the response was cut: searching for the position";
    return { code: "resuming", message };
  }

  /** The number of the next round to read, past those that the client has as a whole. */
  roundAfter({ round, length }: Round): number {
    const next = round + 1;
    // The first round shows how long they are, the second how they begin.
    if (round === 0 || !this.#hasAllPoints()) return next;
    const reached = Math.floor(this.#resume.allReached / length) - 1;
    if (reached <= next) return next;
    this.#resume.skip(reached - next, this.#broken);
    return reached;
  }

  /** Whether each stream with frames has a point. */
  #hasAllPoints(): boolean {
    const { streams } = this.#options;
    return streams.every(({ id }) => this.#resume.has(id) || !this.#withFrames.has(id));
  }
}
