/** Video and audio in a window of ffplay. */
import { MissingProgramError, ProcessError } from "../../base/errors.ts";
import { printable } from "../../base/log.ts";
import type { InstalledFfmpeg } from "../../ffmpeg/version.ts";
import type { Frame } from "../../media/frame.ts";
import { FfmpegProcess, reasonOf } from "../ffmpeg_process.ts";
import { nutInputArguments, tempoFilters, turnFilters, videoOf } from "../filters.ts";
import type { PlayAction, Presentation, Sink } from "../sink.ts";
import { ONLY_SHOWN, PlayerTimeline } from "./player_timeline.ts";
import { PrivateSocket } from "./socket.ts";
import { WindowKeys } from "./x11_keys.ts";

/** Window system; `native` is that of macOS and Windows. */
export type Screen = "x11" | "wayland" | "native";

/** Options of {@linkcode WindowSink}. */
export interface WindowOptions {
  signal: AbortSignal;
  /** Called for each action of the user in the window. */
  onAction?: (action: PlayAction) => void;
  onClosed?: () => void;
}

/** A window of ffplay: video and audio in sync. */
export class WindowSink implements Sink {
  #process: FfmpegProcess | undefined;
  #timeline: PlayerTimeline | undefined;
  #keys: WindowKeys | undefined;
  #still = false;
  /** The output is being ended, so that ffplay may exit. */
  #finishing = false;
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
    // By default, SDL draws off-screen if the display cannot be reached.
    const env = this.#screen === "native" ? undefined : { SDL_VIDEODRIVER: this.#screen };
    this.#timeline = new PlayerTimeline({
      ...{ streams, live },
      speed: still ? 1 : speed,
      hides: lead > 0,
      now: () => performance.now(),
    });
    // Before the window exists, so that its creation is not missed.
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

  /** Waits until all is shown, or an image's window is closed. */
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

  /** Grabs the keys of the window; `undefined` if that is not possible. */
  async #openKeys(): Promise<WindowKeys | undefined> {
    const { onAction } = this.#options;
    if (onAction === undefined || this.#screen !== "x11") return undefined;
    try {
      return await WindowKeys.open(onAction);
    } catch {
      // ffplay reports a display that cannot be reached; the keys of the terminal remain.
      return undefined;
    }
  }

  /** Reports when ffplay exits unexpectedly. */
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

/** The part of a presentation that decides the arguments of a window. */
export type WindowPresentation = Pick<
  Presentation,
  "streams" | "name" | "still" | "lead" | "speed"
>;

/**
 * ffplay's arguments. The headers say all that it would detect from frames.
 *
 * Video has the timestamps of its playback speed already, and they stay shifted: ffplay drops late
 * frames by the timestamps in front of its filters.
 *
 * @param input what to read instead of standard input
 */
export function windowArguments(
  presentation: WindowPresentation,
  { input }: { input?: string } = {},
): string[] {
  const { streams, name, still, lead } = presentation;
  const video = videoOf(streams);
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

/** Tempo of audio; unchanged without real time. */
function tempoOf({ speed, still }: Pick<Presentation, "speed" | "still">): number {
  return still || speed === 0 ? 1 : speed;
}

/**
 * Whether ffplay is installed.
 *
 * @throws {Error} if it is too old
 */
export async function hasPlayer(ffmpeg: InstalledFfmpeg): Promise<boolean> {
  try {
    await ffmpeg.version("ffplay");
    return true;
  } catch (error) {
    if (error instanceof MissingProgramError || error instanceof ProcessError) return false;
    throw error;
  }
}
