/** The system around the client: terminal, variables, clock, browser. */
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { messageOf, OutputClosedError } from "../../base/errors.ts";
import { print, tryPrint } from "../../base/log.ts";
import type { Secret } from "../../net/secret.ts";
import { takeToken } from "../../net/token.ts";
import { knowsSixel } from "../../sinks/terminal/capabilities.ts";
import type { Screen } from "../../sinks/window/player.ts";
import { Keyboard } from "./keyboard.ts";

/** The system around the client, in one place that tests can replace. */
export interface Environment {
  stdout: WritableStream<Uint8Array>;
  /** Prints text on standard output. */
  print: (text: string) => void;
  /** Prints text on standard error. */
  printError: (text: string) => void;
  /** Writes text to standard output, in order; resolves when it is written. */
  draw: (text: string) => Promise<void>;
  /** Lines of standard input. */
  lines: () => ReadableStream<string>;
  /**
   * The keyboard; `undefined` if standard input is no terminal, or this program is in the
   * background.
   */
  keyboard: () => Promise<Keyboard | undefined>;
  /** Settings of the terminal before the keyboard was used, as `stty -g` prints them. */
  terminalSettings: () => string | undefined;
  /** Whether sixels reach the screen if the terminal supports them. */
  passesSixel: () => Promise<boolean>;
  /** Reads an environment variable. */
  variable: (name: string) => string | undefined;
  clock: Clock;
  /** Removes the token from the environment, and returns it once. */
  token: (file?: string) => Secret | undefined;
  stdinIsTerminal: boolean;
  stdoutIsTerminal: boolean;
  stderrIsTerminal: boolean;
  /** The screen that windows open on; `undefined` if there is none. */
  screen: Screen | undefined;
  terminalSize: () => { columns: number; rows: number };
}

/** Standard streams of children that are run for their status. */
const SILENT = { stdin: "null", stdout: "null", stderr: "null" } as const;

/**
 * Prints the features of the terminal around tmux, since tmux itself always claims to support
 * sixels. Over ssh, tmux is known by `TERM` only, and cannot be queried: prints nothing.
 */
const FEATURES = `
if [ -n "$TMUX" ]; then tmux display-message -p '#{client_termfeatures}'
else case $TERM in tmux*|screen*) ;; *) echo sixel ;; esac
fi`;

/** Size of a terminal that does not report one. */
const DEFAULT_SIZE = { columns: 80, rows: 24 };

/**
 * The environment of this process.
 *
 * @param onTerminalGone called if a write finds that the terminal is gone
 */
export function readEnvironment(onTerminalGone: () => void): Environment {
  const output = new TerminalOutput(Deno.stdout, onTerminalGone);
  const keyboard = Deno.stdin.isTerminal()
    ? new Keyboard({
      read: (target) => Deno.stdin.read(target),
      setRaw(raw) {
        // Leaving raw mode waits for pending output, which a stuck terminal never takes; the
        // process that restores the terminal does it then.
        if (raw || !output.busy) setRaw(raw);
      },
      onContinue,
    })
    : undefined;
  const stderrIsTerminal = Deno.stderr.isTerminal();
  let settings: string | undefined;
  return {
    // Deno loads its streams with the first one, which takes long.
    get stdout() {
      return Deno.stdout.writable;
    },
    print: (text) => print(Deno.stdout, text),
    printError: (text) => {
      // A terminal that does not take pending output would block.
      if (!output.busy || !stderrIsTerminal) tryPrint(Deno.stderr, text);
    },
    draw: output.draw,
    lines: () => keyboard?.lines() ?? ReadableStream.from(readLines()),
    keyboard: async () => {
      if (!await isInForeground()) return undefined;
      settings ??= await terminalSettings();
      return keyboard;
    },
    terminalSettings: () => settings,
    passesSixel: async () => knowsSixel(await outputOf("sh", ["-c", FEATURES]) ?? "sixel"),
    variable,
    clock: MONOTONIC_CLOCK,
    token: takeToken,
    stdinIsTerminal: Deno.stdin.isTerminal(),
    stdoutIsTerminal: Deno.stdout.isTerminal(),
    stderrIsTerminal,
    screen: screen(),
    terminalSize,
  };
}

/** Lines of standard input, if that is no terminal. */
async function* readLines(): AsyncGenerator<string> {
  const { TextLineStream } = await import("@std/streams/text-line-stream");
  yield* Deno.stdin.readable.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
}

/**
 * Whether the program was started to outlive its terminal, as by `nohup`: SIGHUP is ignored, and
 * neither output is a terminal (standard input may be one). Children inherit ignored signals, so a
 * child sends itself SIGHUP to find out.
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

/** X11 and Wayland are named in the environment; other systems always have a screen. */
function screen(): Screen | undefined {
  if (Deno.build.os === "darwin" || Deno.build.os === "windows") return "native";
  if (Deno.env.get("DISPLAY")) return "x11";
  return Deno.env.get("WAYLAND_DISPLAY") ? "wayland" : undefined;
}

/** Reads a variable. On Windows COLORTERM is unusual, and every terminal has true colour. */
function variable(name: string): string | undefined {
  const usual = Deno.build.os === "windows" && name === "COLORTERM" ? "truecolor" : undefined;
  return Deno.env.get(name) ?? usual;
}

function terminalSize(): { columns: number; rows: number } {
  try {
    const { columns, rows } = Deno.consoleSize();
    // A serial line reports 0.
    return { columns: columns || DEFAULT_SIZE.columns, rows: rows || DEFAULT_SIZE.rows };
  } catch {
    // No standard stream is a terminal; the error differs between systems.
    return DEFAULT_SIZE;
  }
}

function setRaw(raw: boolean): void {
  try {
    Deno.stdin.setRaw(raw, { cbreak: true });
  } catch {
    // The terminal is gone.
    return;
  }
}

/** Calls back on SIGCONT in the foreground. Windows does not stop programs. */
function onContinue(callback: () => void): Disposable {
  const listener = async () => {
    if (await isInForeground()) callback();
  };
  if (Deno.build.os === "windows") return { [Symbol.dispose]: () => {} };
  Deno.addSignalListener("SIGCONT", listener);
  return { [Symbol.dispose]: () => Deno.removeSignalListener("SIGCONT", listener) };
}

/**
 * Whether this program is in the foreground of the terminal. In the background, it would be stopped
 * for changing the terminal.
 */
async function isInForeground(): Promise<boolean> {
  if (!Deno.stdin.isTerminal()) return false;
  // Windows has neither job control nor ps.
  if (Deno.build.os === "windows") return true;
  const state = await outputOf("ps", ["-o", "stat=", "-p", String(Deno.pid)]);
  return state?.includes("+") ?? false;
}

async function terminalSettings(): Promise<string | undefined> {
  return Deno.build.os === "windows"
    ? undefined
    : (await outputOf("sh", ["-c", "stty -g"]))?.trim();
}

/** Standard output of a system program; `undefined` if the program is missing. */
async function outputOf(program: string, args: string[]): Promise<string | undefined> {
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

/** Whether a program does not exist, or may not be run. */
function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable;
}

/** A stream that {@linkcode TerminalOutput} writes to. */
export interface TextTarget {
  isTerminal(): boolean;
  /** Writes some of the bytes, and returns how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Writes to standard output asynchronously, so that a slow terminal does not block the program. */
export class TerminalOutput {
  #target: TextTarget;
  #wasTerminal: boolean;
  #onGone: () => void;
  #last: Promise<void> = Promise.resolve();
  #pending = 0;
  #encoder = new TextEncoder();

  /** @param onGone called if a write finds that the terminal is gone */
  constructor(target: TextTarget, onGone: () => void) {
    this.#target = target;
    this.#wasTerminal = target.isTerminal();
    this.#onGone = onGone;
  }

  /** Whether a write is pending. */
  get busy(): boolean {
    return this.#pending > 0;
  }

  /**
   * Writes text completely, after all earlier text.
   *
   * @throws {OutputClosedError} if the reader has closed
   * @throws {Error} if the write fails
   */
  draw = async (text: string): Promise<void> => {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    this.#pending++;
    await before;
    try {
      let bytes = this.#encoder.encode(text);
      while (bytes.byteLength > 0) bytes = bytes.subarray(await this.#target.write(bytes));
    } catch (cause) {
      const message = `Cannot write to standard output: ${messageOf(cause)}`;
      // A closed terminal is no terminal any more. Writes may fail before SIGHUP arrives.
      const isGone = this.#wasTerminal && !this.#target.isTerminal();
      if (isGone) this.#onGone();
      if (isGone || cause instanceof Deno.errors.BrokenPipe) {
        throw new OutputClosedError(message, { cause });
      }
      throw new Error(message, { cause });
    } finally {
      this.#pending--;
      resolve();
    }
  };
}
