/** From the description and frames of a response to the calls of a sink. */
import { messageOf } from "../base/errors.ts";
import {
  copyFrame,
  type DataStream,
  type Description,
  type Encoding,
  type Frame,
  sameFormats,
  toSeconds,
} from "../media/frame.ts";
import { parseCue } from "../media/subtitles.ts";
import type { DataMessage, Presentation, Sink } from "./sink.ts";

/** The methods of a sink that a presenter calls. */
type PresentedSink = Pick<Sink, "begin" | "show" | "subtitle" | "takeMessage">;

/** Options of {@linkcode Presenter}. */
export interface PresenterOptions {
  /** The request is for single images. */
  still: boolean;
  /** Requested encoding. @default that of the streams that arrive */
  encoding?: Encoding;
  /** The media repeats for ever. */
  loop?: boolean;
  /** Requested playback speed; 0 for as fast as possible. @default 1 */
  speed?: number;
  /** False to show a high dynamic range as it is. @default true */
  toneMap?: boolean;
}

/** Seconds of audio that may arrive before the first frame of video, with a margin. */
const AUDIO_LEAD = 0.5;

/** A frame with what the description said of it when it arrived. */
interface ArrivedFrame {
  frame: Frame;
  /** The data stream of a message. */
  data: DataStream | undefined;
}

/** Frames of audio that are held while no video has arrived. */
const MAX_HELD = 500;

/**
 * Passes the description and the frames of a response to a sink. Holds the first frames of encoded
 * streams, since only they show how far before the start the streams begin.
 *
 * The sink begins again if a further description has streams that need other decoders.
 */
export class Presenter {
  #sink: PresentedSink;
  #options: PresenterOptions;
  #description: Description | undefined;
  /** The description, until the sink has begun. */
  #pending: Description | undefined;
  /** Frames that arrived before the sink has begun. */
  #held: ArrivedFrame[] = [];

  constructor(sink: PresentedSink, options: PresenterOptions) {
    this.#sink = sink;
    this.#options = options;
  }

  /** Takes a description. The sink begins at once if the frames are raw. */
  async describe(description: Description): Promise<void> {
    const before = this.#description;
    this.#description = description;
    if (before !== undefined && sameFormats(before.streams, description.streams)) {
      if (this.#pending !== undefined) this.#pending = description;
      return;
    }
    if (this.#held.length > 0) await this.begin();
    this.#pending = description;
    const { encoding = encodingOf(description) } = this.#options;
    if (encoding === "raw") await this.begin();
  }

  /**
   * Takes a frame, whose memory may be reused afterwards.
   *
   * @returns false if the sink is closed and takes no more
   */
  show(frame: Frame): Promise<boolean> {
    const data = this.#description?.data?.find(({ id }) => id === frame.streamId);
    return this.#pending === undefined
      ? this.#pass({ frame, data })
      : this.#hold({ frame, data }, this.#pending);
  }

  /**
   * Begins with the frames so far: no more may come, or frames from elsewhere. Does nothing if the
   * sink has begun.
   *
   * @returns false if the sink is closed and takes no more
   */
  async begin(): Promise<boolean> {
    if (this.#pending === undefined) return true;
    const first = this.#held.map(({ frame }) => frame);
    const presentation = present(this.#pending, this.#options, first);
    this.#pending = undefined;
    await this.#sink.begin(presentation);
    for (const held of this.#held.splice(0)) {
      if (!await this.#pass(held)) return false;
    }
    return true;
  }

  async #pass({ frame, data: stream }: ArrivedFrame): Promise<boolean> {
    if (stream === undefined) return await this.#sink.show(frame);
    const time = toSeconds(frame.timestamp, stream.timeBase);
    if (stream.codec === "subtitle") {
      const { start, end, text } = parseCue(frame.data);
      this.#sink.subtitle?.(text, time, time + end - start);
      return true;
    }
    return await this.#sink.takeMessage?.({ stream, time, data: frame.data }) ?? true;
  }

  async #hold({ frame, data }: ArrivedFrame, description: Description): Promise<boolean> {
    this.#held.push({ frame: copyFrame(frame), data });
    const isEarly = mayPrecedeVideo(frame, description) || mayPrecedeMedia(frame, description);
    return isEarly && this.#held.length < MAX_HELD || await this.begin();
  }
}

/** Whether a frame is a message that video or audio may follow. */
function mayPrecedeMedia({ streamId }: Frame, { streams }: Description): boolean {
  return streams.length > 0 && !streams.some(({ id }) => id === streamId);
}

/** Whether a frame is audio of the very beginning, which the first frame of video may follow. */
function mayPrecedeVideo(frame: Frame, { streams, live }: Description): boolean {
  const stream = streams.find(({ id }) => id === frame.streamId);
  return !live && stream?.type === "audio" && streams.some(({ type }) => type === "video") &&
    toSeconds(frame.timestamp, stream.timeBase) < AUDIO_LEAD;
}

/** The encoding of the streams: that of JPEG frames, or else raw. */
function encodingOf({ streams }: Description): Encoding {
  return streams.some(({ codec }) => codec === "mjpeg") ? "mjpeg" : "raw";
}

/** @param first the first frames, which show how far before the start the streams begin */
function present(
  description: Description,
  { still, encoding = encodingOf(description), speed = 1, loop = false, toneMap }: PresenterOptions,
  first: readonly Frame[],
): Presentation {
  const starts = first.flatMap(({ streamId, timestamp }) =>
    description.streams.filter(({ id }) => id === streamId)
      .map(({ type, timeBase }) => ({ type, seconds: toSeconds(timestamp, timeBase) }))
  );
  const begin = starts.length === 0 ? 0 : Math.min(...starts.map(({ seconds }) => seconds));
  const firstPicture = starts.find(({ type }) => type === "video")?.seconds ?? 0;
  // A live source is joined at its current timestamp, whatever that is.
  const hasNoLead = encoding === "raw" || (description.live && begin >= 0);
  // Later frames may lie before the first: packets come in decode order, and audio separately.
  const lead = hasNoLead ? 0 : Math.max(1, Math.ceil(-begin) + 1);
  const endless = description.live || loop;
  return { ...description, still, endless, encoding, speed, lead, firstPicture, toneMap };
}

/**
 * Several sinks as one. Those that are closed or fail are removed, and the others go on; a recording
 * that takes no more is finished before.
 */
export class SinkGroup {
  readonly notes: string[] = [];
  readonly failures: unknown[] = [];
  /** The error of the last sink, unless it was closed. */
  failure: unknown;
  #sinks: Set<Sink>;
  #onFailure: (line: string) => void;
  #finishing = false;

  /** @param onFailure called at once if a sink fails while others go on, perhaps for hours */
  constructor(sinks: readonly Sink[], onFailure: (line: string) => void = () => {}) {
    this.#sinks = new Set(sinks);
    this.#onFailure = onFailure;
  }

  get empty(): boolean {
    return this.#sinks.size === 0;
  }

  begin(presentation: Presentation): Promise<void> {
    return this.#each((sink) => {
      if (presentation.streams.length > 0 || sink.takeMessage !== undefined) {
        return sink.begin(presentation);
      }
      const reason = "it has only data, expected --data with it";
      throw new Error(`Cannot show or write "${presentation.name}": ${reason}`);
    });
  }

  /** @returns false if all sinks are closed */
  async show(frame: Frame): Promise<boolean> {
    await this.#each((sink) => sink.show(frame));
    return !this.empty;
  }

  /** Whether a sink takes subtitles. */
  get takesSubtitles(): boolean {
    return [...this.#sinks].some((sink) => sink.subtitle !== undefined);
  }

  subtitle(text: string, start: number, end: number): void {
    for (const sink of this.#sinks) sink.subtitle?.(text, start, end);
  }

  /** @returns false if all sinks are closed */
  async takeMessage(message: DataMessage): Promise<boolean> {
    await this.#each((sink) => sink.takeMessage?.(message) ?? Promise.resolve());
    return !this.empty;
  }

  jump(to: number): Promise<void> {
    return this.#each(async (sink) => await sink.jump?.(to));
  }

  finish(whole: boolean): Promise<void> {
    this.#finishing = true;
    return this.#each((sink) => this.#finish(sink, whole));
  }

  async #finish(sink: Sink, whole: boolean): Promise<void> {
    const note = await sink.finish(whole);
    if (note !== undefined) this.notes.push(note);
  }

  /**
   * Runs an action on each sink, and removes the sinks that are closed (false) or fail.
   *
   * @throws the error of the last sink
   */
  async #each(action: (sink: Sink) => Promise<boolean | void>): Promise<void> {
    for (const sink of this.#sinks) {
      try {
        if (await action(sink) !== false) continue;
        if (sink.isRecording) await this.#finish(sink, true);
        this.#sinks.delete(sink);
      } catch (error) {
        this.#sinks.delete(sink);
        this.notes.push(...sink.notes ?? []);
        if (this.empty) {
          this.failure = this.#withNotes(error);
          throw this.failure;
        }
        this.failures.push(error);
        // At the end, the caller reports the failures.
        if (!this.#finishing) this.#onFailure(`${messageOf(error)}; the rest goes on`);
      }
    }
  }

  /** The last error, with what is complete. */
  #withNotes(error: unknown): unknown {
    if (this.notes.length === 0) return error;
    return new Error([messageOf(error), ...this.notes].join("; "), { cause: error });
  }
}
