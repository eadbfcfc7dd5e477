import { ProcessError } from "../core/errors.ts";
import type { Frame } from "../core/frame.ts";
import { printable } from "../core/log.ts";
import { nutInputArguments } from "../media/encoder_arguments.ts";
import { FrameSink, reasonOf } from "../media/frame_sink.ts";
import {
  pictureTrim,
  soundTrim,
  tempoFilters,
  turnFilters,
} from "../media/presentation_filters.ts";
import { isInstalled } from "../media/process.ts";
import type { Presentation, Viewer } from "./viewer.ts";

/** Who draws windows: X11, Wayland, or the system itself, as macOS and Windows do. */
export type Screen = "x11" | "wayland" | "native";

/** A window of ffplay: picture and sound, in sync. */
export class WindowViewer implements Viewer {
  #sink: FrameSink | undefined;
  #still = false;
  #screen: Screen;
  #signal: AbortSignal;

  /** @param signal closes the window */
  constructor(screen: Screen, signal: AbortSignal) {
    this.#screen = screen;
    this.#signal = signal;
  }

  begin(presentation: Presentation): Promise<void> {
    const { streams, still, lead } = presentation;
    this.#still = still;
    const args = windowArguments(presentation);
    // Left to itself, SDL draws where nobody sees it when the screen cannot be reached.
    const env = this.#screen === "native" ? undefined : { SDL_VIDEODRIVER: this.#screen };
    this.#sink = new FrameSink("ffplay", args, {
      streams,
      env,
      lead,
      speed: tempoOf(presentation),
      signal: this.#signal,
    });
    return Promise.resolve();
  }

  async show(frame: Frame): Promise<boolean> {
    return await this.#guarded(async () => await this.#sink?.write(frame) ?? false);
  }

  /** Waits until all is shown; for a still, until the window is closed. */
  async finish(whole: boolean): Promise<undefined> {
    if (!whole) return;
    await this.#guarded(async () => {
      await this.#sink?.finish();
      return true;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sink?.[Symbol.asyncDispose]();
  }

  async #guarded(action: () => Promise<boolean>): Promise<boolean> {
    try {
      return await action();
    } catch (error) {
      if (this.#signal.aborted) return false;
      if (!(error instanceof ProcessError)) throw error;
      const reason = reasonOf(error);
      const what = this.#still ? "the image" : "the video";
      throw new Error(`Cannot show ${what} in a window: ${reason}; try --view terminal`, {
        cause: error,
      });
    }
  }
}

/** Whether there is an ffplay to open windows with. */
export function hasPlayer(): Promise<boolean> {
  return isInstalled("ffplay");
}

/** What a window is made for. */
export type WindowPresentation = Pick<
  Presentation,
  "streams" | "name" | "still" | "lead" | "speed"
>;

/**
 * ffplay's arguments. All that it would find out by looking at frames is in the headers.
 *
 * Pictures have the timestamps of the speed they are shown at already: ffplay leaves those out
 * that are late by the timestamps in front of its filters. The timestamps stay shifted for the
 * same reason.
 */
export function windowArguments(presentation: WindowPresentation): string[] {
  const { streams, name, still, lead } = presentation;
  const video = streams.find((stream) => stream.type === "video");
  const speed = tempoOf(presentation);
  const begin = lead / speed;
  const trims = lead > 0 && !still;
  const pictures = [...(trims ? pictureTrim(begin) : []), ...turnFilters(video ?? {})];
  const sound = [...(trims ? soundTrim(begin) : []), ...tempoFilters(speed)];
  return [
    ...["-v", "error", "-window_title", printable(name)],
    ...(still ? [] : ["-autoexit"]),
    ...(video !== undefined && pictures.length > 0 ? ["-vf", pictures.join(",")] : []),
    ...(sound.length > 0 ? ["-af", sound.join(",")] : []),
    ...["-fpsprobesize", "0", "-analyzeduration", "200000"],
    ...nutInputArguments(streams),
  ];
}

/** By how much the time of the window goes faster: not at all where nobody waits for real time. */
function tempoOf({ speed, still }: Pick<Presentation, "speed" | "still">): number {
  return still || speed === 0 ? 1 : speed;
}
