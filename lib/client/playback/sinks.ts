/** Chooses the sinks of a request: a view, an output, or both. */
import { UsageError } from "../../base/errors.ts";
import type { FfmpegProgram, InstalledFfmpeg } from "../../ffmpeg/version.ts";
import { LossySink } from "../../sinks/lossy_sink.ts";
import {
  checkDestination,
  createOutput,
  type Destination,
  needsFfmpeg,
  takesMessages,
} from "../../sinks/output/create.ts";
import { MessageSink } from "../../sinks/data/message_sink.ts";
import { checkAbsent } from "../../sinks/output/overwrite.ts";
import { SuccessiveSink } from "../../sinks/successive_sink.ts";
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
  /** Called before something is printed on standard output. */
  onPrint?: () => void;
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
  { output, overwrite, format, codec, ffmpeg, every, data }: ClientFlags,
  { still }: { still: boolean },
): Destination | undefined {
  if (output === undefined) return undefined;
  const imageSequence = every !== undefined || (!still && isImageSequence(output));
  const destination = { output, overwrite, format, codec, ffmpeg, still, imageSequence };
  return { ...destination, messages: data === undefined && takesMessages(destination) };
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
  const { data, overwrite } = flags;
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
    sinks.push(createOutput(destination, { stdout, forced, dialect, onSize, notify }));
    if (needsFfmpeg(destination)) programs.push("ffmpeg");
  }
  const isSeen = destination === undefined && data === undefined;
  const chosen = view ?? (isSeen ? await defaultView(options) : undefined);
  if (chosen !== undefined) {
    const sink = createSink(chosen, options);
    // A slow view must not delay the recording.
    const isAlone = destination === undefined || chosen === "none";
    sinks.push(isAlone ? sink : new LossySink(sink, { notify }));
    const program = VIEW_PROGRAMS[chosen];
    if (destination === undefined && program !== undefined) programs.push(program);
  }
  if (data !== undefined) sinks.push(new MessageSink(data, { overwrite, print: printer(options) }));
  if (destination !== undefined) await checkDestination(destination);
  if (data !== undefined && data !== "-") await checkAbsent(data, { overwrite });
  return { sinks, programs };
}

function printer({ environment, onPrint }: SinkOptions): (text: string) => Promise<void> {
  return async (text) => {
    onPrint?.();
    await environment.draw(text);
  };
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
  const { screen } = environment;
  const create = () => new WindowSink(screen, { signal, onAction, onClosed });
  return new SuccessiveSink({ create, isRecording: false });
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
