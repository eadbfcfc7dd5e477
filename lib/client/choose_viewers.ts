import { UsageError } from "../core/errors.ts";
import { FileViewer } from "../viewers/file.ts";
import { createNoneViewer } from "../viewers/none.ts";
import { PipeViewer } from "../viewers/pipe.ts";
import { TerminalViewer } from "../viewers/terminal.ts";
import type { Viewer } from "../viewers/viewer.ts";
import { hasPlayer, WindowViewer } from "../viewers/window.ts";
import type { ClientFlags, VIEWS } from "./flags.ts";
import type { Surroundings } from "./surroundings.ts";

/**
 * The viewers that the flags name; with none named, a window where there is a screen, else the
 * terminal.
 *
 * @throws {UsageError} where there is nothing to look at it with
 */
export async function chooseViewers(
  { view, output, overwrite }: Pick<ClientFlags, "view" | "output" | "overwrite">,
  { surroundings, signal }: { surroundings: Surroundings; signal: AbortSignal },
): Promise<Viewer[]> {
  const viewers: Viewer[] = [];
  if (output === "-") {
    if (surroundings.stdoutIsTerminal) {
      throw new UsageError("Cannot write NUT to a terminal: expected a pipe, as in … | ffplay -");
    }
    viewers.push(new PipeViewer(surroundings.stdout));
  } else if (output !== undefined) {
    viewers.push(new FileViewer(output, { overwrite }));
  }
  const chosen = view ?? (output === undefined ? await defaultView(surroundings) : undefined);
  if (chosen !== undefined) viewers.push(createViewer(chosen, { surroundings, signal }));
  return viewers;
}

function createViewer(
  view: typeof VIEWS[number],
  { surroundings, signal }: { surroundings: Surroundings; signal: AbortSignal },
): Viewer {
  if (view === "window") return new WindowViewer(signal);
  if (view === "none") return createNoneViewer();
  return new TerminalViewer({
    write: surroundings.print,
    size: surroundings.terminalSize,
  });
}

async function defaultView(surroundings: Surroundings): Promise<typeof VIEWS[number]> {
  if (surroundings.hasDisplay && await hasPlayer()) return "window";
  if (surroundings.stdoutIsTerminal) return "terminal";
  throw new UsageError(
    "Cannot show anything: no screen and no terminal here, expected --output FILE or --view none",
  );
}
