import { UsageError } from "../core/errors.ts";
import { FileViewer } from "../viewers/file.ts";
import { createNoneViewer } from "../viewers/none.ts";
import { PipeViewer } from "../viewers/pipe.ts";
import { SeriesViewer } from "../viewers/series.ts";
import { TerminalViewer } from "../viewers/terminal.ts";
import type { Viewer } from "../viewers/viewer.ts";
import { hasPlayer, WindowViewer } from "../viewers/window.ts";
import type { ClientFlags, VIEWS } from "./flags.ts";
import type { Surroundings } from "./surroundings.ts";

/** What viewers are made from. */
export interface ViewerContext {
  surroundings: Surroundings;
  /** Ends everything in good order. */
  signal: AbortSignal;
  /** Ends everything at once. */
  forced: AbortSignal;
}

/**
 * The viewers that the flags name; with none named, a window where there is a screen and ffplay,
 * else the terminal.
 *
 * @throws {UsageError} where there is nothing to look at it with
 */
export async function chooseViewers(
  { view, output, overwrite, every }: Pick<ClientFlags, "view" | "output" | "overwrite" | "every">,
  context: ViewerContext,
): Promise<Viewer[]> {
  const { surroundings, forced } = context;
  const viewers: Viewer[] = [];
  if (output === "-") {
    if (surroundings.stdoutIsTerminal) {
      throw new UsageError("Cannot write NUT to a terminal: expected a pipe, as in … | ffplay -");
    }
    viewers.push(new PipeViewer(surroundings.stdout));
  } else if (output !== undefined && every !== undefined) {
    viewers.push(new SeriesViewer(output, { overwrite, forced }));
  } else if (output !== undefined) {
    viewers.push(new FileViewer(output, { overwrite, forced }));
  }
  const chosen = view ?? (output === undefined ? await defaultView(surroundings) : undefined);
  if (chosen !== undefined) viewers.push(createViewer(chosen, context));
  return viewers;
}

function createViewer(
  view: typeof VIEWS[number],
  { surroundings, signal, forced }: ViewerContext,
): Viewer {
  if (view === "window") {
    if (surroundings.screen !== undefined) return new WindowViewer(surroundings.screen, signal);
    throw new UsageError(
      "Cannot open a window: neither DISPLAY nor WAYLAND_DISPLAY names a screen, expected " +
        "--view terminal or --output FILE",
    );
  }
  if (view === "none") return createNoneViewer();
  return new TerminalViewer({
    write: surroundings.print,
    size: surroundings.terminalSize,
    forced,
  });
}

async function defaultView(surroundings: Surroundings): Promise<typeof VIEWS[number]> {
  const { screen, stdoutIsTerminal } = surroundings;
  if (screen !== undefined && await hasPlayer()) return "window";
  if (stdoutIsTerminal) return "terminal";
  const lacking = screen === undefined ? "no screen" : "no ffplay to open a window with";
  throw new UsageError(
    `Cannot show anything: ${lacking} and no terminal here, expected --output FILE or --view none`,
  );
}
