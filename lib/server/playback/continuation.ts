/** Opens a file behind frames that were made before, without reading all of it again. */
import { sameFormats, type StreamDescription } from "../../media/frame.ts";
import type { FrameSource, TimedFrame } from "../../media/source.ts";
import type { FrameKey } from "../../sources/cache/blocks.ts";
import type { MediaFile } from "../../sources/file/library.ts";
import type { MediaOptions } from "../../sources/file/plan.ts";
import { openResumePlan, Resume } from "./resume.ts";
import { ResumeSearch } from "./resume_search.ts";

/** Options of {@linkcode openContinuation}. */
export interface ContinuationOptions {
  file: MediaFile;
  options: MediaOptions;
  /** The latest frame of each stream that was made before. */
  keys: ReadonlyMap<number, FrameKey>;
  streams: readonly StreamDescription[];
  /** Opens the file with other options. */
  open: (options: MediaOptions) => Promise<FrameSource>;
}

/**
 * Opens the frames that follow others, if they are the same to the byte when only their
 * neighbourhood is read.
 *
 * @returns `undefined` if all has to be read
 */
export function openContinuation(
  { file, options, keys, streams, open }: ContinuationOptions,
): Promise<FrameSource> | undefined {
  const frames = [...keys];
  if (frames.some(([, { isRepeated }]) => isRepeated)) return undefined;
  const points = frames.map(([id, { timestamp }]) => ({ id, after: timestamp }));
  const resume = new Resume(points, streams);
  const search = new ResumeSearch(resume, { file, options, loop: false, streams });
  const { parts } = search;
  if (parts === undefined) return undefined;
  return openResumePlan(parts, { options, open }).then((planned) =>
    new Continuation(planned, { search, streams, openWhole: () => open(options) })
  );
}

/** The frames behind a position, from its neighbourhood; from the start if they are not there. */
class Continuation implements FrameSource {
  readonly notes = [];
  readonly streams: readonly StreamDescription[];
  #source: FrameSource;
  #search: ResumeSearch;
  #openWhole: () => Promise<FrameSource>;
  #isDisposed = false;

  constructor(
    planned: FrameSource,
    { streams, search, openWhole }: {
      streams: readonly StreamDescription[];
      search: ResumeSearch;
      openWhole: () => Promise<FrameSource>;
    },
  ) {
    this.streams = streams;
    this.#source = planned;
    this.#search = search;
    this.#openWhole = openWhole;
  }

  get warning(): string | undefined {
    return this.#source.warning;
  }

  async *frames(): AsyncGenerator<TimedFrame> {
    try {
      if (this.#isAsDescribed) yield* this.#found();
    } catch (error) {
      if (this.#isDisposed || this.#search.isOver) throw error;
    }
    if (!this.#search.isMissed(Infinity, WHOLE)) return;
    await this.#source[Symbol.asyncDispose]();
    this.#source = await this.#openWhole();
    if (this.#isDisposed) await this.#source[Symbol.asyncDispose]();
    this.#search.restart();
    if (this.#isAsDescribed) yield* this.#found();
    if (this.#search.isMissed(Infinity, WHOLE)) throw this.#search.failure();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    await this.#source[Symbol.asyncDispose]();
  }

  /** The frames behind the position, up to the end or until it is known that it is not there. */
  async *#found(): AsyncGenerator<TimedFrame> {
    for await (const frame of this.#source.frames()) {
      const unsent = this.#search.take(frame, WHOLE);
      if (unsent !== undefined) yield unsent;
      else if (this.#search.isMissed(frame.due, WHOLE)) return;
    }
  }

  /** Whether decoders of the streams need no new set-up. */
  get #isAsDescribed(): boolean {
    return this.#source.streams.every((stream) => {
      const described = this.streams.find(({ id }) => id === stream.id);
      return described !== undefined && sameFormats([described], [stream]) &&
        described.timeBase.join() === stream.timeBase.join();
    });
  }
}

/** There are no rounds. */
const WHOLE = { round: 0, length: Infinity };
