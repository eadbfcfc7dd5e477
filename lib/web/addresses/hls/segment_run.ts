/** One encoder of a file, from some segment on. */
import { abortable } from "../../../base/async.ts";
import { type CutOptions, cutResponse } from "./cut_response.ts";
import type { SegmentedPart } from "./segmenter.ts";

/** Segments that are made beyond the last one that was asked for. */
const AHEAD = 3;

/**
 * Seconds at the beginning of the MP4 for packets that are only decoded: the same for all runs, and more
 * than any of them has.
 */
const LEAD = 2;

/** Options of {@linkcode SegmentRun}. */
export interface SegmentRunOptions extends Pick<CutOptions, "open" | "dialect" | "signal"> {
  /** Number of its first segment. */
  first: number;
  /** Seconds of a segment. */
  length: number;
  /** Number of segments of the whole file. */
  count: number;
  /** Takes each part, with the number of the segment. */
  onPart: (part: SegmentedPart, at: number) => void;
  /** Called when it has ended. */
  onEnd: () => void;
}

/** Makes segments one after the other, a little ahead of those who ask for them. */
export class SegmentRun {
  /** Number of its first segment. */
  readonly first: number;
  /** Resolves when it has ended. Never rejects. */
  readonly ended: Promise<void>;
  hasEnded = false;
  /** Why it ended early. */
  failure: unknown;
  #next: number;
  #wanted: number;
  #stopping = new AbortController();
  #signal: AbortSignal;
  #change = Promise.withResolvers<void>();

  constructor(options: SegmentRunOptions) {
    const { first } = options;
    this.first = first;
    this.#next = first;
    this.#wanted = first;
    this.#signal = AbortSignal.any([options.signal, this.#stopping.signal]);
    this.ended = this.#run(options);
  }

  /** Whether it comes to a segment soon. */
  reaches(at: number): boolean {
    return !this.hasEnded && at >= this.#next && at <= this.#next + AHEAD;
  }

  /** Asks for a segment that it reaches. */
  want(at: number): void {
    if (at <= this.#wanted) return;
    this.#wanted = at;
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  /** Ends it at once. */
  stop(): void {
    this.hasEnded = true;
    this.#stopping.abort();
  }

  async #run(options: SegmentRunOptions): Promise<void> {
    const { first, length, count, open, dialect, onPart, onEnd } = options;
    try {
      this.failure = await cutResponse({
        ...{ open, dialect, length, count: count - first, signal: this.#signal },
        shift: ({ zero }) => first * length + zero + LEAD,
        onPart: (part) => {
          onPart(part, this.#next);
          if (part.kind === "segment") this.#next++;
        },
        wanted: async () => {
          while (this.#next > this.#wanted + AHEAD) {
            await abortable(this.#change.promise, this.#signal);
          }
        },
      });
    } catch (error) {
      this.failure = error;
    }
    this.hasEnded = true;
    onEnd();
  }
}
