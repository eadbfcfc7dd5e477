/** The page of `--view browser`, served within the tests' own process. */
import { at, type Outcome, runInside } from "./inside.ts";
import type { TestServer } from "./server.ts";

/** A page that is served until it is disposed. */
export class TestPage implements AsyncDisposable {
  /** Its address as it was told, with the token if there is one. */
  readonly address: string;
  #end: AbortController;
  #outcome: Promise<Outcome>;

  constructor(address: string, end: AbortController, outcome: Promise<Outcome>) {
    this.address = address;
    this.#end = end;
    this.#outcome = outcome;
  }

  /** Host and port. */
  get host(): string {
    return new URL(this.address).host;
  }

  /** Asks for a path. */
  fetch(path: string, init?: RequestInit): Promise<Response> {
    return fetch(`http://${this.host}${path}`, init);
  }

  /** Ends it, as Ctrl-C does, and tells how that went. */
  async end(): Promise<Outcome> {
    this.#end.abort();
    return await this.#outcome;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

/** Serves the page for a server, with more flags. */
export async function testPage(
  server: Pick<TestServer, "address">,
  flags: readonly string[] = [],
): Promise<TestPage> {
  const end = new AbortController();
  const told = Promise.withResolvers<string>();
  const print = (text: string) => told.resolve(text.match(/^Watch at (\S+)$/m)?.[1] ?? text);
  const outcome = runInside(["--view", "browser", ...at(server), ...flags], {
    signal: end.signal,
    surroundings: { print },
  });
  const failed = outcome.then(({ stderr }) => {
    throw new Error(`Cannot serve the page: ${stderr}`);
  });
  // Who waits for the address learns it; afterwards it ends as it should.
  failed.catch(() => {});
  return new TestPage(await Promise.race([told.promise, failed]), end, outcome);
}
