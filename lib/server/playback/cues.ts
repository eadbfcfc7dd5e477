/** Puts the texts of subtitles between the frames of a response. */
import { settlesWithin } from "../../base/async.ts";
import { RequestError } from "../../base/errors.ts";
import { type DataStream, type Frame, toTicks } from "../../media/frame.ts";
import { type Cue, encodeCue } from "../../media/subtitles.ts";
import { cutTag, languageTag } from "../../media/tags.ts";
import type { ResumePoint } from "../../protocol/native/request.ts";
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
  /** Timestamp of the last text that the client has, ticks. */
  #after = -Infinity;

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
   * Goes on with the last text that the client has, which comes again: others may have the same
   * timestamp.
   *
   * @param points positions at which the streams of a response are resumed
   * @returns those of other streams
   * @throws {RequestError} `bad_request` if that of the texts has no timestamp
   */
  resume(points: readonly ResumePoint[]): ResumePoint[] {
    const { id } = this.stream;
    const own = points.find((point) => point.id === id);
    if (own !== undefined && own.after === undefined) {
      const reason = `stream ${id} has texts, expected after, the last one's timestamp`;
      throw new RequestError("bad_request", `Cannot resume: ${reason}`);
    }
    this.#after = own?.after ?? -Infinity;
    return points.filter((point) => point !== own);
  }

  /**
   * Puts texts between the steps of a player: a little before the frames that they are shown with. At
   * the beginning, and after a seek, those come first that are shown already. A response that is
   * resumed has all texts of its round of a loop, or of the request, that the client lacks.
   *
   * @throws the error of reading them
   */
  async *between(steps: AsyncIterable<Step>): AsyncGenerator<Step> {
    const { start, isStopped } = this.#options;
    let known: readonly Cue[] = [];
    let failure: { reason: unknown } | undefined;
    this.#all.then((all) => known = all, (reason) => failure = { reason });
    let sought: number | undefined;
    let beginning: number | undefined;
    let run = this.#run({ offset: -start, from: start });
    for await (const step of steps) {
      if (failure !== undefined) throw failure.reason;
      if (step.kind === "seek") {
        const { to } = step.seek;
        // Behind the end, the next round of a loop follows.
        [sought, beginning] = [to < this.#options.end ? to - start : undefined, undefined];
        this.#after = -Infinity;
        // If no frame follows.
        run = this.#run({ offset: -start, from: to });
      }
      if (step.kind === "frame") {
        if (step.beginning !== beginning) {
          // The rounds of a loop follow each other on the timeline; a seek goes back on it.
          const isSought = step.beginning === sought;
          const offset = isSought ? -start : step.beginning - start;
          const from = isSought ? Math.max(step.frame.due, step.beginning) - offset : start;
          run = this.#run({ offset, from });
          [sought, beginning] = [undefined, step.beginning];
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

  #run(beginning: { offset: number; from: number }): CueRun {
    return new CueRun({ ...beginning, after: this.#after }, this.#options);
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
  /** Ticks on the timeline of the request before which the client has all texts. */
  #after: number;
  #at = 0;

  constructor(
    { offset, from, after }: { offset: number; from: number; after: number },
    options: CueOptions,
  ) {
    this.#offset = offset;
    this.#from = from;
    this.#after = after;
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
      if (cue.end <= this.#from) continue;
      const frame = this.#frameOf(cue);
      if (!this.#isKnown(cue, frame)) yield { kind: "cue", frame };
    }
  }

  #isKnown({ start }: Cue, { timestamp }: Frame): boolean {
    // A round of a loop begins with texts from before its start, behind later ones of the last round.
    const isOrdered = start >= this.#options.start || this.#offset === -this.#options.start;
    return isOrdered && timestamp < this.#after;
  }

  #frameOf(cue: Cue): Frame {
    const { id: streamId, timeBase } = CUE_STREAM;
    const timestamp = toTicks(cue.start + this.#offset, timeBase);
    // Nothing may be written around the data, since it has no headroom.
    return { streamId, timestamp, keyframe: true, borrowed: true, data: encodeCue(cue) };
  }
}
