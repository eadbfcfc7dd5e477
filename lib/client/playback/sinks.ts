/** Chooses the sinks of a request: a view, an output, or both. */
import { MissingProgramError, UsageError } from "../../base/errors.ts";
import type { InstalledFfmpeg } from "../../ffmpeg/version.ts";
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
import type { OpenPlayer, Screen } from "../../sinks/window/player.ts";
import { findPlayer, WindowSink } from "../../sinks/window/window.ts";
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

/** Sinks, and whether they can work. */
export interface ChosenSinks {
  sinks: Sink[];
  /** Rejected if a program that all of them need is missing or too old. */
  checked: Promise<unknown>;
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
 * if there are a screen and a player, else the terminal.
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
  const needed: (Promise<unknown> | undefined)[] = [];
  if (destination?.output === "-" && environment.stdoutIsTerminal) {
    throw new UsageError("Cannot write media to a terminal: expected a pipe, as in … | ffplay -");
  }
  if (destination !== undefined) {
    const { stdout } = environment;
    const dialect = () => ffmpeg.dialect();
    sinks.push(createOutput(destination, { stdout, forced, dialect, onSize, notify }));
    if (needsFfmpeg(destination)) needed.push(ffmpeg.version("ffmpeg"));
  }
  const isSeen = destination === undefined && data === undefined;
  const player = once((screen: Screen) => findPlayer(ffmpeg, screen));
  const chosen = view ?? (isSeen ? await defaultView(options, player) : undefined);
  if (chosen !== undefined) {
    const { sink, ready } = createView(chosen, { ...options, player });
    // A slow view must not delay the recording.
    const isAlone = destination === undefined || chosen === "none";
    sinks.push(isAlone ? sink : new LossySink(sink, { notify }));
    if (destination === undefined) needed.push(ready);
  }
  if (data !== undefined) sinks.push(new MessageSink(data, { overwrite, print: printer(options) }));
  if (destination !== undefined) await checkDestination(destination);
  if (data !== undefined && data !== "-") await checkAbsent(data, { overwrite });
  const checked = Promise.all(needed);
  // Callers that await it get the failure.
  checked.catch(() => {});
  return { sinks, checked };
}

/** Starts an action when its result is first needed. */
function once<A, T>(start: (argument: A) => Promise<T>): (argument: A) => Promise<T> {
  let started: Promise<T> | undefined;
  return (argument) => started ??= start(argument);
}

function printer({ environment, onPrint }: SinkOptions): (text: string) => Promise<void> {
  return async (text) => {
    onPrint?.();
    await environment.draw(text);
  };
}

/** Options of a view. */
interface ViewOptions extends SinkOptions {
  /** Finds the program that shows windows. */
  player: (screen: Screen) => Promise<OpenPlayer>;
}

/** A view, and a promise that is rejected if the program that it needs is missing or too old. */
interface CreatedView {
  sink: Sink;
  ready?: Promise<unknown>;
}

function createView(view: View, options: ViewOptions): CreatedView {
  switch (view) {
    case "window":
      return createWindow(options);
    case "terminal":
      return { sink: createTerminal(options), ready: options.ffmpeg.version("ffmpeg") };
    case "none":
      return { sink: createNullSink() };
  }
}

/** @throws {UsageError} without a screen */
function createWindow(options: ViewOptions): CreatedView {
  const { environment, signal, onAction, onClosed, notify } = options;
  if (environment.screen === undefined) {
    throw new UsageError(
      "Cannot open a window: neither DISPLAY nor WAYLAND_DISPLAY names a screen, expected " +
        "--view terminal, --view browser or --output FILE",
    );
  }
  const { screen } = environment;
  // Runs while the request is under way, so that no frame waits for it.
  const player = options.player(screen);
  // The sink gets the failure when it begins.
  player.catch(() => {});
  const create = () => new WindowSink({ screen, player, signal, onAction, onClosed, notify });
  return { sink: new SuccessiveSink({ create, isRecording: false }), ready: player };
}

function createTerminal({ environment, signal, forced }: SinkOptions): Sink {
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
    signal,
    forced,
  });
}

async function defaultView(
  { environment }: SinkOptions,
  player: (screen: Screen) => Promise<OpenPlayer>,
): Promise<View> {
  const { screen, stdoutIsTerminal } = environment;
  if (screen !== undefined && await isFound(player(screen))) return "window";
  if (stdoutIsTerminal) return "terminal";
  const missing = screen === undefined ? "no screen" : "no mpv or ffplay to open a window with";
  throw new UsageError(
    `Cannot show anything: ${missing} and no terminal here, expected --output FILE, ` +
      "--view browser or --view none",
  );
}

/** @throws {Error} if the program is too old */
async function isFound(program: Promise<unknown>): Promise<boolean> {
  try {
    await program;
    return true;
  } catch (error) {
    if (error instanceof MissingProgramError) return false;
    throw error;
  }
}
