/** The programs that show windows: mpv if it is installed, else ffplay. */
import type { ProcessError } from "../../base/errors.ts";
import type { FfmpegProcess } from "../ffmpeg_process.ts";
import { audioOf } from "../filters.ts";
import type { PlayAction, Presentation } from "../sink.ts";

/** Window system; `native` is that of macOS and Windows. */
export type Screen = "x11" | "wayland" | "native";

/** The part of a presentation that decides how a window shows it. */
export type WindowPresentation = Pick<
  Presentation,
  "streams" | "name" | "still" | "lead" | "speed" | "live" | "encoding" | "toneMap"
>;

/** Options of {@linkcode OpenPlayer}. */
export interface PlayerOptions {
  screen: Screen;
  /** Kills the program when it aborts. */
  signal: AbortSignal;
  /** Called for each action of the user in the window. */
  onAction?: (action: PlayAction) => void;
  /**
   * Called with the time of what shows, in seconds of the frames' timestamps, each time that it changes,
   * if the program tells it.
   */
  onShown?: (time: number) => void;
}

/** A program that shows frames in a window; ended when it is disposed. */
export interface Player extends AsyncDisposable {
  /** The program. It exits when its window is closed. */
  process: FfmpegProcess;
  /** Announces a seek, and resolves when frames from elsewhere may follow. */
  jump: (to: number) => Promise<void>;
  /** Announces a pause or its end. */
  pause: (paused: boolean) => void;
  /** The reason of its failure, in one line. */
  reasonOf: (error: ProcessError) => string | undefined;
  /**
   * Shows text below the picture until it is replaced; an empty one removes it. Absent if the
   * program cannot do that.
   */
  showText?: (text: string) => void;
  /** Shows text over the picture for a moment; absent if the program cannot do that. */
  showBriefly?: (text: string) => void;
}

/** Starts a program that shows a window. */
export type OpenPlayer = (
  presentation: WindowPresentation,
  options: PlayerOptions,
) => Promise<Player>;

/**
 * Whether frames are shown when they come: live video without sound. By its timestamps, it would stay
 * as late as the player was when it started.
 */
export function isShownAtOnce({ streams, live, still }: WindowPresentation): boolean {
  return live && !still && audioOf(streams) === undefined;
}

/** Speed at which timestamps pass: 1 if frames come as fast as possible, or are single images. */
export function pacedSpeed({ speed, still }: Pick<Presentation, "speed" | "still">): number {
  return still || speed === 0 ? 1 : speed;
}
