/** A server in a child process, and its resource usage by proc(5). */
import { TextLineStream } from "@std/streams/text-line-stream";
import { hostSystem, programsFor } from "../build_table.ts";

const ROOT = new URL("../../", import.meta.url);

/** Log lines that report a fault of the server, not of a peer. */
const FAULT =
  /^\S+ error |^error: |\b(TypeError|RangeError|ReferenceError|Uncaught|panicked)\b|^\s+at \S+/;

/** Maximum number of kept lines. */
const MAX_LINES = 20;

/** Milliseconds between checks while waiting. */
const CHECK_INTERVAL = 100;

/** Milliseconds within which the last connections are closed, even if the machine is slow. */
const LAST_CONNECTIONS = 60_000;

/** Milliseconds without a close after which, as far as is known, no more connections are closed. */
const SETTLED = 3000;

/** Metrics of the server. */
export interface Gauges {
  viewers: number;
  decoders: number;
  waiting: number;
  liveFeeds: number;
  frameMemory: number;
}

/** A running server. */
export class ServerProcess implements AsyncDisposable {
  /** TCP port on 127.0.0.1. */
  readonly port: number;
  /** The first log lines that report a fault of the server. */
  readonly faults: readonly string[];
  #child: Deno.ChildProcess;
  #metrics: string;
  #log: Promise<void>;
  #ending: Promise<Deno.CommandStatus> | undefined;

  private constructor(
    child: Deno.ChildProcess,
    { port, metrics, faults, log }: {
      port: number;
      metrics: string;
      faults: readonly string[];
      log: Promise<void>;
    },
  ) {
    this.#child = child;
    this.port = port;
    this.faults = faults;
    this.#metrics = metrics;
    this.#log = log;
  }

  /**
   * Starts a server on a free port, with the permissions of the executable.
   *
   * @param flags in addition to those for port and metrics
   * @throws {Error} if it does not listen
   */
  static async start(flags: readonly string[]): Promise<ServerProcess> {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--config", pathOf("deno.json"), ...importFlags()],
        ...programsFor(hostSystem()).server.permissions,
        ...[pathOf("server.ts"), "--port", "0", "--metrics", "0", ...flags],
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1" },
    }).spawn();
    const faults: string[] = [];
    const lines: string[] = [];
    const metrics = Promise.withResolvers<string>();
    const log = (async () => {
      for await (const line of linesOf(child.stderr)) {
        const [, address] = line.match(/Metrics are at (http:\S+)/) ?? [];
        if (address !== undefined) metrics.resolve(address);
        if (lines.length < MAX_LINES) lines.push(line);
        if (FAULT.test(line) && faults.length < MAX_LINES) faults.push(line);
      }
      metrics.reject(new Error(`Cannot start the server: ${lines.join("; ")}`));
    })();
    const [port, address] = await Promise.all([readPort(child.stdout), metrics.promise]);
    return new ServerProcess(child, { port, metrics: address, faults, log });
  }

  /** Resident memory, bytes. */
  async memory(): Promise<number> {
    const status = await Deno.readTextFile(`/proc/${this.#child.pid}/status`);
    return Number(status.match(/^VmRSS:\s+(\d+) kB$/m)?.[1]) * 1024;
  }

  /** Number of open descriptors. */
  async descriptors(): Promise<number> {
    let count = 0;
    for await (const _ of Deno.readDir(`/proc/${this.#child.pid}/fd`)) count++;
    return count;
  }

  /**
   * Number of open descriptors once the last connections are closed: the server keeps those that it
   * has refused for a second, and that of its metrics until they are read.
   *
   * @param expected number at which it is not looked any longer
   */
  async lastDescriptors(expected?: number): Promise<number> {
    const patience = expected === undefined ? SETTLED : LAST_CONNECTIONS;
    let end = performance.now() + patience;
    let least = await this.descriptors();
    while (least > (expected ?? 0) && performance.now() < end) {
      await new Promise((done) => setTimeout(done, CHECK_INTERVAL));
      const count = await this.descriptors();
      if (count < least) end = performance.now() + patience;
      least = Math.min(least, count);
    }
    return least;
  }

  /** Number of child processes, zombies included. */
  async children(): Promise<number> {
    let count = 0;
    for await (const { name } of Deno.readDir("/proc")) {
      if (/^\d+$/.test(name) && await parentOf(name) === this.#child.pid) count++;
    }
    return count;
  }

  /** Its metrics. */
  async gauges(): Promise<Gauges> {
    // A new connection each time, so that none stays open.
    const response = await fetch(this.#metrics, { headers: { connection: "close" } });
    const text = await response.text();
    const read = (name: string) =>
      Number(text.match(new RegExp(`^stream_${name} (\\S+)$`, "m"))?.[1] ?? NaN);
    return {
      viewers: read("viewers"),
      decoders: read("decoders"),
      waiting: read("decoders_waiting"),
      liveFeeds: read("live_feeds"),
      frameMemory: read("frame_memory_bytes"),
    };
  }

  /**
   * Waits until the server has no clients and no children.
   *
   * @param patience milliseconds
   * @returns what is left after that time, or `undefined` if nothing is
   */
  async idle(patience: number): Promise<string | undefined> {
    const end = performance.now() + patience;
    while (true) {
      const gauges = await this.gauges();
      const children = await this.children();
      const left = Object.entries({ ...gauges, children }).filter(([, count]) => count !== 0);
      if (left.length === 0) return undefined;
      if (performance.now() > end) {
        return left.map(([name, count]) => `${name} ${count}`).join(", ");
      }
      await new Promise((done) => setTimeout(done, CHECK_INTERVAL));
    }
  }

  /** Stops it by SIGTERM, and returns its status. */
  async end(): Promise<Deno.CommandStatus> {
    this.#ending ??= this.#end();
    return await this.#ending;
  }

  async #end(): Promise<Deno.CommandStatus> {
    this.#child.kill("SIGTERM");
    const status = await this.#child.status;
    await this.#log;
    return status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

async function readPort(stdout: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<number> {
  for await (const line of linesOf(stdout)) return Number(line.slice(line.lastIndexOf(":") + 1));
  return NaN;
}

function linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncIterable<string> {
  return stream.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
}

/** The import map flag of this program. */
function importFlags(): string[] {
  const isOffline = import.meta.resolve("@std/assert").startsWith("file:");
  return isOffline ? [`--import-map=${pathOf("tools/offline/import_map.json")}`] : [];
}

function pathOf(name: string): string {
  return decodeURIComponent(new URL(name, ROOT).pathname);
}

/** The parent of a process; `undefined` if the process has ended. */
async function parentOf(pid: string): Promise<number | undefined> {
  try {
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch (error) {
    // Which error occurs depends on how far it has ended.
    const isGone = error instanceof Deno.errors.NotFound ||
      (error instanceof Error && error.message.includes("os error 3"));
    if (!isGone) throw error;
    return undefined;
  }
}
