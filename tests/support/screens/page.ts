/** The page of `--view browser`, served by the process of the tests, and its colours. */
import type { Secret } from "../../../lib/net/secret.ts";
import { type MediaFolder, run } from "../media/media_folder.ts";
import type { TestServer } from "../peers/test_server.ts";
import { at, type Outcome, runInside } from "../programs/run_inside.ts";
import type { Page } from "./chromium.ts";

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
  async until(pattern: RegExp): Promise<RegExpMatchArray> {
    while (true) {
      const found = this.#stderr.text.match(pattern);
      if (found !== null) return found;
      await this.#stderr.changed();
    }
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

/**
 * Serves the page of a server, with more flags, and a token in the environment.
 *
 * @param server if there is none, the flags say what is shown
 */
export async function testPage(
  server: Pick<TestServer, "address"> | undefined,
  flags: readonly string[] = [],
  { token }: { token?: Secret } = {},
): Promise<TestPage> {
  const control = new AbortController();
  const stderr = new ErrorOutput();
  const printed = Promise.withResolvers<string>();
  const print = (text: string) => printed.resolve(text.match(/^Watch at (\S+)$/m)?.[1] ?? text);
  const where = server === undefined ? [] : at(server);
  const outcome = runInside(["--view", "browser", ...where, ...flags], {
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

/** Red, green and blue of the current frame of the video, as JavaScript. */
export const PICTURE = `(() => {
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  context.drawImage(document.querySelector("video"), 0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
})()`;

/** Whether a colour is close to another, as JavaScript. */
export function isNear(colour: string, expected: readonly number[]): string {
  return `${colour}.every((value, at) => Math.abs(value - ${JSON.stringify(expected)}[at]) < 40)`;
}

/** Red, green and blue of a pixel on the screen. */
export async function colourAt(
  page: Page,
  { x, y, media }: { x: number; y: number; media: MediaFolder },
): Promise<number[]> {
  const path = await media.write("screen.shot", await page.screenshot());
  const pixel = await run("ffmpeg", [
    ...["-f", "png_pipe", "-i", path, "-vf", `crop=1:1:${x}:${y}`],
    ...["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"],
  ]);
  await Deno.remove(path);
  return [...pixel];
}
