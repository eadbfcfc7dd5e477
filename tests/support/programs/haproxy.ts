/** A real load balancer: HAProxy with a configuration that `deploy/` holds. */
import { PATIENCE } from "../time/patience.ts";
import { freePort } from "./machine.ts";
import { HelperProgram, type Output, pathOf } from "./running_program.ts";

/** Milliseconds between two attempts to connect. */
const LOOK_INTERVAL = 20;

/** A server behind the balancer, on this machine. */
export interface Behind {
  port: string;
  /** Port of its metrics. */
  metrics: string;
}

/** HAProxy in the foreground, on a free port of this machine. */
export class Balancer implements AsyncDisposable {
  /** Where clients connect. */
  readonly address: Deno.NetAddr;
  #program: HelperProgram;

  private constructor(program: HelperProgram, port: number) {
    this.#program = program;
    this.address = { transport: "tcp", hostname: "127.0.0.1", port };
  }

  /** Its log of connections and servers. */
  get log(): Output {
    return this.#program.stderr;
  }

  /**
   * Starts it and waits until it listens at all its ports.
   *
   * @param env overrides of the configuration
   * @param configuration its file in `deploy/`
   */
  static async start(
    [one, two]: readonly [Behind, Behind],
    env: Record<string, string> = {},
    configuration = "haproxy.cfg",
  ): Promise<Balancer> {
    const port = freePort();
    const settings: Record<string, string> = {
      STREAM_BIND: `127.0.0.1:${port}`,
      STREAM_ONE: `127.0.0.1:${one.port}`,
      STREAM_ONE_METRICS: one.metrics,
      STREAM_TWO: `127.0.0.1:${two.port}`,
      STREAM_TWO_METRICS: two.metrics,
      ...env,
    };
    const args = ["-db", "-f", pathOf(`deploy/${configuration}`)];
    const balancer = new Balancer(new HelperProgram("haproxy", args, { env: settings }), port);
    const ports = Object.keys(settings).filter((name) => name.endsWith("_BIND"))
      .map((name) => Number(settings[name].split(":").at(-1)));
    try {
      for (const port of ports) await balancer.#untilListening(port);
      return balancer;
    } catch (error) {
      await balancer[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Opens a socket to it. */
  connect(port = this.address.port): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname: this.address.hostname, port });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }

  async #untilListening(port: number): Promise<void> {
    const limit = performance.now() + PATIENCE;
    while (performance.now() < limit) {
      try {
        using _socket = await this.connect(port);
        return;
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
        await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL));
      }
    }
    throw new Error(`Cannot start haproxy: it does not listen; ${this.log.text}`);
  }
}
