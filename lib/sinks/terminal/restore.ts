/** Restores the terminal when the program is stopped, killed or fails. */
import { startProcess } from "../../ffmpeg/process.ts";

/**
 * Shell script of the guard. It waits for its input to end, which happens when this program is
 * gone, and restores the terminal; a line on its input dismisses it. It ignores the terminal's
 * signals.
 */
const SCRIPT = `trap "" HUP INT QUIT TERM TSTP TTOU TTIN
read -r dismissed && exit
printf %s "$1" >&1
if [ -n "$2" ]; then stty "$2" <&1; fi`;

/** Process that restores the terminal if this program cannot. */
export interface TerminalGuard {
  /** Ends the guard without restoring anything. */
  dismiss(): Promise<void>;
}

/**
 * Starts a guard for this program.
 *
 * @param restoration text sent to the terminal
 * @param settings terminal settings to restore, as `stty -g` prints them
 */
export function startGuard(restoration: string, settings = ""): TerminalGuard {
  const child = startProcess("sh", ["-c", SCRIPT, "sh", restoration, settings], {
    stdin: "piped",
    // Not /dev/tty: the guard has its own session without a terminal.
    stdout: "inherit",
  });
  const input = child.stdin.getWriter();
  // The failed write reports it.
  input.closed.catch(() => {});
  return {
    async dismiss() {
      try {
        await input.write(new TextEncoder().encode("dismissed\n"));
        await input.close();
      } catch (error) {
        // The guard was killed.
        if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
        await input.abort();
      }
      await child.ended();
    },
  };
}

/** Callbacks for what happens to the terminal. */
export interface TerminalListener {
  onResize: () => void;
  /** Ctrl-Z: restores the terminal before the program is stopped. */
  onStop: () => Promise<void>;
  /** The program continues in the foreground, possibly after a stop without notice. */
  onContinue: () => void;
  /** The program is about to exit by an unhandled error. */
  onFailure: () => void;
}

/** Events of unhandled errors. */
const FAILURES = ["error", "unhandledrejection"];

/** Listens to the terminal's signals until disposed. Windows has none. */
export function watchTerminal(
  { onResize, onStop, onContinue, onFailure }: TerminalListener,
): Disposable {
  const stop = async () => {
    await onStop();
    await stopItself();
  };
  const listeners: [Deno.Signal, () => void][] = Deno.build.os === "windows" ? [] : [
    ["SIGWINCH", onResize],
    ["SIGTSTP", stop],
    ["SIGCONT", onContinue],
  ];
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  for (const name of FAILURES) globalThis.addEventListener(name, onFailure);
  return {
    [Symbol.dispose]() {
      for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
      for (const name of FAILURES) globalThis.removeEventListener(name, onFailure);
    },
  };
}

/** Stops this program as an unhandled Ctrl-Z does. */
async function stopItself(): Promise<void> {
  await new Deno.Command("sh", {
    args: ["-c", 'kill -STOP "$1"', "sh", String(Deno.pid)],
    ...{ stdin: "null", stdout: "null", stderr: "null" },
  }).output();
}
