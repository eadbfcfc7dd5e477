/**
 * Many viewers of one live source, in a process of their own: `live_viewers.ts ORDER`, the order
 * being JSON. Says `joined` once all have a picture, waits for a line, measures, and prints what
 * they saw as JSON. They go on until the input ends.
 */
import { TextLineStream } from "@std/streams/text-line-stream";
import { print } from "../lib/base/log.ts";
import { MARK_LENGTH, parseMark, wallClock } from "./camera.ts";
import type { MediaRequest } from "../lib/protocol/native/request.ts";
import { MessageScanner, type ScannedFrame } from "./message_scanner.ts";

/** What the viewers are to do. */
export interface Order {
  port: number;
  request: MediaRequest;
  /** Viewers that read. */
  reading: number;
  /** Viewers that ask, and then never read. */
  stuck: number;
  /** Seconds that are measured. */
  seconds: number;
}

/** What one viewer saw while it was measured. */
export interface Seen {
  frames: number;
  /** Frames in front of which others were left out. */
  gaps: number;
  /** Milliseconds from when the server had a frame until it was there, whole; one a frame. */
  latencies: number[];
  /** The same from when the camera gave it. */
  ages: number[];
  /** The camera's numbers of the frames. */
  numbers: number[];
}

class Viewer {
  readonly seen: Seen = { frames: 0, gaps: 0, latencies: [], ages: [], numbers: [] };
  readonly joined = Promise.withResolvers<void>();
  /** Whether frames count. */
  isMeasured = false;
  #scanner: MessageScanner;

  constructor(scanner: MessageScanner) {
    this.#scanner = scanner;
  }

  /** Takes frames for ever. */
  async run(): Promise<never> {
    while (true) {
      const message = await this.#scanner.next();
      if (message === undefined || message.kind === "end") {
        throw new Error("Cannot go on watching: the server ended it");
      }
      if (message.kind !== "frame") continue;
      this.joined.resolve();
      if (!this.isMeasured) continue;
      this.#look(message);
    }
  }

  #look({ dropped, capturedAt, head }: ScannedFrame): void {
    const now = wallClock();
    const { seen } = this;
    const { madeAt, number } = head === undefined ? { madeAt: NaN, number: NaN } : parseMark(head);
    seen.frames++;
    if (dropped) seen.gaps++;
    seen.latencies.push(now - (capturedAt ?? NaN) / 1000);
    seen.ages.push(now - madeAt);
    seen.numbers.push(number);
  }
}

async function ask({ port, request }: Order): Promise<MessageScanner> {
  const scanner = await MessageScanner.connect(port, { headLength: MARK_LENGTH });
  await scanner.ask(request);
  return scanner;
}

async function main(order: Order): Promise<void> {
  const lines = Deno.stdin.readable
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream())
    .getReader();
  await Promise.all(Array.from({ length: order.stuck }, () => ask(order)));
  const scanners = await Promise.all(Array.from({ length: order.reading }, () => ask(order)));
  const viewers = scanners.map((scanner) => new Viewer(scanner));
  const ended = Promise.race(viewers.map((viewer) => viewer.run()));
  await Promise.race([ended, Promise.all(viewers.map(({ joined }) => joined.promise))]);
  print(Deno.stdout, "joined\n");
  const { done } = await Promise.race([ended, lines.read()]);
  if (done) return;
  for (const viewer of viewers) viewer.isMeasured = true;
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, order.seconds * 1000);
  await Promise.race([ended, promise]);
  for (const viewer of viewers) viewer.isMeasured = false;
  print(Deno.stdout, `${JSON.stringify(viewers.map(({ seen }) => seen))}\n`);
  // They go on watching until they are ended, so that what they take can still be looked at.
  await Promise.race([ended, lines.read()]);
}

if (import.meta.main) {
  await main(JSON.parse(Deno.args[0]));
  // The viewers are still watching.
  Deno.exit();
}
