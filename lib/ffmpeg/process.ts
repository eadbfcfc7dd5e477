import { deadline } from "../base/async.ts";
import { MissingProgramError, ProcessError } from "../base/errors.ts";

/** Bytes of a child's standard error that are kept for the failure message. */
const STDERR_TAIL = 8192;

/**
 * Milliseconds in which the rest of its standard error has to come once a child is gone. What it
 * started itself, as scripts in FFmpeg's place do, may live on, and hold the pipe open.
 */
const STDERR_KEPT = 1000;

/** What a child's standard input or output is: a pipe to this program, ours, or nothing. */
export type Stdio = "piped" | "inherit" | "null";

/** Options of {@linkcode startProcess}. */
export interface ProcessOptions {
  stdin?: Stdio;
  stdout?: Stdio;
  /** Variables of its environment, besides those of this program's own. */
  env?: Record<string, string>;
  /** Ends the child when it fires. */
  signal?: AbortSignal;
  /** What the child turns into by `exec`, and is called then; with status 127 where it is missing. */
  becomes?: string;
  /**
   * The child leaves this program's process group by itself. To have the system put it into one of
   * its own takes a copy of all page tables: milliseconds in which this program does nothing else,
   * 4 for each 100 MB of its memory.
   */
  leavesGroup?: boolean;
}

/** Status by which shells tell that a program is not there. */
const NOT_FOUND = 127;

/**
 * A running child process, ended at the latest when it is disposed.
 *
 * Its standard error is read all the time, and the last of it kept for {@linkcode ProcessError}.
 */
export class Process implements AsyncDisposable {
  #child: Deno.ChildProcess;
  #program: string;
  #becomes: string | undefined;
  #tail = new Tail();
  #stderr: Promise<string>;
  #ended = false;
  #signal: AbortSignal | undefined;
  #status: Promise<Deno.CommandStatus>;

  constructor(
    program: string,
    child: Deno.ChildProcess,
    { signal, becomes }: Pick<ProcessOptions, "signal" | "becomes"> = {},
  ) {
    this.#program = becomes ?? program;
    this.#becomes = becomes;
    this.#child = child;
    this.#signal = signal;
    this.#signal?.addEventListener("abort", this.kill);
    this.#status = child.status.then((status) => {
      this.#ended = true;
      this.#signal?.removeEventListener("abort", this.kill);
      return status;
    });
    this.#stderr = this.#tail.fill(child.stderr, this.#status);
    if (signal?.aborted) this.kill();
  }

  /** Number of the child's process. */
  get pid(): number {
    return this.#child.pid;
  }

  /** What the child writes, as bytes. Only where `stdout` is piped. */
  get stdout(): ReadableStream<Uint8Array> {
    return this.#child.stdout;
  }

  /** What the child reads. Only where `stdin` is piped. */
  get stdin(): WritableStream<Uint8Array> {
    return this.#child.stdin;
  }

  /** The last of what the child has complained about so far, as much of it as has come. */
  get complaints(): string {
    return this.#tail.text;
  }

  /**
   * Waits for the end and gives the last of what the child complained about while it succeeded.
   *
   * @throws {ProcessError} where it did not succeed
   * @throws {MissingProgramError} where what it was to become is not installed
   */
  async finished(): Promise<string> {
    const [{ success, code, signal }, stderr] = await Promise.all([this.#status, this.#stderr]);
    if (success) return stderr;
    if (code === NOT_FOUND && this.#becomes !== undefined) {
      throw new MissingProgramError(missingProgram(this.#becomes));
    }
    throw new ProcessError(this.#program, { code, signal, stderr });
  }

  /** Waits for the end, however it comes. */
  async ended(): Promise<void> {
    await this.#status;
  }

  /** Ends the child at once. Harmless when it has ended. */
  kill = (): void => {
    if (this.#ended) return;
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      // It ended by itself a moment ago, and only the news is still under way.
      if (!(error instanceof TypeError)) throw error;
    }
  };

  /** Ends the child and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await Promise.all([this.#status, this.#stderr]);
  }
}

/**
 * Starts a program with an argument array; no shell is involved. The child is in a process group
 * of its own, so that Ctrl-C in a terminal reaches this program alone, which then ends the child
 * in the right order.
 *
 * @throws {MissingProgramError} where the program is not installed, or may not be executed
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

/** The last of a stream of text. */
class Tail {
  #bytes = new Uint8Array(0);
  #isCut = false;

  /** What has come so far, from the beginning of a line on. */
  get text(): string {
    const text = new TextDecoder().decode(this.#bytes);
    return this.#isCut ? text.slice(text.indexOf("\n") + 1) : text;
  }

  /** Reads a stream to its end, or to a moment after its writer's, and gives the last of it. */
  async fill(stream: ReadableStream<Uint8Array>, ended: Promise<unknown>): Promise<string> {
    const reader = stream.getReader();
    using limits = new DisposableStack();
    ended.then(() => {
      if (!limits.disposed) limits.use(deadline(STDERR_KEPT, () => void reader.cancel()));
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
