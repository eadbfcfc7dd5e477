/** Chooses the sinks of a request: a view, an output, or both. */
import { UsageError } from "../../base/errors.ts";
import type { FfmpegProgram, InstalledFfmpeg } from "../../ffmpeg/version.ts";
import { LossySink } from "../../sinks/lossy_sink.ts";
import {
  checkDestination,
  createOutput,
  type Destination,
  needsFfmpeg,
} from "../../sinks/output/create.ts";
import { isImageSequence } from "../../sinks/output/image_sequence.ts";
import { createNullSink, type PlayAction, type Sink } from "../../sinks/sink.ts";
import { canBeQueried, terminalStyle } from "../../sinks/terminal/capabilities.ts";
import { TerminalSink } from "../../sinks/terminal/terminal.ts";
import { hasPlayer, WindowSink } from "../../sinks/window/window.ts";
import type { ClientFlags, VIEWS } from "../flags.ts";
import type { Environment } from "../terminal/environment.ts";

/** Options of {@linkcode chooseSinks}. */
export interface SinkOptions {
  /** The request is for single images. */
  still: boolean;
  environment: Environment;
  /** The FFmpeg of this machine. */
  ffmpeg: InstalledFfmpeg;
  /** Ends everything in good order; fires also when the user quits. */
  signal: AbortSignal;
  /** Ends everything at once. */
  forced: AbortSignal;
  /** Called with the user's actions in a view. */
  onAction: (action: PlayAction) => void;
  /** Shows a line to the user. */
  notify?: (line: string) => void;
  /** Called now and then with the size of the file that is written, in bytes. */
  onSize?: (bytes: number) => void;
  /** Called when a view is closed; `show()` reports it only at the next frame. */
  onClosed: () => void;
}

/** Views of one response; the page sends requests of its own. */
type View = Exclude<typeof VIEWS[number], "browser">;

/** The program of FFmpeg that each view needs. */
const VIEW_PROGRAMS: Record<View, FfmpegProgram | undefined> = {
  window: "ffplay",
  terminal: "ffmpeg",
  none: undefined,
};

/** Sinks, and the programs of FFmpeg that all of them need. */
export interface ChosenSinks {
  sinks: Sink[];
  programs: FfmpegProgram[];
}

/** The destination that the flags name. */
export function destinationOf(
  { output, overwrite, format, codec, ffmpeg, every }: ClientFlags,
  { still }: { still: boolean },
): Destination | undefined {
  if (output === undefined) return undefined;
  const imageSequence = every !== undefined || (!still && isImageSequence(output));
  return { output, overwrite, format, codec, ffmpeg, still, imageSequence };
}

/**
 * Creates the sinks that the flags name: a view, an output, or both. Without any, that is a window
 * if there are a screen and ffplay, else the terminal.
 *
 * @throws {UsageError} if nothing can show media here
 * @throws {Error} if the output cannot be written
 */
export async function chooseSinks(
  flags: ClientFlags,
  options: SinkOptions,
): Promise<ChosenSinks> {
  const { environment, ffmpeg, forced, notify, onSize } = options;
  const view = flags.view === "browser" ? undefined : flags.view;
  const destination = destinationOf(flags, options);
  const sinks: Sink[] = [];
  const programs: FfmpegProgram[] = [];
  if (destination?.output === "-" && environment.stdoutIsTerminal) {
    throw new UsageError("Cannot write media to a terminal: expected a pipe, as in … | ffplay -");
  }
  if (destination !== undefined) {
    const { stdout } = environment;
    const dialect = () => ffmpeg.dialect();
    sinks.push(createOutput(destination, { stdout, forced, dialect, onSize }));
    if (needsFfmpeg(destination)) programs.push("ffmpeg");
  }
  const chosen = view ?? (destination === undefined ? await defaultView(options) : undefined);
  if (chosen !== undefined) {
    const sink = createSink(chosen, options);
    // A slow view must not delay the recording.
    const isAlone = destination === undefined || chosen === "none";
    sinks.push(isAlone ? sink : new LossySink(sink, { notify }));
    const program = VIEW_PROGRAMS[chosen];
    if (destination === undefined && program !== undefined) programs.push(program);
  }
  if (destination !== undefined) await checkDestination(destination);
  return { sinks, programs };
}

function createSink(view: View, options: SinkOptions): Sink {
  switch (view) {
    case "window":
      return createWindow(options);
    case "terminal":
      return createTerminal(options);
    case "none":
      return createNullSink();
  }
}

/** @throws {UsageError} without a screen */
function createWindow({ environment, signal, onAction, onClosed }: SinkOptions): Sink {
  if (environment.screen === undefined) {
    throw new UsageError(
      "Cannot open a window: neither DISPLAY nor WAYLAND_DISPLAY names a screen, expected " +
        "--view terminal, --view browser or --output FILE",
    );
  }
  return new WindowSink(environment.screen, { signal, onAction, onClosed });
}

function createTerminal({ environment, forced }: SinkOptions): Sink {
  const { draw, terminalSize, terminalSettings, passesSixel, variable } = environment;
  return new TerminalSink({
    write: draw,
    writeNow: environment.print,
    size: terminalSize,
    style: terminalStyle(variable),
    isTerminal: environment.stdoutIsTerminal,
    canBeQueried: canBeQueried(variable),
    passesSixel,
    keyboard: environment.keyboard,
    settings: terminalSettings,
    forced,
  });
}

async function defaultView({ environment, ffmpeg }: SinkOptions): Promise<View> {
  const { screen, stdoutIsTerminal } = environment;
  if (screen !== undefined && await hasPlayer(ffmpeg)) return "window";
  if (stdoutIsTerminal) return "terminal";
  const missing = screen === undefined ? "no screen" : "no ffplay to open a window with";
  throw new UsageError(
    `Cannot show anything: ${missing} and no terminal here, expected --output FILE, ` +
      "--view browser or --view none",
  );
}
