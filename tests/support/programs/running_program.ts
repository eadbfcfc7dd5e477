/** The two programs as processes, as users run them. */
import { assertEquals, assertMatch } from "@std/assert";

const ROOT = new URL("../../../", import.meta.url);

/** An environment variable that children inherit, by which processes that are left are found. */
const MARK = "STREAM_TEST_MARK";

/** A notice to viewers of frames that a busy machine makes too slowly. */
const SLOWNESS = /^(notice \w+: )?The server makes these frames at \d+ % of the speed [^\n]*\n/gm;

/** What a client printed, but for notices that say how busy the machine is. */
export function withoutSlowness(stderr: string): string {
  return stderr.replaceAll(SLOWNESS, "");
}

/** Options of {@linkcode startProgram}. */
export interface ProgramOptions {
  env?: Record<string, string>;
  /** Folder it runs in. */
  cwd?: string;
  /** An executable to start instead of the source. */
  path?: string;
  /** A program, with its first arguments, that starts this one: `unshare`, `sh -c …`. */
  wrapper?: readonly string[];
}

/** Collects an output of a program while it runs. */
export class Output {
  /** Settled when the output ends. */
  readonly ended: Promise<void>;
  #bytes = new Uint8Array(0);
  #news = Promise.withResolvers<void>();
  #over = false;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.ended = this.#collect(stream);
  }

  /** All bytes so far. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  /** All text so far. */
  get text(): string {
    return new TextDecoder().decode(this.#bytes);
  }

  /** The whole lines so far. */
  get lines(): string[] {
    return this.text.split("\n").slice(0, -1);
  }

  /**
   * Waits until the text so far matches.
   *
   * @throws {Error} if the output ends before
   */
  async until(pattern: RegExp): Promise<RegExpMatchArray> {
    while (true) {
      const found = this.text.match(pattern);
      if (found !== null) return found;
      if (this.#over) throw new Error(`Cannot find ${pattern} in "${this.text}"`);
      await this.#news.promise;
    }
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const chunk of stream) {
      const joined = new Uint8Array(this.#bytes.byteLength + chunk.byteLength);
      joined.set(this.#bytes);
      joined.set(chunk, this.#bytes.byteLength);
      this.#bytes = joined;
      this.#tell();
    }
    this.#over = true;
    this.#tell();
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}

/** Options of {@linkcode HelperProgram}. */
export interface HelperOptions {
  env?: Record<string, string>;
  /** @default "null" */
  stdin?: "null" | "piped";
  /** Ends the program. @default "SIGKILL" */
  signal?: Deno.Signal;
}

/** Another program that a test needs. It runs until it is disposed. */
export class HelperProgram implements AsyncDisposable {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Settled when the program has ended and its outputs are read. */
  readonly ended: Promise<Deno.CommandStatus>;
  #child: Deno.ChildProcess;
  #input: WritableStreamDefaultWriter<Uint8Array> | undefined;
  #signal: Deno.Signal;

  constructor(
    program: string,
    args: readonly string[],
    { env, stdin = "null", signal = "SIGKILL" }: HelperOptions = {},
  ) {
    this.#child = new Deno.Command(program, {
      ...{ args: [...args], env, stdin, stdout: "piped", stderr: "piped" },
    }).spawn();
    this.#signal = signal;
    this.stdout = new Output(this.#child.stdout);
    this.stderr = new Output(this.#child.stderr);
    this.ended = this.#end();
    if (stdin === "piped") this.#input = this.#child.stdin.getWriter();
  }

  /** Writes to its standard input, which has to be piped. */
  async type(text: string): Promise<void> {
    await this.#input?.write(new TextEncoder().encode(text));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    killRunning(this.#child, this.#signal);
    await this.ended;
    await this.#input?.abort();
  }

  async #end(): Promise<Deno.CommandStatus> {
    const status = await this.#child.status;
    await Promise.all([this.stdout.ended, this.stderr.ended]);
    return status;
  }
}

/** How a program ended. */
export interface Ending {
  code: number;
  signal: Deno.Signal | null;
  stdout: string;
  stderr: string;
}

/** A program that runs. */
export class RunningProgram implements AsyncDisposable {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly pid: number;
  #child: Deno.ChildProcess;
  #mark: string;
  #input: WritableStreamDefaultWriter<Uint8Array>;
  #status: Promise<Deno.CommandStatus>;

  constructor(child: Deno.ChildProcess, mark: string) {
    this.#child = child;
    this.#mark = mark;
    this.pid = child.pid;
    this.stdout = new Output(child.stdout);
    this.stderr = new Output(child.stderr);
    this.#input = child.stdin.getWriter();
    this.#status = child.status;
  }

  /** Writes to its standard input. */
  async type(text: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(text));
  }

  /** Ends its standard input. */
  async closeInput(): Promise<void> {
    await this.#input.close();
  }

  /** Sends a signal to the program alone; does nothing if it has ended. */
  kill(signal: Deno.Signal): void {
    killRunning(this.#child, signal);
  }

  /** Waits for the end, and checks that no child is left. */
  async ending(): Promise<Ending> {
    const { code, signal } = await this.#status;
    await Promise.all([this.stdout.ended, this.stderr.ended]);
    assertEquals(descendants(this.#mark), [], "processes that are left");
    const stderr = withoutSlowness(this.stderr.text);
    return { code, signal, stdout: this.stdout.text, stderr };
  }

  /** Kills the program and all its descendants. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { pid } of descendants(this.#mark)) end(pid);
    await this.#status;
    await Promise.all([this.stdout.ended, this.stderr.ended]);
    await this.#input.abort();
  }
}

/** Sends a signal to a child process, unless it has ended. */
function killRunning(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

/** Kills a process that may have ended meanwhile. */
function end(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Starts one of the programs, by default from its source. */
export function startProgram(
  name: "server" | "client",
  args: readonly string[],
  { env = {}, cwd, path, wrapper = [] }: ProgramOptions = {},
): RunningProgram {
  const mark = crypto.randomUUID();
  const [program, ...rest] = [...wrapper, ...(path === undefined ? sourceCommand(name) : [path])];
  const child = new Deno.Command(program, {
    args: [...rest, ...args],
    env: { ...env, [MARK]: mark, NO_COLOR: "1" },
    cwd,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return new RunningProgram(child, mark);
}

/** Runs one of the programs to its end. */
export async function runProgram(
  name: "server" | "client",
  args: readonly string[],
  options?: ProgramOptions,
): Promise<Ending> {
  await using program = startProgram(name, args, options);
  await program.closeInput();
  return await program.ending();
}

/** A server as a process, on a free port. */
export interface ServerProgram {
  program: RunningProgram;
  port: string;
}

/** Starts a server and waits until it listens. */
export async function startServerProgram(
  args: readonly string[],
  options?: ProgramOptions,
): Promise<ServerProgram> {
  const program = startProgram("server", ["--port", "0", ...args], options);
  const [, port] = await program.stdout.until(/^Listening on [\d.]+:(\d+)\n/);
  return { program, port };
}

/** Checks that a program failed with one line on stderr and nothing on stdout. */
export function assertFailed(ending: Ending, { code, reason }: { code: number; reason: RegExp }) {
  assertMatch(ending.stderr, /^Cannot [^\n]+\n$/);
  assertMatch(ending.stderr, reason);
  assertEquals([ending.code, ending.signal, ending.stdout], [code, null, ""]);
}

/** The command that runs a program from its source, with the import map of the tests. */
export function sourceCommand(name: "server" | "client"): string[] {
  return [
    ...[Deno.execPath(), "run", "-A", "--quiet", "--config", pathOf("deno.json")],
    ...importFlags(),
    pathOf(`${name}.ts`),
  ];
}

/** The flag for the import map of the tests. */
export function importFlags(): string[] {
  const offline = import.meta.resolve("@std/assert").startsWith("file:");
  return offline ? [`--import-map=${pathOf("tools/offline/import_map.json")}`] : [];
}

/** Path of a file of the project. */
export function pathOf(name: string): string {
  return decodeURIComponent(new URL(name, ROOT).pathname);
}

/** The processes with a mark in their environment. Without /proc, none is found. */
function descendants(mark: string): { pid: number; command: string }[] {
  if (Deno.build.os !== "linux") return [];
  const numbers = Array.from(Deno.readDirSync("/proc"), ({ name }) => Number(name));
  return numbers.filter(Number.isInteger)
    .filter((pid) => readProcess(pid, "environ").includes(`${MARK}=${mark}`))
    .map((pid) => ({ pid, command: readProcess(pid, "cmdline").replaceAll("\0", " ") }));
}

/** Reads a file of /proc; empty if the process has ended or belongs to another user. */
function readProcess(pid: number, what: "environ" | "cmdline"): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/${what}`);
  } catch (error) {
    const gone = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.PermissionDenied ||
      (error instanceof Error && error.message.includes("os error 3"));
    if (gone) return "";
    throw error;
  }
}
