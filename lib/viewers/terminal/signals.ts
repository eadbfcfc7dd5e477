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
