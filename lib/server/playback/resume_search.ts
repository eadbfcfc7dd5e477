import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { RequestError } from "../../base/errors.ts";
import type { StreamDescription } from "../../media/frame.ts";
import type { TimedFrame } from "../../media/source.ts";
import type { Notice } from "../../protocol/native/response.ts";
import type { MediaFile } from "../../sources/file/library.ts";
import type { MediaOptions } from "../../sources/file/plan.ts";
import { type Part, planResume, type Resume } from "./resume.ts";

/** Milliseconds after which a viewer is told that the place is being looked for. */
const WORTH_TELLING = 1000;

/** Seconds by which a frame may come later than it is due. */
const LATEST = 10;

/** Options of {@linkcode Search}. */
export interface ResumeSearchOptions {
  file: MediaFile;
  options: MediaOptions;
  /** The media begins again at its end. */
  loop: boolean;
  streams: readonly StreamDescription[];
  /** Tells how long it takes. */
  clock?: Pick<Clock, "now">;
}

/** One of the rounds of a loop, or the only one there is. */
export interface Round {
  /** Rounds that went before. */
  round: number;
  /** Seconds that a round lasts. */
  length: number;
}

/** Looks for the place where an answer goes on that was cut, among frames from its beginning. */
export class ResumeSearch {
  /** What is read of the file at first; absent where that is all. */
  readonly parts: Part[] | undefined;
  #resumption: Resume;
  #options: ResumeSearchOptions;
  #clock: Pick<Clock, "now">;
  /** Milliseconds on the clock at which it began; absent once the viewer was told. */
  #since: number | undefined;
  /** Streams of which the first round has something. */
  #begun = new Set<number>();
  /** Streams of which each further round begins with what is for decoding only. */
  #broken = new Set<number>();

  constructor(resumption: Resume, options: ResumeSearchOptions) {
    const { loop, clock = MONOTONIC_CLOCK } = options;
    this.#resumption = resumption;
    this.#options = options;
    this.#clock = clock;
    this.#since = clock.now();
    this.parts = loop ? undefined : planResume(resumption, options);
  }

  /** Whether all streams are past the place. */
  get isOver(): boolean {
    return this.#resumption.isOver;
  }

  /** Begins again from the beginning, behind what was found. */
  restart(): void {
    this.#resumption = this.#resumption.again();
  }

  /**
   * Takes the next frame.
   *
   * @returns what of it is to be sent, in the same memory; `undefined` for nothing
   */
  take(frame: TimedFrame, { round }: Pick<Round, "round">): TimedFrame | undefined {
    if (round === 0) this.#begun.add(frame.streamId);
    if (frame.discontinuity) this.#broken.add(frame.streamId);
    return this.#resumption.take(frame);
  }

  /**
   * Whether some stream's place should have come.
   *
   * @param due seconds; all has come that is due before
   */
  isMissed(due: number, { round, length }: Round): boolean {
    const { loop, options: { start = 0 } } = this.#options;
    if (!loop) return this.#resumption.isMissed(due - LATEST);
    // Rounds may begin with packets from before their start.
    return round > 0 && this.#resumption.isMissed(due - LATEST - start - 2 * length);
  }

  /** The failure to find it. */
  failure(): RequestError {
    const { file } = this.#options;
    return new RequestError(
      "media_error",
      `Cannot resume "${file.name}": the last frame that came is not in it, ` +
        "ask again from the beginning",
    );
  }

  /** What to tell the viewer, once, where it takes a while. */
  news(): Notice | undefined {
    if (this.#since === undefined || this.#clock.now() - this.#since < WORTH_TELLING) return;
    this.#since = undefined;
    const message = "Going on where it broke off: the place is being looked for";
    return { code: "resuming", message };
  }

  /** The number of the next round: those that came for sure are not gone through. */
  roundAfter({ round, length }: Round): number {
    const next = round + 1;
    // The first has told how long they are, the second how they begin.
    if (round === 0 || !this.#isSaidOfAll()) return next;
    const reached = Math.floor(this.#resumption.allReached / length) - 1;
    if (reached <= next) return next;
    this.#resumption.skip(reached - next, this.#broken);
    return reached;
  }

  /** Whether of all streams something came that have anything. */
  #isSaidOfAll(): boolean {
    const { streams } = this.#options;
    return streams.every(({ id }) => this.#resumption.names(id) || !this.#begun.has(id));
  }
}
