/** Publishes the frames of a program. */
import { type Clock, MONOTONIC_CLOCK, wallClock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { pcmSeconds, type StreamDescription, toTicks } from "../../media/frame.ts";
import type { Target } from "../../net/connection.ts";
import type { Notice } from "../../protocol/native/response.ts";
import type { RetryLimits } from "../connection/retry.ts";
import {
  describePublished,
  PUBLISHED_IDS,
  type PublishedStreams,
  TIME_BASE,
} from "./published_streams.ts";
import { PublishLoop } from "./publish_loop.ts";
import { PushedInput } from "./pushed_input.ts";

/** Seconds by which samples may be off the clock and still follow those before them. */
const MAX_DRIFT = 0.5;

type PublishedType = keyof typeof PUBLISHED_IDS;

/** Options of {@linkcode Client.publish}. At least one of the three streams is required. */
export interface PublishOptions extends PublishedStreams {
  /** Take the name from another publisher. @default false */
  replace?: boolean;
  /** Frames are sent only while somebody watches, and discarded otherwise. @default false */
  onDemand?: boolean;
  /** Ends the publication; calls then throw its reason. */
  signal?: AbortSignal;
  /**
   * Called when the server accepts the first time, and when the connection is lost or back (`code` is
   * `connection`), when the number of viewers changes (`viewers`), and with `onDemand` when nobody
   * watches (`paused`) or somebody (`resumed`). Must not throw.
   */
  onNotice?: (notice: Notice) => void;
}

/** When something was captured. */
export interface WriteTimes {
  /**
   * Seconds on any clock that runs in real time.
   *
   * @default the time since the first write
   */
  time?: number;
  /** When it was captured, milliseconds since 1970. @default now */
  capturedAt?: number;
}

/** Options of {@linkcode Publisher.write}. */
export interface WriteOptions extends WriteTimes {
  /** A message of the same time: a JSON value, or bytes. */
  data?: unknown;
  /** The frame is decodable by itself. @default true for raw frames and JPEG */
  keyframe?: boolean;
}

/** Totals of a publication, over all of its connections. */
export interface PublishTotals {
  /** Sent frames of video. */
  frames: number;
  /** Sent runs or packets of audio. */
  audioFrames: number;
  /** Sent messages. */
  messages: number;
  /** Sent bytes of frames and messages. */
  bytes: number;
  /** Frames, runs and messages that were dropped because they could not be sent in time. */
  dropped: number;
  /** How often the connection was restored. */
  reconnects: number;
}

/**
 * Publishes what a program writes, from {@linkcode Client.publish}. If the connection is lost, it is
 * restored in the background. Disposing it ends the source, within 2 s; what waits is not sent.
 */
export interface Publisher extends AsyncDisposable {
  /** Clients that watch now; while the connection is lost, the number before. */
  readonly viewers: number;
  /** Totals so far. */
  readonly totals: PublishTotals;
  /**
   * Copies a frame into the queue, and never waits. While frames cannot be sent, the oldest of more
   * than ten raw ones, or two seconds of others, are dropped, up to a keyframe.
   *
   * @param bytes raw pixels, rows from top to bottom without padding (`bgr24`: height × width × 3
   * bytes), or one packet
   * @throws {RequestError} `bad_request` if the size is not that of a frame; the reason if the server
   * has ended the publication
   * @throws {TypeError} if an option or the message is wrong; then nothing is written
   */
  write(bytes: Uint8Array, options?: WriteOptions): void;
  /**
   * Copies samples, or a packet of audio, into the queue, and never waits. Without a time, samples
   * follow those before them, unless the program is half a second off real time.
   *
   * @param bytes whole samples with interleaved channels, or one packet
   * @throws the same as {@linkcode Publisher.write}
   */
  writeAudio(bytes: Uint8Array, options?: WriteTimes): void;
  /**
   * Copies a message into the queue, and never waits.
   *
   * @param value a JSON value, or bytes, as `data` of the options says
   * @throws the same as {@linkcode Publisher.write}
   */
  writeData(value: unknown, options?: WriteTimes): void;
  /**
   * Sends what waits, ends the source, and checks that the server has received all that was sent.
   * Waits for the connection if that is lost.
   *
   * @throws {Error} if it has not; the reason if the server has ended the publication
   */
  finish(): Promise<void>;
}

/** The server and the name for {@linkcode openPublisher}. */
export interface PublishTarget {
  target: Target;
  limits: RetryLimits;
  /** @default MONOTONIC_CLOCK */
  clock?: Clock;
}

/**
 * Publishes, and waits until the server accepts.
 *
 * @throws {RequestError} if the server refuses, or the streams cannot be published
 * @throws {ConnectError} if there is no connection
 * @throws {TypeError} if an option is wrong
 */
export async function openPublisher(
  name: string,
  options: PublishOptions,
  target: PublishTarget,
): Promise<Publisher> {
  options.signal?.throwIfAborted();
  const publisher = new PushingPublisher(name, options, target);
  await publisher.accepted;
  return publisher;
}

class PushingPublisher implements Publisher {
  #options: PublishOptions;
  #clock: Clock;
  #audio: StreamDescription | undefined;
  #input: PushedInput;
  #loop: PublishLoop;
  #stop = new AbortController();
  #accepted = Promise.withResolvers<void>();
  #done: Promise<void>;
  #failure: { error: unknown } | undefined;
  #isPaused = false;
  #isEnding = false;
  /** Milliseconds of the clock at the first write. */
  #began: number | undefined;
  /** The latest result of `#now()`. */
  #latest = -Infinity;
  /** Seconds at which the samples end that were written last. */
  #audioEnd = -Infinity;

  constructor(name: string, options: PublishOptions, { target, limits, clock }: PublishTarget) {
    const { replace, onDemand, signal } = options;
    this.#options = options;
    this.#clock = clock ?? MONOTONIC_CLOCK;
    const description = describePublished(name, options);
    this.#audio = description.streams.find(({ type }) => type === "audio");
    this.#input = new PushedInput(description, { clock });
    const stops = [this.#stop.signal, ...(signal === undefined ? [] : [signal])];
    this.#loop = new PublishLoop({
      ...{ name, replace, onDemand, target, limits, clock },
      mayBeEmpty: true,
      signal: AbortSignal.any(stops),
      forced: new AbortController().signal,
      notify: (message) => this.#notify({ code: "connection", message }),
      onViewers: (viewers) =>
        this.#notify({ code: "viewers", message: `${viewers} watching`, viewers }),
      onAccepted: () => this.#accepted.resolve(),
      onPause: (paused) => this.#onPause(paused),
    });
    this.#done = this.#run();
  }

  /** Settles once the server has accepted or refused. */
  get accepted(): Promise<void> {
    return this.#accepted.promise;
  }

  get viewers(): number {
    return this.#loop.viewers;
  }

  get totals(): PublishTotals {
    const { frames, audioFrames, messages, bytes, reconnects } = this.#loop.statistics;
    return { frames, audioFrames, messages, bytes, dropped: this.#input.dropped, reconnects };
  }

  write(bytes: Uint8Array, { data, keyframe = false, ...times }: WriteOptions = {}): void {
    this.#checkOpen("video");
    const shared = { ...times, time: times.time ?? this.#now() };
    const frame = this.#frame("video", bytes, { ...shared, keyframe });
    // Either both are written, or neither.
    const messages = data === undefined ? [] : [this.#message(data, shared)];
    this.#input.push(frame, ...messages);
  }

  writeAudio(bytes: Uint8Array, times: WriteTimes = {}): void {
    this.#checkOpen("audio");
    const time = times.time ?? this.#audioTime();
    this.#input.push(this.#frame("audio", bytes, { ...times, time }));
    const length = this.#audio === undefined ? 0 : pcmSeconds(bytes.byteLength, this.#audio);
    this.#audioEnd = length === undefined ? -Infinity : time + length;
  }

  writeData(value: unknown, times: WriteTimes = {}): void {
    this.#input.push(this.#message(value, times));
  }

  async finish(): Promise<void> {
    if (!this.#isEnding) {
      this.#isEnding = true;
      // Nothing waits, and nobody asks for an end.
      if (this.#isPaused) this.#stop.abort();
      else this.#input.end();
    }
    await this.#done;
    this.#throwIfOver();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    this.#stop.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    try {
      await this.#loop.run(this.#input);
      this.#accepted.reject(this.#options.signal?.reason ?? this.#stop.signal.reason);
    } catch (error) {
      this.#failure = { error };
      this.#accepted.reject(error);
    } finally {
      await this.#input[Symbol.asyncDispose]();
    }
  }

  #onPause(paused: boolean): void {
    this.#isPaused = paused;
    if (paused && this.#isEnding) this.#stop.abort();
    this.#notify(
      paused
        ? { code: "paused", message: "Nobody watches" }
        : { code: "resumed", message: "Somebody watches" },
    );
  }

  #notify(notice: Notice): void {
    this.#options.onNotice?.(notice);
  }

  /** Seconds since the first write; never the same twice. */
  #now(): number {
    const now = this.#clock.now();
    this.#began ??= now;
    this.#latest = Math.max((now - this.#began) / 1000, this.#latest + 1 / TIME_BASE[1]);
    return this.#latest;
  }

  /** Seconds at which samples begin that are written now. */
  #audioTime(): number {
    const now = this.#now();
    return Math.abs(now - this.#audioEnd) < MAX_DRIFT ? this.#audioEnd : now;
  }

  #message(value: unknown, times: WriteTimes) {
    this.#checkOpen("data");
    const bytes = this.#options.data === "bytes" ? toBytes(value) : toJson(value);
    return this.#frame("data", bytes, times);
  }

  #frame(
    stream: PublishedType,
    data: Uint8Array,
    { time = this.#now(), capturedAt, keyframe = true }: WriteTimes & { keyframe?: boolean },
  ) {
    this.#began ??= this.#clock.now();
    const timestamp = toTicks(time, TIME_BASE);
    const captured = capturedAt === undefined ? wallClock() : Math.round(capturedAt * 1000);
    checkTime("time", time, timestamp);
    if (capturedAt !== undefined) checkTime("capturedAt", capturedAt, captured);
    return { streamId: PUBLISHED_IDS[stream], timestamp, keyframe, captured, data };
  }

  /** @throws why nothing can be written to a stream */
  #checkOpen(stream: PublishedType): void {
    this.#throwIfOver();
    if (this.#isEnding) throw new TypeError("Cannot write: the publisher is finished");
    if (this.#options[stream] !== undefined) return;
    throw new TypeError(`Cannot write ${stream}: expected ${stream} in the options`);
  }

  /** @throws why nothing more can be published */
  #throwIfOver(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#options.signal?.throwIfAborted();
  }
}

/** @throws {TypeError} for what is no time, or too far off to count its microseconds */
function checkTime(option: string, value: number, microseconds: number): void {
  const isFinite = Number.isFinite(value);
  if (isFinite && Number.isSafeInteger(microseconds)) return;
  const expected = isFinite ? "a smaller number" : "a finite number";
  throw new TypeError(`Cannot write: ${option} ${value}, expected ${expected}`);
}

function toJson(value: unknown): Uint8Array {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    // Further lines show where a circle is.
    const [reason] = messageOf(cause).split("\n");
    throw new TypeError(`Cannot write data: ${reason}, expected a JSON value`, { cause });
  }
  if (text === undefined) {
    throw new TypeError(`Cannot write data: ${typeof value}, expected a JSON value`);
  }
  return new TextEncoder().encode(text);
}

function toBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new TypeError('Cannot write data: expected a Uint8Array, or data: "json" in the options');
}
