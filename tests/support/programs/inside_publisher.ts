/** A client that publishes in the tests' own process. */
import { deadline } from "../../../lib/base/async.ts";
import { PATIENCE } from "../time/patience.ts";
import { type InsideOptions, type Outcome, runInside } from "./run_inside.ts";

/** A client that publishes until its input is over or it is stopped. */
export class InsidePublisher implements AsyncDisposable {
  /** Settled when it has ended. */
  readonly ended: Promise<Outcome>;
  #text = "";
  #stop = new AbortController();
  #watchers = new Set<() => void>();

  constructor(args: readonly string[], { environment, ...options }: InsideOptions = {}) {
    const printError = (text: string) => {
      this.#text += text;
      for (const check of this.#watchers) check();
    };
    this.ended = runInside(args, {
      ...{ ...options, signal: this.#stop.signal },
      environment: { ...environment, printError },
    });
  }

  /** What it has printed on standard error. */
  get text(): string {
    return this.#text;
  }

  /** Waits until that matches, as often as `count`. */
  async told(pattern: RegExp, count = 1): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    using _limit = deadline(PATIENCE, () => {
      reject(new Error(`Cannot find ${pattern} ${count} times in:\n${this.#text}`));
    });
    const check = () => {
      if ([...this.#text.matchAll(new RegExp(pattern, "gm"))].length >= count) resolve();
    };
    this.#watchers.add(check);
    check();
    await promise.finally(() => this.#watchers.delete(check));
  }

  /** Stops it, as Ctrl-C does, and waits for its end. */
  async stop(): Promise<Outcome> {
    this.#stop.abort();
    return await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Starts a client that publishes, and waits until the server has accepted it. */
export async function publishInside(
  args: readonly string[],
  options?: InsideOptions,
): Promise<InsidePublisher> {
  const publisher = new InsidePublisher(args, options);
  await publisher.told(/^Publishing /);
  return publisher;
}
