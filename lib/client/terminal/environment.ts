import { TextLineStream } from "@std/streams/text-line-stream";
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { messageOf, OutputClosedError } from "../../base/errors.ts";
import { print, tell } from "../../base/log.ts";
import { type Secret, takeToken } from "../../net/token.ts";
import { knowsSixel } from "../../sinks/terminal/capabilities.ts";
import type { Screen } from "../../sinks/window/window.ts";
import { Keyboard } from "./keyboard.ts";

/** What the client finds around itself: one place, so that tests can put others in. */
export interface Environment {
  stdout: WritableStream<Uint8Array>;
  /** Prints text on standard output. */
  print: (text: string) => void;
  /** Prints text on standard error. */
  printError: (text: string) => void;
  /** Writes text to standard output, behind what was drawn before; done when it is taken. */
  draw: (text: string) => Promise<void>;
  /** Lines that the user types. */
  lines: () => ReadableStream<string>;
  /**
   * The keys that the user presses; nothing where standard input is no terminal, or another program
   * has it now.
   */
  keyboard: () => Promise<Keyboard | undefined>;
  /** Settings of the terminal before keys were listened to, as `stty -g` prints them. */
  terminalSettings: () => string | undefined;
  /** Whether sixels reach the screen if the terminal says that it knows them. */
  passesSixel: () => Promise<boolean>;
  /** Reads a variable of the environment. */
  variable: (name: string) => string | undefined;
  /** Time, also that which is waited for. */
  clock: Clock;
  /** Takes the token out of the environment, once. */
  token: (file?: string) => Secret | undefined;
  stdoutIsTerminal: boolean;
  stderrIsTerminal: boolean;
  /** The screen that windows can open on, where there is one. */
  screen: Screen | undefined;
  /** Columns and rows of the terminal. */
  terminalSize: () => { columns: number; rows: number };
}

/** For children of which nothing but the status counts. */
const SILENT = { stdin: "null", stdout: "null", stderr: "null" } as const;

/**
 * Prints what the terminal knows that tmux is drawn in: tmux itself says that it knows sixels,
 * whatever that is. Over ssh, only `TERM` tells of tmux, and nobody can be asked.
 */
const FEATURES = `
if [ -n "$TMUX" ]; then tmux display-message -p '#{client_termfeatures}'
else case $TERM in tmux*|screen*) ;; *) echo sixel ;; esac
fi`;

/** Size of a terminal that does not tell its own. */
const USUAL_SIZE = { columns: 80, rows: 24 };

/**
 * The surroundings of this very process.
 *
 * @param onTerminalGone called where a write finds that the terminal is gone
 */
export function readEnvironment(onTerminalGone: () => void): Environment {
  const output = new TerminalOutput(Deno.stdout, onTerminalGone);
  const keyboard = Deno.stdin.isTerminal()
    ? new Keyboard({
      read: (target) => Deno.stdin.read(target),
      setRaw(raw) {
        // The system would wait for what a terminal does not take any more; the guard sees to it.
        if (raw || !output.busy) setRaw(raw);
      },
      onContinue,
    })
    : undefined;
  const stderrIsTerminal = Deno.stderr.isTerminal();
  let settings: string | undefined;
  return {
    stdout: Deno.stdout.writable,
    print: (text) => print(Deno.stdout, text),
    printError: (text) => {
      // A terminal that takes no more pictures takes no text, either: it would be waited for.
      if (!output.busy || !stderrIsTerminal) tell(Deno.stderr, text);
    },
    draw: output.draw,
    lines: () =>
      keyboard?.lines() ??
        Deno.stdin.readable.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream()),
    keyboard: async () => {
      if (!await isInForeground()) return undefined;
      settings ??= await terminalSettings();
      return keyboard;
    },
    terminalSettings: () => settings,
    passesSixel: async () => knowsSixel(await say("sh", ["-c", FEATURES]) ?? "sixel"),
    variable,
    clock: MONOTONIC_CLOCK,
    token: takeToken,
    stdoutIsTerminal: Deno.stdout.isTerminal(),
    stderrIsTerminal,
    screen: screen(),
    terminalSize,
  };
}

/**
 * Whether the program was started to outlive its terminal, as `nohup` does: by ignoring SIGHUP, and
 * having it write to no terminal; not every `nohup` keeps it from reading from one. What is ignored
 * is ignored by children, too, and one of them tries it.
 */
export function outlivesTerminal(): boolean {
  const isAttached = [Deno.stdout, Deno.stderr].some((stream) => stream.isTerminal());
  if (isAttached || Deno.build.os === "windows") return false;
  try {
    const { success } = new Deno.Command("sh", { args: ["-c", "kill -HUP $$"], ...SILENT })
      .outputSync();
    return success;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Program that opens a URL in the browser, with its first arguments. */
const OPENERS: Partial<Record<typeof Deno.build.os, readonly [string, ...string[]]>> = {
  darwin: ["open"],
  windows: ["cmd", "/c", "start", ""],
};

/**
 * Opens a URL in the browser, if there is a screen. Failures are ignored: the user can still open
 * the URL that was printed. The child may become the browser itself, and outlives this program.
 */
export function openInBrowser(url: string, { screen }: Pick<Environment, "screen">): void {
  if (screen === undefined) return;
  const [program, ...args] = OPENERS[Deno.build.os] ?? ["xdg-open"];
  try {
    const child = new Deno.Command(program, { args: [...args, url], ...SILENT, detached: true })
      .spawn();
    child.unref();
    // Reaps the child when it exits.
    child.status.catch(() => {});
  } catch (error) {
    if (!isMissing(error) && !(error instanceof Deno.errors.PermissionDenied)) throw error;
  }
}

/** X11 and Wayland name their screen in the environment; the other systems always have one. */
function screen(): Screen | undefined {
  if (Deno.build.os === "darwin" || Deno.build.os === "windows") return "native";
  if (Deno.env.get("DISPLAY")) return "x11";
  return Deno.env.get("WAYLAND_DISPLAY") ? "wayland" : undefined;
}

/** Windows has other ways to tell of its terminal, which shows any colour and character. */
function variable(name: string): string | undefined {
  const usual = Deno.build.os === "windows" && name === "COLORTERM" ? "truecolor" : undefined;
  return Deno.env.get(name) ?? usual;
}

function terminalSize(): { columns: number; rows: number } {
  try {
    const { columns, rows } = Deno.consoleSize();
    // Those that nobody has told, as on a serial line, say 0.
    return { columns: columns || USUAL_SIZE.columns, rows: rows || USUAL_SIZE.rows };
  } catch {
    // None of the standard streams is a terminal; the system's own error differs by system.
    return USUAL_SIZE;
  }
}

function setRaw(raw: boolean): void {
  try {
    Deno.stdin.setRaw(raw, { cbreak: true });
  } catch {
    // A terminal that is gone has no keys, and nothing that could be given back.
    return;
  }
}

/** Windows stops no programs. */
function onContinue(callback: () => void): Disposable {
  const listener = async () => {
    if (await isInForeground()) callback();
  };
  if (Deno.build.os === "windows") return { [Symbol.dispose]: () => {} };
  Deno.addSignalListener("SIGCONT", listener);
  return { [Symbol.dispose]: () => Deno.removeSignalListener("SIGCONT", listener) };
}

/**
 * Whether keys that are pressed are meant for this program. The system stops one that takes the
 * terminal while it runs in the background.
 */
async function isInForeground(): Promise<boolean> {
  if (!Deno.stdin.isTerminal()) return false;
  // Windows has neither the notion nor the program.
  if (Deno.build.os === "windows") return true;
  const state = await say("ps", ["-o", "stat=", "-p", String(Deno.pid)]);
  return state?.includes("+") ?? false;
}

async function terminalSettings(): Promise<string | undefined> {
  return Deno.build.os === "windows" ? undefined : (await say("sh", ["-c", "stty -g"]))?.trim();
}

/** What a small program of the system says; nothing where there is none. */
async function say(program: string, args: string[]): Promise<string | undefined> {
  try {
    const { stdout } = await new Deno.Command(program, {
      args,
      stdin: "inherit",
      stderr: "null",
    }).output();
    return new TextDecoder().decode(stdout);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Whether a program is not there, or not to be used. */
function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable;
}

/** Where text is written to without waiting for it. */
export interface TextTarget {
  isTerminal(): boolean;
  /** Writes some of the bytes and tells how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Writes to standard output that leave the program at work while a slow terminal takes them. */
export class TerminalOutput {
  #target: TextTarget;
  #wasTerminal: boolean;
  #onGone: () => void;
  #turn: Promise<void> = Promise.resolve();
  #waiting = 0;
  #encoder = new TextEncoder();

  /** @param onGone called where a write finds that the terminal is gone */
  constructor(target: TextTarget, onGone: () => void) {
    this.#target = target;
    this.#wasTerminal = target.isTerminal();
    this.#onGone = onGone;
  }

  /** Whether something is still being written. */
  get busy(): boolean {
    return this.#waiting > 0;
  }

  /**
   * Writes text, whole, and behind what was to be written before.
   *
   * @throws {OutputClosedError} where nobody reads it any more
   * @throws {Error} where it takes no more
   */
  draw = async (text: string): Promise<void> => {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    this.#waiting++;
    await before;
    try {
      let bytes = this.#encoder.encode(text);
      while (bytes.byteLength > 0) bytes = bytes.subarray(await this.#target.write(bytes));
    } catch (cause) {
      const message = `Cannot write to standard output: ${messageOf(cause)}`;
      // A terminal that is closed is none any more. Its last writes may fail before SIGHUP comes.
      const isGone = this.#wasTerminal && !this.#target.isTerminal();
      if (isGone) this.#onGone();
      if (isGone || cause instanceof Deno.errors.BrokenPipe) {
        throw new OutputClosedError(message, { cause });
      }
      throw new Error(message, { cause });
    } finally {
      this.#waiting--;
      resolve();
    }
  };
}
