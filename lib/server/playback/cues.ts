/** Puts the texts of subtitles between the frames of a response. */
import { settlesWithin } from "../../base/async.ts";
import { type DataStream, type Frame, toTicks } from "../../media/frame.ts";
import { type Cue, encodeCue } from "../../media/subtitles.ts";
import { cutTag, languageTag } from "../../media/tags.ts";
import type { EndReport } from "../../protocol/native/response.ts";
import type { MediaFile } from "../../sources/file/library.ts";
import { chooseSubtitles, SubtitleTexts } from "../../sources/file/tracks/subtitles.ts";
import type { TrackChoice } from "../../sources/file/tracks/choice.ts";
import type { PlayContext } from "../session/context.ts";
import type { Step } from "./player.ts";
import { TimedSender } from "./sender.ts";

/** The stream of subtitles, but for their language. */
export const CUE_STREAM: DataStream = {
  ...{ id: 2, type: "data", codec: "subtitle" },
  timeBase: [1, 1000],
};

/** Seconds by which texts are sent early, so that they are there when their pictures are. */
const LEAD = 1;

/** Milliseconds that frames wait for the texts of a file that was not read before. */
const PATIENCE = 2000;

/** Options of {@linkcode openCues}. */
export interface CueOptions {
  /** Seconds of the media at which the request begins. */
  start: number;
  /** Seconds of the media at which it ends. */
  end: number;
  /** Whether the viewer has ended the response. */
  isStopped: () => boolean;
  /** Ends the playback. */
  signal: AbortSignal;
}

/**
 * Begins to read the subtitles of a file for one response.
 *
 * @throws {RequestError} if the file has none of that name or number, or they are pictures
 */
export function openCues(
  file: MediaFile,
  wanted: true | TrackChoice,
  options: CueOptions,
): Cues {
  const number = chooseSubtitles(file, wanted);
  const end = new AbortController();
  const { texts = new SubtitleTexts(), info: { tracks = [] } } = file;
  const all = texts.read(file, number, AbortSignal.any([options.signal, end.signal]));
  const { language, title } = tracks.filter(({ type }) => type === "subtitles")[number];
  const tags = { language: languageTag(language), title: title && cutTag(title) };
  return new Cues(all, options, { end, stream: { ...CUE_STREAM, ...tags } });
}

/** The texts of subtitles of one response. */
export class Cues implements Disposable {
  /** Their stream, as it is described. */
  readonly stream: DataStream;
  #all: Promise<readonly Cue[]>;
  #options: CueOptions;
  #end: AbortController;

  /**
   * @param all of the media, in order of their starts
   * @param parts `end` is aborted when nobody waits for them any more
   */
  constructor(
    all: Promise<readonly Cue[]>,
    options: CueOptions,
    { end, stream }: { end: AbortController; stream: DataStream },
  ) {
    // Thrown when they are needed.
    all.catch(() => {});
    this.#all = all;
    this.#options = options;
    this.#end = end;
    this.stream = stream;
  }

  /**
   * Waits for the texts, so that they are in order. If it takes long to read them, frames come without,
   * and all texts once they are there.
   *
   * @throws the error of reading them
   */
  async ready(): Promise<void> {
    await settlesWithin(this.#all, PATIENCE);
  }

  /**
   * Puts texts between the steps of a player: a little before the frames that they are shown with. At
   * the beginning, and after a seek, those come first that are shown already.
   *
   * @throws the error of reading them
   */
  async *between(steps: AsyncIterable<Step>): AsyncGenerator<Step> {
    const { start, isStopped } = this.#options;
    let known: readonly Cue[] = [];
    let failure: { reason: unknown } | undefined;
    this.#all.then((all) => known = all, (reason) => failure = { reason });
    let isSought = false;
    let beginning: number | undefined;
    let run = new CueRun({ offset: -start, from: start }, this.#options);
    for await (const step of steps) {
      if (failure !== undefined) throw failure.reason;
      if (step.kind === "seek") [isSought, beginning] = [true, undefined];
      if (step.kind === "frame") {
        if (step.beginning !== beginning) {
          // The rounds of a loop follow each other on the timeline; a seek goes back on it.
          const offset = isSought ? -start : step.beginning - start;
          const from = Math.max(step.frame.due, step.beginning) - offset;
          run = new CueRun({ offset, from }, this.#options);
          [isSought, beginning] = [false, step.beginning];
        }
        yield* run.take(known, step.frame.due + LEAD);
      }
      yield step;
    }
    if (!isStopped()) yield* run.take(await this.#all, Infinity);
  }

  [Symbol.dispose](): void {
    this.#end.abort();
  }
}

/** Sends a response of nothing but texts, all at once. */
export async function sendCues(
  cues: Cues,
  { file: { name, info }, response, controls, record, clock }: PlayContext & { file: MediaFile },
): Promise<EndReport> {
  await cues.ready();
  const { duration } = info;
  await response.describe({ name, live: false, duration, streams: [], data: [cues.stream] });
  controls.begin({ seekable: false });
  const sender = new TimedSender({
    ...{ response, controls, record, clock },
    ...{ streams: [CUE_STREAM], drop: false },
  });
  record.follow(() => sender.report());
  await sender.takeAll(cues.between(nothing()));
  return await sender.end(controls.stopReason ?? "end");
}

async function* nothing(): AsyncGenerator<Step> {}

/** Gives the texts that begin before a time, on the timeline of the request. */
class CueRun {
  #options: CueOptions;
  /** Seconds from the timeline of the media to that of the request. */
  #offset: number;
  /** Seconds on the timeline of the media before which nothing is shown. */
  #from: number;
  #at = 0;

  constructor({ offset, from }: { offset: number; from: number }, options: CueOptions) {
    this.#offset = offset;
    this.#from = from;
    this.#options = options;
  }

  /**
   * Gives those that begin before a time, and were not given before.
   *
   * @param until seconds on the timeline of the request
   */
  *take(cues: readonly Cue[], until: number): Generator<Step> {
    const last = Math.min(until - this.#offset, this.#options.end);
    while (this.#at < cues.length && cues[this.#at].start < last) {
      const cue = cues[this.#at++];
      if (cue.end > this.#from) yield { kind: "cue", frame: this.#frameOf(cue) };
    }
  }

  #frameOf(cue: Cue): Frame {
    const { id: streamId, timeBase } = CUE_STREAM;
    const timestamp = toTicks(cue.start + this.#offset, timeBase);
    // Nothing may be written around the data, since it has no headroom.
    return { streamId, timestamp, keyframe: true, borrowed: true, data: encodeCue(cue) };
  }
}
