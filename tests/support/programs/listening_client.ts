/** A client that waits for a script, in the tests' own process. */
import { type InsideOptions, type Outcome, runInside } from "./run_inside.ts";

/** The lines that name the address. */
const WAITING = /^Waiting for a camera on ([\d.]+):(\d+)/m;

/** A client that runs until it ends by itself, or is disposed. */
export class ListeningClient implements AsyncDisposable {
  /** How it ends. Its stderr is that of the whole run. */
  readonly outcome: Promise<Outcome>;
  #control = new AbortController();
  #stderr = "";
  #change = Promise.withResolvers<void>();

  private constructor(args: readonly string[], { environment, ...options }: InsideOptions) {
    const printError = (text: string) => {
      this.#stderr += text;
      this.#change.resolve();
      this.#change = Promise.withResolvers();
    };
    const running = runInside(args, {
      signal: this.#control.signal,
      ...options,
      environment: { ...environment, printError },
    });
    this.outcome = running.then((outcome) => {
      this.#change.resolve();
      return { ...outcome, stderr: this.#stderr + outcome.stderr };
    });
  }

  /** Starts it, and waits until it listens. */
  static async start(
    args: readonly string[],
    options: InsideOptions = {},
  ): Promise<ListeningClient & { address: Deno.ConnectOptions }> {
    const client = new ListeningClient(args, options);
    const [, hostname, port] = await client.until(WAITING);
    return Object.assign(client, { address: { hostname, port: Number(port) } });
  }

  /** Waits until its standard error matches. */
  async until(pattern: RegExp): Promise<RegExpMatchArray> {
    let hasEnded = false;
    this.outcome.then(() => hasEnded = true);
    while (true) {
      const found = this.#stderr.match(pattern);
      if (found !== null) return found;
      if (hasEnded) throw new Error(`It ended without ${pattern}: ${(await this.outcome).stderr}`);
      await this.#change.promise;
    }
  }

  /** Ends it as Ctrl-C does. */
  stop(): void {
    this.#control.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.outcome;
  }
}
