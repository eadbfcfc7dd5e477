/** The page of `--view browser`, served within the tests' own process. */
import type { Secret } from "../../lib/net/secret.ts";
import { at, type Outcome, runInside } from "./inside.ts";
import type { TestServer } from "./server.ts";

/** Collects standard error, and reports changes. */
class ErrorOutput {
  text = "";
  #change = Promise.withResolvers<void>();

  /** Appends a text. */
  add(text: string): void {
    this.text += text;
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  /** Waits for the next text. */
  async changed(): Promise<void> {
    await this.#change.promise;
  }
}

/** A page that is served until disposal. */
export class TestPage implements AsyncDisposable {
  /** The printed URL, with the token if there is one. */
  readonly address: string;
  #control: AbortController;
  #outcome: Promise<Outcome>;
  #stderr: ErrorOutput;

  constructor(
    address: string,
    { control, outcome, stderr }: {
      control: AbortController;
      outcome: Promise<Outcome>;
      stderr: ErrorOutput;
    },
  ) {
    this.address = address;
    this.#control = control;
    this.#outcome = outcome;
    this.#stderr = stderr;
  }

  /** Host and port. */
  get host(): string {
    return new URL(this.address).host;
  }

  /** Requests a path. */
  fetch(path: string, init?: RequestInit): Promise<Response> {
    return fetch(`http://${this.host}${path}`, init);
  }

  /** Waits until standard error matches. */
  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#stderr.text)) await this.#stderr.changed();
  }

  /** Ends the client, as Ctrl-C does. */
  async end(): Promise<Outcome> {
    this.#control.abort();
    const outcome = await this.#outcome;
    return { ...outcome, stderr: this.#stderr.text + outcome.stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

/** Serves the page of a server, with more flags, and a token in the environment. */
export async function testPage(
  server: Pick<TestServer, "address">,
  flags: readonly string[] = [],
  { token }: { token?: Secret } = {},
): Promise<TestPage> {
  const control = new AbortController();
  const stderr = new ErrorOutput();
  const printed = Promise.withResolvers<string>();
  const print = (text: string) => printed.resolve(text.match(/^Watch at (\S+)$/m)?.[1] ?? text);
  const outcome = runInside(["--view", "browser", ...at(server), ...flags], {
    signal: control.signal,
    environment: { print, printError: (text) => stderr.add(text), token: () => token },
  });
  const failed = outcome.then((ended) => {
    throw new Error(`Cannot serve the page: ${stderr.text}${ended.stderr}`);
  });
  // Only a failure before the address is printed counts.
  failed.catch(() => {});
  const address = await Promise.race([printed.promise, failed]);
  return new TestPage(address, { control, outcome, stderr });
}
