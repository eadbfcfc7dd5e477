import { linesOf } from "./lines.ts";
import { readProcessorTime } from "./proc.ts";
import { TimedProcess } from "./timed_process.ts";

const ROOT = new URL("../", import.meta.url);

/** The line of `stream-client --json`, as far as it is looked at. */
export interface ClientReport {
  frames: number;
  /** Of all frames. */
  bytes: number;
  seconds: number;
  firstFrameMs: number;
}

/** The project's two programs, run from their source in processes of their own. */
export class Programs {
  /** Deno's flags that the imports need on this network. */
  readonly flags: readonly string[];

  constructor(flags: readonly string[]) {
    this.flags = flags;
  }

  /**
   * Starts `stream-server` on a free port and waits until it listens.
   *
   * @param flags besides those for the port and the folder
   * @throws {Error} where it does not get so far
   */
  async startServer(
    media: string,
    { flags = [], signal }: { flags?: readonly string[]; signal: AbortSignal },
  ): Promise<ServerProcess> {
    const args = this.#arguments("server", ["--port", "0", "--media", media, ...flags]);
    const command = new Deno.Command(Deno.execPath(), {
      args: [...args, "--log-level", "error"],
      stdin: "null",
      stdout: "piped",
      signal,
    });
    const child = command.spawn();
    for await (const line of linesOf(child.stdout)) {
      const { own, children } = await readProcessorTime(child.pid);
      const port = Number(line.slice(line.lastIndexOf(":") + 1));
      return new ServerProcess(child, { port, starting: own + children });
    }
    const { code } = await child.status;
    throw new Error(`Cannot start the server: it ended (${code}) before it listened`);
  }

  /**
   * Runs `stream-client --json` to its end.
   *
   * @returns what it prints, and its processor time in seconds
   * @throws {Error} where it fails
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
   * Starts viewers in a process of their own.
   *
   * @param order what `live_viewers.ts` is told
   */
  startViewers(order: string, signal: AbortSignal): ViewersProcess {
    const command = new Deno.Command(Deno.execPath(), {
      args: this.#arguments("bench/live_viewers", [order]),
      stdin: "piped",
      stdout: "piped",
      signal,
    });
    return new ViewersProcess(command.spawn());
  }

  /** Deno's arguments that run one of the two from its source, with permissions of its own. */
  source(name: "server" | "client", permissions: readonly string[]): string[] {
    return this.#command(name, permissions);
  }

  #arguments(name: "server" | "client" | "bench/live_viewers", args: readonly string[]): string[] {
    return [...this.#command(name, ["-A"]), ...args];
  }

  #command(name: string, permissions: readonly string[]): string[] {
    const config = decodeURIComponent(new URL("deno.json", ROOT).pathname);
    const script = new URL(`${name}.ts`, ROOT).href;
    return ["run", ...permissions, "--quiet", "--config", config, ...this.flags, script];
  }
}

/** A running `stream-server`. */
export class ServerProcess implements AsyncDisposable {
  /** TCP port on 127.0.0.1. */
  readonly port: number;
  /** Processor time that it had taken, with its children, when it listened, seconds. */
  readonly starting: number;
  #child: Deno.ChildProcess;
  #over = false;

  constructor(child: Deno.ChildProcess, { port, starting }: { port: number; starting: number }) {
    this.#child = child;
    this.port = port;
    this.starting = starting;
    // Until it ends by itself, which is when there is nothing left to end.
    child.status.then(() => this.#over = true);
  }

  /** Number of the process. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Ends it and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#over) this.#child.kill("SIGTERM");
    await this.#child.status;
  }
}

/** A running `live_viewers.ts`. */
export class ViewersProcess implements AsyncDisposable {
  #child: Deno.ChildProcess;
  #lines: AsyncIterator<string>;
  #words: WritableStreamDefaultWriter<Uint8Array>;
  #over = false;

  constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#lines = linesOf(child.stdout)[Symbol.asyncIterator]();
    this.#words = child.stdin.getWriter();
    // Until it ends by itself, which is when there is nothing left to end.
    child.status.then(() => this.#over = true);
  }

  /** Number of the process. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Waits for the next line that it prints. */
  async nextLine(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("Cannot measure viewers: they ended early");
    return value;
  }

  /** Waits for a certain line. */
  async expect(line: string): Promise<void> {
    const found = await this.nextLine();
    if (found !== line) throw new Error(`Cannot measure viewers: "${found}", expected "${line}"`);
  }

  /** Sends a line. */
  async say(line: string): Promise<void> {
    await this.#words.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Ends it and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#over) this.#child.kill("SIGTERM");
    await this.#child.status;
  }
}

/** Finds out how the imports resolve on this network, the way that the project's tasks do. */
export async function findPrograms(): Promise<Programs> {
  const script = decodeURIComponent(new URL("tools/std.ts", ROOT).pathname);
  const command = new Deno.Command(Deno.execPath(), { args: ["run", "-A", "--quiet", script] });
  const { success, stdout, stderr } = await command.output();
  if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
  const flags = new TextDecoder().decode(stdout).trim().split(/\s+/).filter((flag) => flag !== "");
  // The paths are relative to the project's folder; the bench may be run from elsewhere.
  const root = decodeURIComponent(ROOT.pathname);
  return new Programs(flags.map((flag) => flag.replace("--import-map=", `--import-map=${root}`)));
}
