import { ProcessError } from "../../base/errors.ts";
import { printable } from "../../base/log.ts";
import type { Frame } from "../../media/frame.ts";
import { FfmpegProcess, reasonOf } from "../ffmpeg_process.ts";
import { nutInputArguments, tempoFilters, turnFilters } from "../filters.ts";
import type { PlayAction, Presentation, Sink } from "../sink.ts";
import { ONLY_SHOWN, PlayerTimeline } from "./player_timeline.ts";
import { PrivateSocket } from "./socket.ts";
import { WindowKeys } from "./x11_keys.ts";

/** Who draws windows: X11, Wayland, or the system itself, as macOS and Windows do. */
export type Screen = "x11" | "wayland" | "native";

/** What {@linkcode WindowSink} has to know. */
export interface WindowOptions {
  /** Closes the window. */
  signal: AbortSignal;
  /** Told what the user does in the window. */
  onAction?: (action: PlayAction) => void;
  /** Told that the user has closed it, at once. */
  onClosed?: () => void;
}

/** A window of ffplay: picture and sound, in sync. */
export class WindowSink implements Sink {
  #process: FfmpegProcess | undefined;
  #timeline: PlayerTimeline | undefined;
  #keys: WindowKeys | undefined;
  #still = false;
  /** ffplay has been told that nothing more comes, so that its end is no news. */
  #finishing = false;
  /** Why ffplay has ended by itself, where it has failed. */
  #failure: unknown;
  #screen: Screen;
  #options: WindowOptions;

  constructor(screen: Screen, options: WindowOptions) {
    this.#screen = screen;
    this.#options = options;
  }

  async begin(presentation: Presentation): Promise<void> {
    const { streams, still, live, lead, speed } = presentation;
    this.#still = still;
    const socket = PrivateSocket.exists ? await PrivateSocket.open() : undefined;
    const args = windowArguments(presentation, { input: socket?.url });
    // Left to itself, SDL draws where nobody sees it when the screen cannot be reached.
    const env = this.#screen === "native" ? undefined : { SDL_VIDEODRIVER: this.#screen };
    this.#timeline = new PlayerTimeline({
      ...{ streams, live },
      speed: still ? 1 : speed,
      hides: lead > 0,
      now: () => performance.now(),
    });
    // Before there is a window, so that its beginning is not missed.
    this.#keys = await this.#openKeys();
    this.#process = new FfmpegProcess("ffplay", args, {
      ...{ streams, socket, env },
      timeline: this.#timeline,
      signal: this.#options.signal,
    });
    this.#keys?.watch(this.#process.pid);
    this.#listen(this.#process);
  }

  async show(frame: Frame): Promise<boolean> {
    return await this.#guarded(async () => await this.#process?.write(frame) ?? false);
  }

  jump(to: number): Promise<void> {
    this.#timeline?.jump(to);
    return Promise.resolve();
  }

  pause(paused: boolean): void {
    this.#timeline?.pause(paused);
  }

  /** Waits until all is shown; for a still, until the window is closed. */
  async finish(whole: boolean): Promise<undefined> {
    this.#finishing = true;
    if (!whole && this.#failure === undefined) return;
    await this.#guarded(async () => {
      await this.#process?.finish();
      return true;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#finishing = true;
    await this.#process?.[Symbol.asyncDispose]();
    await this.#keys?.[Symbol.asyncDispose]();
  }

  /** Takes the keys of the window from ffplay; nothing where that cannot be done. */
  async #openKeys(): Promise<WindowKeys | undefined> {
    const { onAction } = this.#options;
    if (onAction === undefined || this.#screen !== "x11") return undefined;
    try {
      return await WindowKeys.open(onAction);
    } catch {
      // Where the screen cannot be reached at all, ffplay says so; there is the terminal, too.
      return undefined;
    }
  }

  /** Tells when ffplay has ended by itself. */
  async #listen(process: FfmpegProcess): Promise<void> {
    try {
      await process.finished();
    } catch (error) {
      if (!this.#options.signal.aborted && !this.#finishing) this.#failure = error;
    }
    if (!this.#options.signal.aborted && !this.#finishing) this.#options.onClosed?.();
  }

  async #guarded(action: () => Promise<boolean>): Promise<boolean> {
    try {
      return await action();
    } catch (error) {
      if (this.#options.signal.aborted && this.#failure === undefined) return false;
      if (!(error instanceof ProcessError)) throw error;
      const reason = reasonOf(error);
      const what = this.#still ? "the image" : "the video";
      throw new Error(`Cannot show ${what} in a window: ${reason}; try --view terminal`, {
        cause: error,
      });
    }
  }
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
 *
 * @param input what frames are read from; standard input where absent
 */
export function windowArguments(
  presentation: WindowPresentation,
  { input }: { input?: string } = {},
): string[] {
  const { streams, name, still, lead } = presentation;
  const video = streams.find((stream) => stream.type === "video");
  const hides = lead > 0 && !still;
  const pictures = [...(hides ? [ONLY_SHOWN] : []), ...turnFilters(video ?? {})];
  const sound = tempoFilters(tempoOf(presentation));
  return [
    ...["-v", "error", "-window_title", printable(name)],
    ...(still ? [] : ["-autoexit"]),
    ...(video !== undefined && pictures.length > 0 ? ["-vf", pictures.join(",")] : []),
    ...(sound.length > 0 ? ["-af", sound.join(",")] : []),
    ...["-fpsprobesize", "0", "-analyzeduration", "200000"],
    ...nutInputArguments(streams, { input }),
  ];
}

/** By how much the time of the window goes faster: not at all where nobody waits for real time. */
function tempoOf({ speed, still }: Pick<Presentation, "speed" | "still">): number {
  return still || speed === 0 ? 1 : speed;
}
