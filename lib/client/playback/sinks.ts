import { UsageError } from "../../base/errors.ts";
import type { FfmpegProgram, InstalledFfmpeg } from "../../ffmpeg/version.ts";
import { LossySink } from "../../sinks/lossy_sink.ts";
import { createOutput, type Destination, needsFfmpeg } from "../../sinks/output/create.ts";
import { isImageSequence } from "../../sinks/output/image_sequence.ts";
import { createNullSink, type PlayAction, type Sink } from "../../sinks/sink.ts";
import { canBeQueried, terminalStyle } from "../../sinks/terminal/capabilities.ts";
import { TerminalSink } from "../../sinks/terminal/terminal.ts";
import { hasPlayer, WindowSink } from "../../sinks/window/window.ts";
import type { ClientFlags, VIEWS } from "../flags.ts";
import type { Environment } from "../terminal/environment.ts";

/** What viewers are made from. */
export interface SinkContext {
  environment: Environment;
  /** The FFmpeg of this machine. */
  ffmpeg: InstalledFfmpeg;
  /** Ends everything in good order, also when the user ends what is played. */
  signal: AbortSignal;
  /** Ends everything at once. */
  forced: AbortSignal;
  /** Told what the user does in a viewer. */
  onAction: (action: PlayAction) => void;
  /** Told what the user should read at once. */
  tell?: (line: string) => void;
  /** Told now and then how many bytes a file has that is written. */
  onSize?: (bytes: number) => void;
  /** Told that a viewer is gone, which it finds out itself only when it is given a frame. */
  onClosed: () => void;
}

/** Ways of looking at what one answer brings; a browser asks for itself. */
type View = Exclude<typeof VIEWS[number], "browser">;

/** What {@linkcode chooseSinks} has to know. */
export interface Choice {
  view?: View;
  /** Where it is written to. */
  destination?: Destination;
}

/** Viewers, and the programs of FFmpeg without which none of them works. */
export interface Chosen {
  sinks: Sink[];
  programs: FfmpegProgram[];
}

/** Where a media's frames go: as the flags say, one of both or both. */
export function choiceOf(flags: ClientFlags, { still }: { still: boolean }): Choice {
  const { view } = flags;
  return {
    view: view === "browser" ? undefined : view,
    destination: destinationOf(flags, { still }),
  };
}

/** Where the flags say that it is written to. */
export function destinationOf(
  { output, overwrite, format, codec, ffmpeg, every }: ClientFlags,
  { still }: { still: boolean },
): Destination | undefined {
  if (output === undefined) return undefined;
  const imageSequence = every !== undefined || (!still && isImageSequence(output));
  return { output, overwrite, format, codec, ffmpeg, still, imageSequence };
}

/**
 * The viewers that are asked for; with none named, a window where there is a screen and ffplay,
 * else the terminal.
 *
 * @throws {UsageError} where there is nothing to look at it with
 */
export async function chooseSinks(
  { view, destination }: Choice,
  context: SinkContext,
): Promise<Chosen> {
  const { environment, ffmpeg, forced, tell, onSize } = context;
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
  const chosen = view ?? (destination === undefined ? await defaultView(context) : undefined);
  if (chosen !== undefined) {
    const sink = createSink(chosen, context);
    // What is written must not suffer from who looks at it.
    const alone = destination === undefined || chosen === "none";
    sinks.push(alone ? sink : new LossySink(sink, { notify: tell }));
    if (destination === undefined && chosen !== "none") {
      programs.push(chosen === "window" ? "ffplay" : "ffmpeg");
    }
  }
  return { sinks, programs };
}

function createSink(
  view: View,
  { environment, signal, forced, onAction, onClosed }: SinkContext,
): Sink {
  if (view === "window") {
    if (environment.screen !== undefined) {
      return new WindowSink(environment.screen, { signal, onAction, onClosed });
    }
    throw new UsageError(
      "Cannot open a window: neither DISPLAY nor WAYLAND_DISPLAY names a screen, expected " +
        "--view terminal, --view browser or --output FILE",
    );
  }
  if (view === "none") return createNullSink();
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

async function defaultView({ environment, ffmpeg }: SinkContext): Promise<View> {
  const { screen, stdoutIsTerminal } = environment;
  if (screen !== undefined && await hasPlayer(ffmpeg)) return "window";
  if (stdoutIsTerminal) return "terminal";
  const lacking = screen === undefined ? "no screen" : "no ffplay to open a window with";
  throw new UsageError(
    `Cannot show anything: ${lacking} and no terminal here, expected --output FILE, ` +
      "--view browser or --view none",
  );
}
