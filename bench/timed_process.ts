import { linesOf } from "./lines.ts";
import { parseTimes } from "./parsers.ts";

/** Runs a command, and writes the time of it and its children to a file. */
const TIMED = 'file=$1; shift; "$@" <&0; status=$?; times >"$file"; exit "$status"';

/** Maximum number of bytes of stderr in an error message. */
const MAX_STDERR = 2000;

/** Options of {@linkcode TimedProcess.start}. */
interface TimedOptions {
  /** Kills it and its children. */
  signal: AbortSignal;
  stdin?: "piped" | "null";
  /** Called with each line of its stderr. */
  onStderrLine?: (line: string) => void;
}

/** A program that exits by itself, with its processor time. */
export class TimedProcess implements AsyncDisposable {
  #program: string;
  #child: Deno.ChildProcess;
  #file: string;
  #stderr: Promise<string>;
  #hasExited = false;
  #kill = () => this.#end();
  #signal: AbortSignal;

  private constructor(
    { program, child, file }: { program: string; child: Deno.ChildProcess; file: string },
    { signal, onStderrLine }: TimedOptions,
  ) {
    this.#program = program;
    this.#child = child;
    this.#file = file;
    this.#signal = signal;
    this.#stderr = readStderr(child.stderr, onStderrLine);
    // Awaited in finished().
    this.#stderr.catch(() => {});
    signal.addEventListener("abort", this.#kill);
    child.status.then(() => this.#hasExited = true);
  }

  /**
   * Starts a program.
   *
   * @throws {Error} if bash is not installed
   */
  static async start(
    program: string,
    args: readonly string[],
    options: TimedOptions,
  ): Promise<TimedProcess> {
    const { signal, stdin = "null" } = options;
    signal.throwIfAborted();
    const file = await Deno.makeTempFile({ prefix: "stream_bench_times_" });
    const command = new Deno.Command("bash", {
      args: ["-c", TIMED, "timed", file, program, ...args],
      env: { NO_COLOR: "1" },
      stdin,
      stdout: "piped",
      stderr: "piped",
      // A separate process group, which can be killed as a whole.
      detached: true,
    });
    try {
      return new TimedProcess({ program, child: command.spawn(), file }, options);
    } catch (cause) {
      await Deno.remove(file);
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
      throw new Error("Cannot measure: bash, which counts processor time, is not installed", {
        cause,
      });
    }
  }

  /** Its stdout. To be read to its end, or cancelled. */
  get stdout(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#child.stdout;
  }

  /** Its stdin, if piped. */
  get stdin(): WritableStream<Uint8Array> {
    return this.#child.stdin;
  }

  /**
   * Waits until it exits.
   *
   * @returns processor time of it and all its children, seconds
   * @throws {Error} if it failed
   */
  async finished(): Promise<number> {
    const { success, code, signal } = await this.#child.status;
    if (!success) {
      const stderr = (await this.#stderr).trim().replaceAll("\n", "; ");
      const end = stderr === "" ? "" : `: ${stderr}`;
      throw new Error(`Cannot measure ${this.#program}: it failed (${signal ?? code})${end}`);
    }
    return parseTimes(await Deno.readTextFile(this.#file));
  }

  /** Kills it if it still runs, and waits until it has exited. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
    await this.#child.status;
    await this.#stderr;
    this.#signal.removeEventListener("abort", this.#kill);
    if (!this.#child.stdout.locked) await this.#child.stdout.cancel();
    await Deno.remove(this.#file);
  }

  #end(): void {
    if (this.#hasExited) return;
    try {
      Deno.kill(-this.#child.pid, "SIGKILL");
    } catch (error) {
      // It has just exited.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** The first line of a program's output; the rest is read and discarded. */
export async function firstLine(process: TimedProcess): Promise<string> {
  const lines = linesOf(process.stdout)[Symbol.asyncIterator]();
  const { value, done } = await lines.next();
  if (done) {
    await process.finished();
    throw new Error("Cannot measure a program: it printed nothing");
  }
  return value;
}

/** Reads stderr to its end, and returns the last bytes. */
async function readStderr(
  stderr: ReadableStream<Uint8Array<ArrayBuffer>>,
  onStderrLine: (line: string) => void = () => {},
): Promise<string> {
  let last = "";
  for await (const line of linesOf(stderr)) {
    onStderrLine(line);
    last = `${last}${line}\n`.slice(-MAX_STDERR);
  }
  return last;
}
