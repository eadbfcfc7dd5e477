import { SERVER_V8_FLAGS, v8FlagsOf } from "../tools/build_table.ts";
import { linesOf } from "./lines.ts";
import { readProcessorTime } from "./proc.ts";
import { TimedProcess } from "./timed_process.ts";

const ROOT = new URL("../", import.meta.url);

/** The used part of `stream-client --json`. */
export interface ClientReport {
  frames: number;
  /** Bytes of all frames. */
  bytes: number;
  seconds: number;
  firstFrameMs: number;
}

/** Modules that are run as programs. */
type Script =
  | "server"
  | "client"
  | "bench/abusers"
  | "bench/live_viewers"
  | "bench/many_viewers"
  | "bench/publishers";

/** The project's two programs, run from source in child processes. */
export class Programs {
  /** Flags of Deno that the imports need on this network. */
  readonly flags: readonly string[];

  constructor(flags: readonly string[]) {
    this.flags = flags;
  }

  /**
   * Starts `stream-server` on a free port and waits until it listens.
   *
   * @param flags in addition to those for the port and the folder
   * @param countsLog logs at the default level, to be counted, and not only errors to stderr
   * @throws {Error} if it does not start
   */
  async startServer(
    media: string,
    { flags = [], countsLog = false, signal }: {
      flags?: readonly string[];
      countsLog?: boolean;
      signal: AbortSignal;
    },
  ): Promise<ServerProcess> {
    const args = this.#arguments("server", ["--port", "0", "--media", media, ...flags]);
    const command = new Deno.Command(Deno.execPath(), {
      args: countsLog ? args : [...args, "--log-level", "error"],
      stdin: "null",
      stdout: "piped",
      stderr: countsLog ? "piped" : "inherit",
      signal,
    });
    const child = command.spawn();
    const log = new LogCount(countsLog ? child.stderr : undefined);
    for await (const line of linesOf(child.stdout)) {
      const { own, children } = await readProcessorTime(child.pid);
      const port = Number(line.slice(line.lastIndexOf(":") + 1));
      return new ServerProcess(child, { port, starting: own + children, log });
    }
    const { code } = await child.status;
    throw new Error(`Cannot start the server: it exited (${code}) before it listened`);
  }

  /**
   * Runs `stream-client --json` until it exits.
   *
   * @returns its output, and its processor time in seconds
   * @throws {Error} if it fails
   */
  async runClient(
    args: readonly string[],
    signal: AbortSignal,
  ): Promise<ClientReport & { processor: number }> {
    const all = this.#arguments("client", [...args, "--json"]);
    await using client = await TimedProcess.start(Deno.execPath(), all, { signal });
    const printed = await new Response(client.stdout).text();
    const processor = await client.finished();
    return { ...JSON.parse(printed), processor };
  }

  /**
   * Starts viewers in a child process.
   *
   * @param options of `live_viewers.ts`, as JSON
   */
  startViewers(options: string, signal: AbortSignal): PeersProcess {
    return this.#startPeers("bench/live_viewers", [options], signal);
  }

  /**
   * Starts viewers of files in a child process.
   *
   * @param options of `many_viewers.ts`, as JSON
   */
  startMany(options: string, signal: AbortSignal): PeersProcess {
    return this.#startPeers("bench/many_viewers", [options], signal);
  }

  /**
   * Starts clients that harm others in a child process.
   *
   * @param options of `abusers.ts`, as JSON
   */
  startAbusers(options: string, signal: AbortSignal): PeersProcess {
    return this.#startPeers("bench/abusers", [options], signal);
  }

  /**
   * Starts publishers in a child process.
   *
   * @param options of `publishers.ts`, as JSON
   */
  startPublishers(options: string, signal: AbortSignal): PeersProcess {
    return this.#startPeers("bench/publishers", [options], signal);
  }

  /** Starts `stream-client` with flags for publishing. */
  startPublisher(port: number, flags: readonly string[], signal: AbortSignal): PeersProcess {
    return this.#startPeers("client", ["--port", String(port), ...flags], signal);
  }

  #startPeers(name: Script, args: readonly string[], signal: AbortSignal): PeersProcess {
    const command = new Deno.Command(Deno.execPath(), {
      args: this.#arguments(name, args),
      stdin: "piped",
      stdout: "piped",
      signal,
    });
    return new PeersProcess(command.spawn());
  }

  /** Arguments of Deno that run a program from source with the given permissions. */
  source(name: "server" | "client", permissions: readonly string[]): string[] {
    return this.#command(name, permissions);
  }

  #arguments(name: Script, args: readonly string[]): string[] {
    return [...this.#command(name, ["-A"]), ...args];
  }

  #command(name: string, permissions: readonly string[]): string[] {
    const config = decodeURIComponent(new URL("deno.json", ROOT).pathname);
    const flags = [
      ...this.flags,
      ...(name === "server" ? v8FlagsOf({ v8Flags: SERVER_V8_FLAGS }) : []),
    ];
    const script = new URL(`${name}.ts`, ROOT).href;
    return ["run", ...permissions, "--quiet", "--config", config, ...flags, script];
  }
}

/** Counts what a server logs, until it exits. */
class LogCount {
  bytes = 0;
  readonly ended: Promise<void>;

  constructor(stream: ReadableStream<Uint8Array> | undefined) {
    this.ended = this.#count(stream);
  }

  async #count(stream: ReadableStream<Uint8Array> = new Blob([]).stream()): Promise<void> {
    for await (const part of stream) this.bytes += part.byteLength;
  }
}

/** A running `stream-server`. */
export class ServerProcess implements AsyncDisposable {
  /** TCP port on 127.0.0.1. */
  readonly port: number;
  /** Processor time until it listened, including its children, seconds. */
  readonly starting: number;
  #child: Deno.ChildProcess;
  #log: LogCount;
  #hasExited = false;

  constructor(
    child: Deno.ChildProcess,
    { port, starting, log }: { port: number; starting: number; log: LogCount },
  ) {
    this.#child = child;
    this.#log = log;
    this.port = port;
    this.starting = starting;
    // After it has exited there is nothing to kill.
    child.status.then(() => this.#hasExited = true);
  }

  /** Process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Bytes of its log so far, if they are counted. */
  get logged(): number {
    return this.#log.bytes;
  }

  /** Stops it, and waits until it has exited. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasExited) this.#child.kill("SIGTERM");
    await this.#child.status;
    await this.#log.ended;
  }
}

/** A running program of many viewers or publishers. */
export class PeersProcess implements AsyncDisposable {
  #child: Deno.ChildProcess;
  #lines: AsyncIterator<string>;
  #input: WritableStreamDefaultWriter<Uint8Array>;
  #hasExited = false;

  constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#lines = linesOf(child.stdout)[Symbol.asyncIterator]();
    this.#input = child.stdin.getWriter();
    // After it has exited there is nothing to kill.
    child.status.then(() => this.#hasExited = true);
  }

  /** Process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Waits for the next line of its output. */
  async nextLine(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("Cannot measure: viewers or publishers exited early");
    return value;
  }

  /** Waits for a certain line. */
  async expect(line: string): Promise<void> {
    const found = await this.nextLine();
    if (found !== line) throw new Error(`Cannot measure: "${found}", expected "${line}"`);
  }

  /** Writes a line to its input. */
  async writeLine(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Stops it, and waits until it has exited. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasExited) this.#child.kill("SIGTERM");
    await this.#child.status;
  }
}

/** Resolves the imports on this network, as the tasks of the project do. */
export async function findPrograms(): Promise<Programs> {
  const script = decodeURIComponent(new URL("tools/std.ts", ROOT).pathname);
  const command = new Deno.Command(Deno.execPath(), { args: ["run", "-A", "--quiet", script] });
  const { success, stdout, stderr } = await command.output();
  if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
  const flags = new TextDecoder().decode(stdout).trim().split(/\s+/).filter((flag) => flag !== "");
  // The paths are relative to the project's folder, which may not be the current one.
  const root = decodeURIComponent(ROOT.pathname);
  return new Programs(flags.map((flag) => flag.replace("--import-map=", `--import-map=${root}`)));
}
