import { TextLineStream } from "@std/streams/text-line-stream";
import { print, tell } from "../core/console.ts";
import type { Screen } from "../viewers/window.ts";

/** What the client finds around itself: one place, so that tests can put others in. */
export interface Surroundings {
  stdout: WritableStream<Uint8Array>;
  /** Prints text on standard output. */
  print: (text: string) => void;
  /** Prints text on standard error. */
  printError: (text: string) => void;
  /** Lines that the user types. */
  lines: () => ReadableStream<string>;
  stdoutIsTerminal: boolean;
  stderrIsTerminal: boolean;
  /** The screen that windows can open on, where there is one. */
  screen: Screen | undefined;
  /** Columns and rows of the terminal. */
  terminalSize: () => { columns: number; rows: number };
}

/** Size of a terminal that does not tell its own. */
const USUAL_SIZE = { columns: 80, rows: 24 };

/** The surroundings of this very process. */
export function surroundingsOf(): Surroundings {
  return {
    stdout: Deno.stdout.writable,
    print: (text) => print(Deno.stdout, text),
    printError: (text) => tell(Deno.stderr, text),
    lines: () =>
      Deno.stdin.readable.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream()),
    stdoutIsTerminal: Deno.stdout.isTerminal(),
    stderrIsTerminal: Deno.stderr.isTerminal(),
    screen: screen(),
    terminalSize,
  };
}

/** X11 and Wayland name their screen in the environment; the other systems always have one. */
function screen(): Screen | undefined {
  if (Deno.build.os === "darwin" || Deno.build.os === "windows") return "native";
  if (Deno.env.get("DISPLAY")) return "x11";
  return Deno.env.get("WAYLAND_DISPLAY") ? "wayland" : undefined;
}

function terminalSize(): { columns: number; rows: number } {
  try {
    return Deno.consoleSize();
  } catch {
    // None of the standard streams is a terminal; the system's own error differs by system.
    return USUAL_SIZE;
  }
}
