/**
 * Many viewers of one live source in one process: `live_viewers.ts OPTIONS`, with options as JSON.
 * Prints `joined` when all have a frame, waits for a line, measures, and prints the results as
 * JSON. The viewers continue until stdin closes.
 */
import { TextLineStream } from "@std/streams/text-line-stream";
import { print } from "../lib/base/log.ts";
import { MARK_LENGTH, parseMark, wallClock } from "./camera.ts";
import type { MediaRequest } from "../lib/protocol/native/request.ts";
import { MessageScanner, type ScannedFrame } from "./message_scanner.ts";

/** Options of the viewers. */
export interface ViewersOptions {
  port: number;
  request: MediaRequest;
  /** Names to spread the viewers over. @default that of the request */
  names?: readonly string[];
  /** Number of viewers that read. */
  reading: number;
  /** Number of viewers that send a request and never read. */
  stuck: number;
  /** Duration of the measurement, seconds. */
  seconds: number;
}

/** Measurement of one viewer. */
export interface ViewerResult {
  frames: number;
  /** Frames with the flag for dropped frames before them. */
  gaps: number;
  /** Milliseconds from the capture time to the complete arrival, one value per frame. */
  latencies: number[];
  /** The same from the camera. */
  ages: number[];
  /** The camera's numbers of the frames. */
  numbers: number[];
}

class Viewer {
  readonly result: ViewerResult = { frames: 0, gaps: 0, latencies: [], ages: [], numbers: [] };
  readonly joined = Promise.withResolvers<void>();
  /** Whether frames are counted. */
  isMeasured = false;
  #scanner: MessageScanner;

  constructor(scanner: MessageScanner) {
    this.#scanner = scanner;
  }

  /** Reads frames without end. */
  async run(): Promise<never> {
    while (true) {
      const message = await this.#scanner.next();
      if (message === undefined || message.kind === "end") {
        throw new Error("Cannot continue: the server ended the response");
      }
      if (message.kind !== "frame") continue;
      this.joined.resolve();
      if (!this.isMeasured) continue;
      this.#count(message);
    }
  }

  #count({ dropped, capturedAt, head }: ScannedFrame): void {
    const now = wallClock();
    const { result } = this;
    const { madeAt, number } = head === undefined ? { madeAt: NaN, number: NaN } : parseMark(head);
    result.frames++;
    if (dropped) result.gaps++;
    result.latencies.push(now - (capturedAt ?? NaN) / 1000);
    result.ages.push(now - madeAt);
    result.numbers.push(number);
  }
}

/** @param at number of the viewer */
async function sendRequest(
  { port, request, names }: ViewersOptions,
  at = 0,
): Promise<MessageScanner> {
  const scanner = await MessageScanner.connect(port, { headLength: MARK_LENGTH });
  const name = names === undefined ? request.name : names[at % names.length];
  await scanner.request({ ...request, name });
  return scanner;
}

async function main(options: ViewersOptions): Promise<void> {
  const lines = Deno.stdin.readable
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream())
    .getReader();
  await Promise.all(Array.from({ length: options.stuck }, () => sendRequest(options)));
  const scanners = await Promise.all(
    Array.from({ length: options.reading }, (_, at) => sendRequest(options, at)),
  );
  const viewers = scanners.map((scanner) => new Viewer(scanner));
  const ended = Promise.race(viewers.map((viewer) => viewer.run()));
  await Promise.race([ended, Promise.all(viewers.map(({ joined }) => joined.promise))]);
  print(Deno.stdout, "joined\n");
  const { done } = await Promise.race([ended, lines.read()]);
  if (done) return;
  for (const viewer of viewers) viewer.isMeasured = true;
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, options.seconds * 1000);
  await Promise.race([ended, promise]);
  for (const viewer of viewers) viewer.isMeasured = false;
  print(Deno.stdout, `${JSON.stringify(viewers.map(({ result }) => result))}\n`);
  // They continue, so that their resource usage can still be read.
  await Promise.race([ended, lines.read()]);
}

if (import.meta.main) {
  await main(JSON.parse(Deno.args[0]));
  // The viewers are still running.
  Deno.exit();
}
