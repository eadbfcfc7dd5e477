/** A real load balancer: HAProxy with the configuration that `deploy/` holds. */
import { PATIENCE } from "../time/patience.ts";
import { freePort } from "./machine.ts";
import { Output, pathOf } from "./running_program.ts";

/** Milliseconds between two looks at whether it listens. */
const LOOK_INTERVAL = 20;

/** A server that stands behind it, on this machine. */
export interface Behind {
  port: string;
  /** Port of its metrics. */
  metrics: string;
}

/** HAProxy in the foreground, on a free port of this machine. */
export class Balancer implements AsyncDisposable {
  /** Where clients connect. */
  readonly address: Deno.NetAddr;
  /** What it tells of connections and servers. */
  readonly log: Output;
  #child: Deno.ChildProcess;
  #stdout: Output;

  private constructor(child: Deno.ChildProcess, port: number) {
    this.#child = child;
    this.log = new Output(child.stderr);
    this.#stdout = new Output(child.stdout);
    this.address = { transport: "tcp", hostname: "127.0.0.1", port };
  }

  /**
   * Starts it and waits until it listens.
   *
   * @param env what else is other than in the configuration
   */
  static async start(
    [one, two]: readonly [Behind, Behind],
    env: Record<string, string> = {},
  ): Promise<Balancer> {
    const port = freePort();
    const child = new Deno.Command("haproxy", {
      args: ["-db", "-f", pathOf("deploy/haproxy.cfg")],
      env: {
        STREAM_BIND: `127.0.0.1:${port}`,
        STREAM_ONE: `127.0.0.1:${one.port}`,
        STREAM_ONE_METRICS: one.metrics,
        STREAM_TWO: `127.0.0.1:${two.port}`,
        STREAM_TWO_METRICS: two.metrics,
        ...env,
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const balancer = new Balancer(child, port);
    try {
      await balancer.#untilListening();
      return balancer;
    } catch (error) {
      await balancer[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Opens a socket to it. */
  connect(): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname: this.address.hostname, port: this.address.port });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      // It ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
    await Promise.all([this.#child.status, this.log.ended, this.#stdout.ended]);
  }

  async #untilListening(): Promise<void> {
    const limit = performance.now() + PATIENCE;
    while (performance.now() < limit) {
      try {
        using _socket = await this.connect();
        return;
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
        await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL));
      }
    }
    throw new Error(`Cannot start haproxy: it does not listen; ${this.log.text}`);
  }
}
