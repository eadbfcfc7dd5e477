import { startProcess } from "../../media/process.ts";

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
