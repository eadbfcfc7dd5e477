import { linesOf } from "./lines.ts";
import { parseTimes } from "./parsers.ts";

/** Runs what follows, and writes what it and its children took to a file; told in milliseconds. */
const TIMED = 'file=$1; shift; "$@" <&0; status=$?; times >"$file"; exit "$status"';

/** Bytes of a program's complaints that are told. */
const COMPLAINTS = 2000;

/** Options of {@linkcode TimedProcess.start}. */
interface TimedOptions {
  /** Ends it, and its children. */
  signal: AbortSignal;
  stdin?: "piped" | "null";
  /** Called with each line of its standard error. */
  onComplaint?: (line: string) => void;
}

/** A program that ends by itself, and of which the processor time is to be known then. */
export class TimedProcess implements AsyncDisposable {
  #program: string;
  #child: Deno.ChildProcess;
  #file: string;
  #complaints: Promise<string>;
  #over = false;
  #kill = () => this.#end();
  #signal: AbortSignal;

  private constructor(
    { program, child, file }: { program: string; child: Deno.ChildProcess; file: string },
    { signal, onComplaint }: TimedOptions,
  ) {
    this.#program = program;
    this.#child = child;
    this.#file = file;
    this.#signal = signal;
    this.#complaints = readComplaints(child.stderr, onComplaint);
    // It is awaited where it is told.
    this.#complaints.catch(() => {});
    signal.addEventListener("abort", this.#kill);
    child.status.then(() => this.#over = true);
  }

  /**
   * Starts a program.
   *
   * @throws {Error} where there is no bash
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
      // A group of its own, which can be ended as a whole.
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

  /** What it prints. To be read to its end, or cancelled. */
  get stdout(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#child.stdout;
  }

  /** What it reads. Only where that is piped. */
  get stdin(): WritableStream<Uint8Array> {
    return this.#child.stdin;
  }

  /**
   * Waits for its end.
   *
   * @returns processor time of it and all its children, seconds
   * @throws {Error} where it failed
   */
  async finished(): Promise<number> {
    const { success, code, signal } = await this.#child.status;
    if (!success) {
      const complaints = (await this.#complaints).trim().replaceAll("\n", "; ");
      const end = complaints === "" ? "" : `: ${complaints}`;
      throw new Error(`Cannot measure ${this.#program}: it failed (${signal ?? code})${end}`);
    }
    return parseTimes(await Deno.readTextFile(this.#file));
  }

  /** Ends it where it still runs, and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
    await this.#child.status;
    await this.#complaints;
    this.#signal.removeEventListener("abort", this.#kill);
    if (!this.#child.stdout.locked) await this.#child.stdout.cancel();
    await Deno.remove(this.#file);
  }

  #end(): void {
    if (this.#over) return;
    try {
      Deno.kill(-this.#child.pid, "SIGKILL");
    } catch (error) {
      // It ended by itself a moment ago, and only the news is still under way.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** The first line that a program prints; the rest of them is read and thrown away. */
export async function firstLine(process: TimedProcess): Promise<string> {
  const lines = linesOf(process.stdout)[Symbol.asyncIterator]();
  const { value, done } = await lines.next();
  if (done) {
    await process.finished();
    throw new Error("Cannot measure a program: it said nothing");
  }
  return value;
}

/** Reads complaints to their end, and gives the last of them. */
async function readComplaints(
  stderr: ReadableStream<Uint8Array<ArrayBuffer>>,
  onComplaint: (line: string) => void = () => {},
): Promise<string> {
  let last = "";
  for await (const line of linesOf(stderr)) {
    onComplaint(line);
    last = `${last}${line}\n`.slice(-COMPLAINTS);
  }
  return last;
}
