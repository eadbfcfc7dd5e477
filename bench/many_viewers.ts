/**
 * Many viewers of files in one process: `many_viewers.ts OPTIONS`, with options as JSON. They begin
 * one after the other, play in real time and discard the frames. Prints `began` when the last one
 * has begun, and the results as JSON when all have played. The viewers continue until stdin closes.
 */
import { TextLineStream } from "@std/streams/text-line-stream";
import { print } from "../lib/base/log.ts";
import { MONOTONIC_CLOCK } from "../lib/base/clock.ts";
import { messageOf } from "../lib/base/errors.ts";
import { encodeMessage, HEADER_LENGTH, parseHeader } from "../lib/protocol/native/framing.ts";
import {
  encodeControl,
  encodeRequest,
  type MediaRequest,
  parseControl,
} from "../lib/protocol/native/request.ts";
import { parseDescription } from "../lib/protocol/native/response.ts";
import { PlayMeter } from "./play_meter.ts";

/** Options of the viewers. */
export interface ManyOptions {
  port: number;
  /** One for each viewer; the word `get_video` of scripts for those without. */
  requests: (MediaRequest | null)[];
  /** Frames per second of what scripts get. */
  rate: number;
  /** Seconds from the first viewer to the last. */
  within: number;
  /** Seconds that the last viewer plays. */
  seconds: number;
  /** Seconds from one seek of a viewer to the next. @default no seeks */
  seekEvery?: number;
  /** Seconds of the media, for the targets of seeks. */
  length: number;
}

/** What one viewer saw. */
export interface PlayedResult {
  /** Milliseconds from before the connection to the first frame that is shown; absent without any. */
  first?: number;
  /** Milliseconds from each seek to the first frame behind its echo that is shown. */
  seeks: number[];
  /** Milliseconds by which frames came late. */
  lateness: number[];
  /** Frames per second since all viewers have begun. */
  rate: number;
  /** Share of the time since the latest start or seek that frames came for: 1 in real time. */
  speed: number;
  /** Why it ended before it was to. */
  cut?: string;
}

/** Seconds without a seek at the end: a shorter time does not tell whether a viewer is in real time. */
const SETTLED = 2;

/** Bytes per read: a compressed frame, or a part of a raw one that stays in the processor's cache. */
const BUFFER_SIZE = 64 * 1024;

/** Bytes up to which a message of a script is the end, and no picture. */
const END_SIZE = 100;

/** Bytes of the length in front of a message of a script. */
const LENGTH_SIZE = 4;

/** A viewer that looks at headers only. It parses without waiting, to use little of the processor. */
class Viewer {
  readonly seeks: number[] = [];
  frames = 0;
  first: number | undefined;
  readonly meter = new PlayMeter();
  #request: MediaRequest | null;
  #rate: number;
  #socket: Deno.TcpConn | undefined;
  #began = 0;
  /** Bytes of the current frame that have not come yet, and what to do with them. */
  #rest = 0;
  #onWhole: (now: number) => void = () => {};
  /** When the seek was sent that has no frame yet; the echo has come if it is reached. */
  #seek: { at: number; isReached: boolean } | undefined;
  #isEnded = false;

  constructor(request: MediaRequest | null, { rate }: ManyOptions) {
    this.#request = request;
    this.#rate = rate;
  }

  /** Receives until the response ends; throws if it is cut. */
  async run(port: number): Promise<void> {
    this.#began = performance.now();
    const socket = await Deno.connect({ hostname: "127.0.0.1", port });
    this.#socket = socket;
    await this.#send(
      this.#request === null
        ? new TextEncoder().encode("get_video")
        : encodeMessage("request", encodeRequest(this.#request)),
    );
    let buffer = new Uint8Array(BUFFER_SIZE);
    let filled = 0;
    while (!this.#isEnded) {
      const count = await socket.read(buffer.subarray(filled));
      if (count === null) throw new Error("the server closed the connection");
      filled += count;
      const used = this.#takeAll(buffer.subarray(0, filled), performance.now());
      buffer.copyWithin(0, used, filled);
      filled -= used;
      if (filled < buffer.byteLength) continue;
      // A description that is larger.
      const larger = new Uint8Array(buffer.byteLength * 2);
      larger.set(buffer);
      buffer = larger;
    }
  }

  /** Seeks, unless nothing has come yet, or an earlier seek is under way. */
  async seek(to: number): Promise<void> {
    if (this.first === undefined || this.#seek !== undefined || this.#isEnded) return;
    this.#seek = { at: performance.now(), isReached: false };
    await this.#send(encodeMessage("control", encodeControl({ action: "seek", to, id: 1 })));
  }

  /** @returns bytes that were taken */
  #takeAll(bytes: Uint8Array, now: number): number {
    let at = 0;
    while (!this.#isEnded) {
      if (this.#rest > 0) {
        const part = Math.min(this.#rest, bytes.byteLength - at);
        at += part;
        this.#rest -= part;
        if (this.#rest > 0) break;
        this.#onWhole(now);
      }
      const used = this.#request === null
        ? this.#takePicture(bytes.subarray(at))
        : this.#takeMessage(bytes.subarray(at), now);
      if (used === 0) break;
      at += used;
    }
    return at;
  }

  /** Takes the beginning of a frame, or another message whole. */
  #takeMessage(bytes: Uint8Array, now: number): number {
    if (bytes.byteLength < HEADER_LENGTH) return 0;
    const { kind, payloadLength, streamId, timestamp } = parseHeader(bytes);
    if (kind === "frame") {
      this.#await(payloadLength, now, (whole) => {
        this.#count(whole, this.meter.frame(streamId, timestamp, whole));
      });
      return HEADER_LENGTH;
    }
    const size = HEADER_LENGTH + payloadLength;
    if (bytes.byteLength < size) return 0;
    const payload = bytes.slice(HEADER_LENGTH, size);
    if (kind === "error") throw new Error(new TextDecoder().decode(payload));
    if (kind === "end") this.#isEnded = true;
    if (kind === "describe") this.meter.describe(parseDescription(payload).streams);
    if (kind === "ping") this.#send(encodeMessage("pong", payload)).catch(() => this.close());
    if (kind === "control" && this.#seek !== undefined) {
      this.#seek.isReached = true;
      this.meter.seek(Number(parseControl(payload).to) - (this.#request?.start ?? 0));
    }
    return size;
  }

  /** Takes the beginning of what a script gets. */
  #takePicture(bytes: Uint8Array): number {
    if (bytes.byteLength < LENGTH_SIZE) return 0;
    const view = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_SIZE);
    const size = view.getInt32(0, true);
    this.#isEnded = size < END_SIZE;
    this.#await(size, 0, (whole) => {
      this.meter.timed(this.frames / this.#rate, whole);
      this.#count(whole, true);
    });
    return LENGTH_SIZE;
  }

  #await(size: number, now: number, onWhole: (now: number) => void): void {
    this.#rest = size;
    this.#onWhole = onWhole;
    if (size === 0) onWhole(now);
  }

  #count(now: number, isShown: boolean): void {
    this.frames++;
    if (!isShown) return;
    this.first ??= now - this.#began;
    if (this.#seek?.isReached !== true) return;
    this.seeks.push(now - this.#seek.at);
    this.#seek = undefined;
  }

  close(): void {
    this.#isEnded = true;
    this.#socket?.close();
  }

  async #send(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.byteLength;) {
      sent += await this.#socket!.write(bytes.subarray(sent));
    }
  }
}

/** Runs a viewer, with its seeks, and keeps why it was cut. */
class Visit {
  readonly viewer: Viewer;
  #options: ManyOptions;
  #number: number;
  #cut: string | undefined;
  /** Frames that came before all viewers had begun. */
  #before = 0;
  #seeks: ReturnType<typeof setInterval> | undefined;

  constructor(number: number, options: ManyOptions) {
    this.#number = number;
    this.#options = options;
    this.viewer = new Viewer(options.requests[number], options);
  }

  begin(): void {
    const { port, seekEvery } = this.#options;
    this.viewer.run(port).then(
      () => this.#cut = "the response ended",
      (error) => this.#cut ??= messageOf(error),
    );
    if (seekEvery !== undefined) this.#seeks = setInterval(() => this.#seek(), seekEvery * 1000);
  }

  /** Seeks no more. */
  settle(): void {
    clearInterval(this.#seeks);
  }

  /** @param now milliseconds */
  result(now: number): PlayedResult {
    const { first, seeks, frames, meter } = this.viewer;
    const lateness = meter.lateness.map((late) => Math.round(late * 10) / 10);
    const rate = (frames - this.#before) / this.#options.seconds;
    return { first, seeks, rate, lateness, speed: meter.speed(now), cut: this.#cut };
  }

  /** All viewers have begun. */
  joined(): void {
    this.#before = this.viewer.frames;
  }

  #seek(): void {
    const target = placeOf(this.#number + this.viewer.seeks.length + 1) * this.#options.length;
    this.viewer.seek(target).catch((error) => this.#cut ??= messageOf(error));
  }
}

/** A place between 0 and 1; those of consecutive numbers are far from each other. */
export function placeOf(number: number): number {
  const golden = (Math.sqrt(5) - 1) / 2;
  return (number * golden) % 1;
}

async function main(options: ManyOptions): Promise<void> {
  const { requests, within, seconds } = options;
  const signal = new AbortController().signal;
  const lines = Deno.stdin.readable
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream())
    .getReader();
  const visits = requests.map((_, number) => new Visit(number, options));
  const began = performance.now();
  for (const [number, visit] of visits.entries()) {
    const due = began + within * 1000 * number / requests.length;
    const wait = due - performance.now();
    if (wait > 0) await MONOTONIC_CLOCK.sleep(wait, signal);
    visit.begin();
  }
  for (const visit of visits) visit.joined();
  print(Deno.stdout, "began\n");
  const settled = Math.min(seconds, SETTLED);
  await MONOTONIC_CLOCK.sleep((seconds - settled) * 1000, signal);
  for (const visit of visits) visit.settle();
  await MONOTONIC_CLOCK.sleep(settled * 1000, signal);
  const now = performance.now();
  print(Deno.stdout, `${JSON.stringify(visits.map((visit) => visit.result(now)))}\n`);
  // They continue, so that the use of the server can still be read.
  await lines.read();
}

if (import.meta.main) {
  await main(JSON.parse(Deno.args[0]));
  // The viewers are still running.
  Deno.exit();
}
