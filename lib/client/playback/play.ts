import { messageOf } from "../../base/errors.ts";
import {
  copyFrame,
  type Description,
  type Encoding,
  type Frame,
  toSeconds,
} from "../../media/frame.ts";
import type { Notice } from "../../protocol/native/response.ts";
import type { Presentation, Sink } from "../../sinks/sink.ts";
import type { MediaResponse } from "../request/response.ts";
import type { Progress } from "../terminal/progress.ts";
import type { PlayerControls } from "./controls.ts";
import type { Statistics } from "./statistics.ts";

/** Options of {@linkcode play}. */
export interface PlayOptions {
  /** Each gets every frame; if one is closed or fails, the others go on. */
  sinks: readonly Sink[];
  statistics: Statistics;
  /** The request is for single images. */
  still: boolean;
  /** Requested encoding. @default "raw" */
  encoding?: Encoding;
  /** The media repeats for ever. */
  loop?: boolean;
  /** Requested start and duration, in seconds. */
  part?: { start?: number; duration?: number };
  /** Requested playback speed; 0 for as fast as possible. @default 1 */
  speed?: number;
  progress?: Progress;
  controls?: PlayerControls;
  /** Called with differences from the request, one sentence at a time. */
  onNote?: (note: string) => void;
  /** Called with the server's notices. */
  onNotice?: (notice: Notice) => void;
  /** Ends the play early, in good order; it has to end the response, too. */
  signal: AbortSignal;
}

/** Outcome of {@linkcode play}. */
export interface PlayResult {
  /** Everything arrived; the user quit; the signal fired; the response was cut. */
  outcome: "whole" | "closed" | "stopped" | "cut";
  /** Why the response was cut. */
  reason?: unknown;
  /** Sentences for the user: where a file is, what the server says about damaged media. */
  notes: string[];
  /** Errors of sinks, while other sinks went on. */
  failures: unknown[];
}

/**
 * Plays a response to sinks until it ends, all sinks are closed, or the signal fires. Finishes the
 * sinks in good order.
 *
 * @throws the error of the last sink
 */
export async function play(
  response: MediaResponse,
  options: PlayOptions,
): Promise<PlayResult> {
  const { statistics, progress, controls, signal } = options;
  const sinks = new SinkGroup(options.sinks, options.onNote);
  const { notes, failures } = sinks;
  const result: PlayResult = { outcome: "whole", notes, failures };
  /** The description, until the sinks have begun. */
  let pending: Description | undefined;
  /** Frames that arrived before the sinks have begun. */
  const held: Frame[] = [];
  const begin = async () => {
    if (pending === undefined) return;
    const presentation = present(pending, options, held);
    pending = undefined;
    await sinks.begin(presentation);
    for (const frame of held.splice(0)) await sinks.show(frame);
  };
  let endless = options.loop ?? false;
  let duration: number | undefined;
  try {
    for await (const part of response) {
      if (part.kind === "describe") {
        pending = part.description;
        controls?.attach(response, pending);
        endless ||= pending.live;
        duration = endless ? undefined : durationOf(pending, options.part);
        statistics.describe(pending.name, pending.streams);
        for (const note of pending.notes ?? []) options.onNote?.(note);
        // The beginning of encoded streams is known from their first frames only.
        if (options.encoding === undefined || options.encoding === "raw") await begin();
      } else if (sinks.empty) {
        // Skips what is still under way, up to the end.
        if (part.kind === "end") break;
      } else if (part.kind === "frame") {
        statistics.count(part.frame, part.latency);
        if (pending === undefined) {
          await sinks.show(part.frame);
        } else {
          // The next frame reuses the memory of this one.
          held.push(copyFrame(part.frame));
          const isEarly = mayPrecedeVideo(part.frame, pending) && held.length < MAX_HELD;
          if (!isEarly) await begin();
        }
        controls?.moved(statistics.position);
        progress?.update(statistics, duration);
      } else if (part.kind === "control" && controls !== undefined) {
        await begin();
        const to = controls.arrived(part.control);
        statistics.jump(to);
        await sinks.jump(to);
      } else if (part.kind === "notice") {
        const { dropped } = part.notice;
        if (dropped !== undefined) statistics.dropped = dropped;
        progress?.clear();
        options.onNotice?.(part.notice);
      } else if (part.kind === "end") {
        await begin();
        statistics.dropped = part.end.dropped;
        const { warning } = part.end;
        if (warning !== undefined) notes.push(`the media is damaged: ${warning}`);
      }
      if (sinks.empty) {
        if (controls === undefined) break;
        controls.quit();
      }
    }
  } catch (error) {
    if (sinks.failure !== undefined) throw sinks.failure;
    result.outcome = signal.aborted ? "stopped" : "cut";
    result.reason = error;
  } finally {
    statistics.end();
    progress?.clear();
  }
  if (sinks.empty || controls?.quitting) result.outcome = "closed";
  // Endless media is whole whenever the user ends it.
  const isEnded = result.outcome === "stopped" || result.outcome === "closed";
  await sinks.finish(result.outcome === "whole" || (endless && isEnded));
  if (signal.aborted) result.outcome = "stopped";
  return result;
}

/** Seconds that the requested part lasts; `undefined` if unknown. */
function durationOf(
  { duration: whole = Infinity }: Pick<Description, "duration">,
  { start = 0, duration = Infinity }: { start?: number; duration?: number } = {},
): number | undefined {
  const length = Math.min(Math.max(0, whole - start), duration);
  return length === Infinity ? undefined : length;
}

/** Seconds of audio that may arrive before the first frame of video, with a margin. */
const AUDIO_LEAD = 0.5;

/** Frames of audio that are held while no video has arrived. */
const MAX_HELD = 500;

/** Whether a frame is audio of the very beginning, which the first frame of video may follow. */
function mayPrecedeVideo(frame: Frame, { streams, live }: Description): boolean {
  const stream = streams.find(({ id }) => id === frame.streamId);
  return !live && stream?.type === "audio" && streams.some(({ type }) => type === "video") &&
    toSeconds(frame.timestamp, stream.timeBase) < AUDIO_LEAD;
}

/** @param first the first frames, which show how far before the start the streams begin */
function present(
  description: Description,
  { still, encoding = "raw", speed = 1, loop = false }: PlayOptions,
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
  return { ...description, still, endless, encoding, speed, lead, firstPicture };
}

/** The sinks that are still open. */
class SinkGroup {
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
    return this.#each((sink) => sink.begin(presentation));
  }

  show(frame: Frame): Promise<void> {
    return this.#each((sink) => sink.show(frame));
  }

  jump(to: number): Promise<void> {
    return this.#each(async (sink) => await sink.jump?.(to));
  }

  finish(whole: boolean): Promise<void> {
    this.#finishing = true;
    return this.#each(async (sink) => {
      const note = await sink.finish(whole);
      if (note !== undefined) this.notes.push(note);
    });
  }

  /**
   * Runs an action on each sink, and removes the sinks that are closed (false) or fail.
   *
   * @throws the error of the last sink
   */
  async #each(action: (sink: Sink) => Promise<boolean | void>): Promise<void> {
    for (const sink of this.#sinks) {
      try {
        if (await action(sink) === false) this.#sinks.delete(sink);
      } catch (error) {
        this.#sinks.delete(sink);
        if (this.empty) {
          this.failure = error;
          throw error;
        }
        this.failures.push(error);
        // At the end, the caller reports the failures.
        if (!this.#finishing) this.#onFailure(`${messageOf(error)}; the rest goes on`);
      }
    }
  }
}
