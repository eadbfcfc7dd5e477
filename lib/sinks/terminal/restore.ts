import { startProcess } from "../../ffmpeg/process.ts";

/**
 * Waits for the end of its input, which comes when the program is gone, however that came about.
 * It goes away in silence when it is told to, by a line. Signals for everybody in the terminal are
 * not for it.
 */
const SCRIPT = `trap "" HUP INT QUIT TERM TSTP TTOU TTIN
read -r told && exit
printf %s "$1" >&1
if [ -n "$2" ]; then stty "$2" <&1; fi`;

/** Puts a terminal right when this program cannot do it any more. */
export interface TerminalGuard {
  /** Ends it: all is right already. */
  dismiss(): Promise<void>;
}

/**
 * Starts watching this program.
 *
 * @param restoration what the terminal is sent once it is gone
 * @param settings those that the terminal then gets, as `stty -g` prints them
 */
export function startGuard(restoration: string, settings = ""): TerminalGuard {
  const child = startProcess("sh", ["-c", SCRIPT, "sh", restoration, settings], {
    stdin: "piped",
    // Not /dev/tty: the guard is in a session of its own, which has none.
    stdout: "inherit",
  });
  const input = child.stdin.getWriter();
  // The write that fails tells of it.
  input.closed.catch(() => {});
  return {
    async dismiss() {
      try {
        await input.write(new TextEncoder().encode("told\n"));
        await input.close();
      } catch (error) {
        // It was ended by somebody else.
        if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
        await input.abort();
      }
      await child.ended();
    },
  };
}

/** What the system says of the terminal: its size is another one, or the user wants it back. */

/** What is called back. */
export interface TerminalListener {
  /** The size is another one. */
  onResize: () => void;
  /** Ctrl-Z: gives the terminal back; the program is stopped afterwards. */
  onStop: () => Promise<void>;
  /** The program goes on, in the foreground, maybe after a stop that nobody announced. */
  onContinue: () => void;
  /** The program is about to fail in a way that nobody has thought of. */
  onFailure: () => void;
}

/** How programs learn that nobody handles an error, before they end by it. */
const FAILURES = ["error", "unhandledrejection"];

/** Follows what happens to the terminal, until disposed. Windows tells nothing of it. */
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

/** Stops this program as Ctrl-Z does that nobody listens to. */
async function stopItself(): Promise<void> {
  await new Deno.Command("sh", {
    args: ["-c", 'kill -STOP "$1"', "sh", String(Deno.pid)],
    ...{ stdin: "null", stdout: "null", stderr: "null" },
  }).output();
}
