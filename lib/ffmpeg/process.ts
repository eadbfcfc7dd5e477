/** Starts child processes, which are always awaited, and keeps the end of their stderr. */
import { deadline, onAbort } from "../base/async.ts";
import { MissingProgramError, ProcessError } from "../base/errors.ts";

/** Bytes of a child's standard error that are kept for the failure message. */
const STDERR_TAIL = 8192;

/**
 * Milliseconds to read the rest of standard error after a child has ended. Its own children, if a
 * script stands in for FFmpeg, may hold the pipe open.
 */
const STDERR_GRACE = 1000;

/** A child's standard input or output. */
export type Stdio = "piped" | "inherit" | "null";

/** Options of {@linkcode startProcess}. */
export interface ProcessOptions {
  stdin?: Stdio;
  stdout?: Stdio;
  /** Environment variables, in addition to this program's own. */
  env?: Record<string, string>;
  /** Kills the child when it aborts. */
  signal?: AbortSignal;
  /** Program that the child becomes by `exec`, for messages; the status is 127 if it is missing. */
  becomes?: string;
  /**
   * Whether the child leaves this program's process group by itself. If the system has to do it, it
   * copies all page tables, which stops this program for 4 ms per 100 MB of its memory.
   */
  leavesGroup?: boolean;
}

/** A variable that loads code into a child, which Deno refuses to pass on without all permissions. */
const PASSED_VARIABLE = / with (\w+) environment variable/;

/** Exit status of shells for a missing program. */
const NOT_FOUND = 127;

/**
 * A running child process, killed when it is disposed.
 *
 * Standard error is always read; its tail is kept for {@linkcode ProcessError}.
 */
export class Process implements AsyncDisposable {
  #child: Deno.ChildProcess;
  #program: string;
  #becomes: string | undefined;
  #tail = new Tail();
  #stderr: Promise<string>;
  #ended = false;
  #status: Promise<Deno.CommandStatus>;

  constructor(
    program: string,
    child: Deno.ChildProcess,
    { signal, becomes }: Pick<ProcessOptions, "signal" | "becomes"> = {},
  ) {
    this.#program = becomes ?? program;
    this.#becomes = becomes;
    this.#child = child;
    const listener = signal && onAbort(signal, this.kill);
    this.#status = child.status.then((status) => {
      this.#ended = true;
      listener?.[Symbol.dispose]();
      return status;
    });
    this.#stderr = this.#tail.fill(child.stderr, this.#status);
  }

  /** The child's output, if `stdout` is piped. */
  get stdout(): ReadableStream<Uint8Array> {
    return this.#child.stdout;
  }

  /** The child's input, if `stdin` is piped. */
  get stdin(): WritableStream<Uint8Array> {
    return this.#child.stdin;
  }

  /** Tail of standard error so far. */
  get complaints(): string {
    return this.#tail.text;
  }

  /**
   * Waits for the end.
   *
   * @returns the tail of standard error
   * @throws {ProcessError} if the child failed
   * @throws {MissingProgramError} if the program that it becomes is not installed
   */
  async finished(): Promise<string> {
    const [{ success, code, signal }, stderr] = await Promise.all([this.#status, this.#stderr]);
    if (success) return stderr;
    if (code === NOT_FOUND && this.#becomes !== undefined) {
      throw new MissingProgramError(missingProgram(this.#becomes));
    }
    throw new ProcessError(this.#program, { code, signal, stderr });
  }

  /** Waits for the end, also after a failure. */
  async ended(): Promise<void> {
    await this.#status;
  }

  /** Kills the child. No effect after its end. */
  kill = (): void => {
    if (this.#ended) return;
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      // It has ended, but its status has not been delivered yet.
      if (!(error instanceof TypeError)) throw error;
    }
  };

  /** Kills the child and waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await Promise.all([this.#status, this.#stderr]);
  }
}

/**
 * Reads the text that a child writes to its standard output, as {@linkcode readBytes} reads bytes.
 *
 * @param options most bytes; a child that writes more is killed
 * @returns `undefined` if it writes more
 */
export async function readOutput(
  child: Process,
  options: { signal: AbortSignal; max: number },
): Promise<string | undefined> {
  const bytes = await readBytes(child, options);
  return bytes && new TextDecoder().decode(bytes);
}

/**
 * Reads what a child writes to its standard output, up to the end or until the signal aborts.
 *
 * @param options most bytes; a child that writes more is killed
 * @returns `undefined` if it writes more
 */
export async function readBytes(
  child: Process,
  { signal, max }: { signal: AbortSignal; max: number },
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const reader = child.stdout.getReader();
  // Some other process may hold the pipe open.
  using _listener = onAbort(signal, () => void reader.cancel());
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  while (size <= max) {
    const { value: chunk } = await reader.read();
    if (chunk === undefined) return await new Blob(chunks).bytes();
    chunks.push(chunk.slice());
    size += chunk.byteLength;
  }
  child.kill();
  await reader.cancel();
  return undefined;
}

/**
 * Starts a program without a shell. The child has a process group of its own, so that Ctrl-C in a
 * terminal reaches this program alone, which then ends the child in the right order.
 *
 * @throws {MissingProgramError} if the program is not installed, or may not be executed
 */
export function startProcess(
  program: string,
  args: readonly string[],
  { stdin = "null", stdout = "piped", env, signal, becomes, leavesGroup = false }: ProcessOptions =
    {},
): Process {
  const command = new Deno.Command(program, {
    args: [...args],
    stdin,
    stdout,
    stderr: "piped",
    env,
    detached: !leavesGroup,
  });
  try {
    return new Process(program, command.spawn(), { signal, becomes });
  } catch (cause) {
    if (cause instanceof Deno.errors.PermissionDenied) {
      const reason = "it is there, but may not be executed; see to its mode";
      throw new MissingProgramError(`Cannot run ${program}: ${reason}`, { cause });
    }
    const denial = cause instanceof Deno.errors.NotCapable ? cause.message : "";
    const [, variable] = denial.match(PASSED_VARIABLE) ?? [];
    if (variable !== undefined) {
      const reason = `${variable} is set, which this program may not pass on`;
      const advice = `expected it unset, as by env -u ${variable}`;
      throw new MissingProgramError(`Cannot run ${program}: ${reason}, ${advice}`, { cause });
    }
    if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotCapable) {
      throw new MissingProgramError(missingProgram(program), { cause });
    }
    throw cause;
  }
}

function missingProgram(program: string): string {
  // Recent Debians have ffplay in a package of its own.
  const name = program === "ffplay" ? "ffplay" : "ffmpeg";
  return `Cannot run ${program}: it is not installed, or not in PATH; install FFmpeg with ` +
    `your package manager (apt install ${name}, dnf install ffmpeg, brew install ffmpeg)`;
}

/** The tail of a text stream. */
class Tail {
  #bytes = new Uint8Array(0);
  #isCut = false;

  /** The tail so far, from the beginning of a line on. */
  get text(): string {
    const text = new TextDecoder().decode(this.#bytes);
    return this.#isCut ? text.slice(text.indexOf("\n") + 1) : text;
  }

  /** Reads a stream to its end, or until shortly after its writer has ended. */
  async fill(stream: ReadableStream<Uint8Array>, ended: Promise<unknown>): Promise<string> {
    const reader = stream.getReader();
    using limits = new DisposableStack();
    ended.then(() => {
      if (!limits.disposed) limits.use(deadline(STDERR_GRACE, () => void reader.cancel()));
    });
    while (true) {
      const { value: chunk } = await reader.read();
      if (chunk === undefined) return this.text;
      const joined = new Uint8Array(this.#bytes.byteLength + chunk.byteLength);
      joined.set(this.#bytes);
      joined.set(chunk, this.#bytes.byteLength);
      this.#isCut ||= joined.byteLength > STDERR_TAIL;
      this.#bytes = joined.slice(-STDERR_TAIL);
    }
  }
}
