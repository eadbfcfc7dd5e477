/** A server in a process of its own, and what can be seen of it from outside (proc(5)). */
import { TextLineStream } from "@std/streams/text-line-stream";
import { hostSystem, programsFor } from "../build_table.ts";

const ROOT = new URL("../../", import.meta.url);

/** Lines of the log that say that something is wrong with the server, and not with a peer. */
const WRONG =
  /^\S+ error |^error: |\b(TypeError|RangeError|ReferenceError|Uncaught|panicked)\b|^\s+at \S+/;

/** Such lines that are kept. */
const MOST_KEPT = 20;

/** Milliseconds from one look to the next while something is waited for. */
const LOOKING = 100;

/** What the server says of itself. */
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
  /** Lines of the log that tell of a fault of the server itself, the first of them. */
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
   * Starts one on a free port, with the permissions that the executable has.
   *
   * @param flags besides those for port and metrics
   * @throws {Error} where it does not listen
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
    const said: string[] = [];
    const metrics = Promise.withResolvers<string>();
    const log = (async () => {
      for await (const line of linesOf(child.stderr)) {
        const [, address] = line.match(/Metrics are at (http:\S+)/) ?? [];
        if (address !== undefined) metrics.resolve(address);
        if (said.length < MOST_KEPT) said.push(line);
        if (WRONG.test(line) && faults.length < MOST_KEPT) faults.push(line);
      }
      metrics.reject(new Error(`Cannot start the server: ${said.join("; ")}`));
    })();
    const [port, address] = await Promise.all([readPort(child.stdout), metrics.promise]);
    return new ServerProcess(child, { port, metrics: address, faults, log });
  }

  /** Bytes of memory that are resident. */
  async memory(): Promise<number> {
    const status = await Deno.readTextFile(`/proc/${this.#child.pid}/status`);
    return Number(status.match(/^VmRSS:\s+(\d+) kB$/m)?.[1]) * 1024;
  }

  /** How many descriptors are open. */
  async descriptors(): Promise<number> {
    let count = 0;
    for await (const _ of Deno.readDir(`/proc/${this.#child.pid}/fd`)) count++;
    return count;
  }

  /** How many processes it has started that are there, ended and not waited for ones included. */
  async children(): Promise<number> {
    let count = 0;
    for await (const { name } of Deno.readDir("/proc")) {
      if (/^\d+$/.test(name) && await parentOf(name) === this.#child.pid) count++;
    }
    return count;
  }

  /** What it says of itself. */
  async gauges(): Promise<Gauges> {
    // Each time a connection of its own, so that none stays open.
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
   * Waits until nobody is served, and nothing runs.
   *
   * @param patience milliseconds
   * @returns what is still there, where it takes longer
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
      await new Promise((done) => setTimeout(done, LOOKING));
    }
  }

  /** Ends it as a service does, and tells how it ended. */
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

/** The flag for the imports that this program has. */
function importFlags(): string[] {
  const isOffline = import.meta.resolve("@std/assert").startsWith("file:");
  return isOffline ? [`--import-map=${pathOf("tools/offline/import_map.json")}`] : [];
}

function pathOf(name: string): string {
  return decodeURIComponent(new URL(name, ROOT).pathname);
}

/** The process that started another; `undefined` where that one has ended meanwhile. */
async function parentOf(pid: string): Promise<number | undefined> {
  try {
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch (error) {
    // Which of the two is told depends on how far it was.
    const isGone = error instanceof Deno.errors.NotFound ||
      (error instanceof Error && error.message.includes("os error 3"));
    if (!isGone) throw error;
    return undefined;
  }
}
