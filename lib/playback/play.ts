/** Plays one response to sinks, from its description to its end. */
import { RequestError } from "../base/errors.ts";
import { allStreams, type Description } from "../media/frame.ts";
import type { Control } from "../protocol/native/request.ts";
import type { Notice } from "../protocol/native/response.ts";
import { Presenter, type PresenterOptions, SinkGroup } from "../sinks/presenter.ts";
import type { Sink } from "../sinks/sink.ts";
import type { MediaResponse } from "../protocol/media_response.ts";
import type { Statistics } from "./statistics.ts";

/** The user's controls of a play, as far as the play reports to them. */
export interface PlayControls {
  /** Whether the user has quit. */
  readonly quitting: boolean;
  /** Sets the response to control. */
  attach(response: MediaResponse, description: Description): void;
  /** @param position timestamp of the newest frame, seconds */
  moved(position: number): void;
  /**
   * Takes the server's reply to a seek.
   *
   * @returns timestamp from which media goes on, seconds
   */
  arrived(control: Control): number;
  /** Quits, since nothing shows the media any more. */
  quit(): void;
}

/** Draws the progress of a play. */
export interface PlayProgress {
  /** @param duration seconds, if they are known */
  update(statistics: Statistics, duration: number | undefined): void;
  clear(): void;
}

/** Options of {@linkcode play}. */
export interface PlayOptions extends PresenterOptions {
  /** Each gets every frame; if one is closed or fails, the others go on. */
  sinks: readonly Sink[];
  statistics: Statistics;
  /** Requested start and duration, in seconds. */
  part?: { start?: number; duration?: number };
  /** Only messages of data streams were asked for; a server that has none may send all frames. */
  dataOnly?: boolean;
  progress?: PlayProgress;
  controls?: PlayControls;
  /** Called with differences from the request, one sentence at a time. */
  onNote?: (note: string) => void;
  /** Called with the server's notices. */
  onNotice?: (notice: Notice) => void;
  /** Ends the play early, in good order; it has to end the response, too. */
  signal: AbortSignal;
}

/** Said if subtitles come that nothing takes. */
const NO_SUBTITLES = "Subtitles are not shown: neither the view nor the output takes any";

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
  const presenter = new Presenter(sinks, options);
  let endless = options.loop ?? false;
  let duration: number | undefined;
  try {
    for await (const part of response) {
      if (part.kind === "describe") {
        const { description } = part;
        if (options.dataOnly && (description.data ?? []).length === 0) throw noData(description);
        controls?.attach(response, description);
        endless ||= description.live;
        duration = endless ? undefined : durationOf(description, options.part);
        statistics.describe(description.name, allStreams(description));
        for (const note of description.notes ?? []) options.onNote?.(note);
        const hasSubtitles = description.data?.some(({ codec }) => codec === "subtitle");
        if (hasSubtitles && !sinks.takesSubtitles) options.onNote?.(NO_SUBTITLES);
        await presenter.describe(description);
      } else if (sinks.empty) {
        // Skips what is still under way, up to the end.
        if (part.kind === "end") break;
      } else if (part.kind === "frame") {
        statistics.count(part.frame, part.latency);
        await presenter.show(part.frame);
        controls?.moved(statistics.position);
        progress?.update(statistics, duration);
      } else if (part.kind === "control" && controls !== undefined) {
        await presenter.begin();
        const to = controls.arrived(part.control);
        statistics.jump(to);
        await sinks.jump(to);
      } else if (part.kind === "notice") {
        const { dropped } = part.notice;
        if (dropped !== undefined) statistics.dropped = dropped;
        progress?.clear();
        options.onNotice?.(part.notice);
      } else if (part.kind === "end") {
        await presenter.begin();
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

function noData({ name }: Description): RequestError {
  return new RequestError("unsupported", `Cannot get data of "${name}": it has none`);
}

/** Seconds that the requested part lasts; `undefined` if unknown. */
function durationOf(
  { duration: whole = Infinity }: Pick<Description, "duration">,
  { start = 0, duration = Infinity }: { start?: number; duration?: number } = {},
): number | undefined {
  const length = Math.min(Math.max(0, whole - start), duration);
  return length === Infinity ? undefined : length;
}
