/** The page of `--view browser`, served within the tests' own process. */
import type { Secret } from "../../../lib/net/token.ts";
import { type MediaFolder, run } from "../media/media_folder.ts";
import type { TestServer } from "../peers/test_server.ts";
import { at, type Outcome, runInside } from "../programs/run_inside.ts";
import type { Page } from "./chromium.ts";

/** Standard error so far. */
class Said {
  text = "";
  #news = Promise.withResolvers<void>();

  /** Takes more. */
  add(text: string): void {
    this.text += text;
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  /** Waits for more. */
  async more(): Promise<void> {
    await this.#news.promise;
  }
}

/** A page that is served until it is disposed. */
export class TestPage implements AsyncDisposable {
  /** Its address as printed, with the token if there is one. */
  readonly address: string;
  #end: AbortController;
  #outcome: Promise<Outcome>;
  #said: Said;

  constructor(
    address: string,
    { end, outcome, said }: { end: AbortController; outcome: Promise<Outcome>; said: Said },
  ) {
    this.address = address;
    this.#end = end;
    this.#outcome = outcome;
    this.#said = said;
  }

  /** Host and port. */
  get host(): string {
    return new URL(this.address).host;
  }

  /** Asks for a path. */
  fetch(path: string, init?: RequestInit): Promise<Response> {
    return fetch(`http://${this.host}${path}`, init);
  }

  /** Waits until standard error matches. */
  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#said.text)) await this.#said.more();
  }

  /** Ends it as Ctrl-C does. */
  async end(): Promise<Outcome> {
    this.#end.abort();
    const outcome = await this.#outcome;
    return { ...outcome, stderr: this.#said.text + outcome.stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

/** Serves the page for a server. */
export async function testPage(
  server: Pick<TestServer, "address">,
  flags: readonly string[] = [],
  { token }: { token?: Secret } = {},
): Promise<TestPage> {
  const end = new AbortController();
  const said = new Said();
  const told = Promise.withResolvers<string>();
  const print = (text: string) => told.resolve(text.match(/^Watch at (\S+)$/m)?.[1] ?? text);
  const outcome = runInside(["--view", "browser", ...at(server), ...flags], {
    signal: end.signal,
    environment: { print, printError: (text) => said.add(text), token: () => token },
  });
  const failed = outcome.then(({ stderr }) => {
    throw new Error(`Cannot serve the page: ${said.text}${stderr}`);
  });
  // The race below reports it; afterwards an end is expected.
  failed.catch(() => {});
  const address = await Promise.race([told.promise, failed]);
  return new TestPage(address, { end, outcome, said });
}

/** JavaScript for red, green and blue of the video's current frame. */
export const PICTURE = `(() => {
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  context.drawImage(document.querySelector("video"), 0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
})()`;

/** JavaScript that compares a colour with another, with a tolerance. */
export function isNear(colour: string, expected: readonly number[]): string {
  return `${colour}.every((value, at) => Math.abs(value - ${JSON.stringify(expected)}[at]) < 40)`;
}

/** Red, green and blue of a pixel of the page. */
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
