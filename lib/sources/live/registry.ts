/** The live sources of a server: registered by name, and read once for each rendition in use. */
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { RequestError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Rendition } from "../../ffmpeg/rendition.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import { MAX_FRAME_SIZE, type StreamDescription } from "../../media/frame.ts";
import { DecoderSemaphore, type MemoryBudget, type SlotOptions } from "../limits.ts";
import { Broadcast } from "./broadcast.ts";
import { type LiveFeed, openLiveFeed } from "./feed.ts";
import type { FrameInput } from "./relay_feed.ts";
import { isExclusive, type LiveSource } from "./source_spec.ts";
import { decodedFrameSize, refuseUnknown } from "./stream_info.ts";
import {
  LiveQueue,
  type LiveQueueOptions,
  MAX_QUEUED_BYTES,
  type PrepareFrame,
  type QueueLimits,
  type SharedFrame,
} from "./subscriber_queue.ts";

/** Options of {@linkcode LiveSources}. */
export interface LiveOptions {
  /** Sources that are registered from the start. */
  sources: readonly LiveSource[];
  /** Read files again from their beginning at their end. */
  loop?: boolean;
  /** Seconds that a source runs on without subscribers. @default 10 */
  linger?: number;
  /** Milliseconds without data after which a source is started again. @default 10_000 */
  readTimeout?: number;
}

/** Dependencies of {@linkcode LiveSources}. */
export interface LiveEnvironment {
  budget: MemoryBudget;
  logger: Logger;
  /** The spelling of arguments that the installed FFmpeg needs. */
  dialect: FfmpegDialect;
  /** Encodes each frame once for all its subscribers. */
  prepare: PrepareFrame;
  /** Bounds the decoders; without a bound if absent. */
  slots?: DecoderSemaphore;
  clock?: Clock;
}

/** Opens one run of a source's packets. The run must fail once the signal aborts. */
export type OpenFeed = (signal: AbortSignal) => Promise<LiveFeed>;

/** A live source in the list of media. */
export interface LiveEntry {
  name: string;
  kind: "video" | "audio";
  live: true;
  size: 0;
  /** FFmpeg's names of the codecs, joined by `+`; empty before the first run. */
  codec: string;
  /** Pixels; absent for audio and before the first run. */
  width?: number;
  /** Pixels; absent for audio and before the first run. */
  height?: number;
}

/** A subscription to a broadcast, until it is disposed. */
export interface LiveWatch extends Disposable {
  streams: readonly StreamDescription[];
  queue: LiveQueue;
}

interface Registration {
  source: LiveSource;
  open?: OpenFeed;
}

/** A broadcast that runs, and what it holds. */
interface Running {
  source: LiveSource;
  key: string;
  broadcast: Broadcast;
  memory: Disposable;
  /** The capture that it is made from, if any. */
  capture?: Running;
  /** The decoder that it takes, if any. */
  slot?: Disposable;
}

/** The rendition that a source is captured in if it can be opened only once. */
const CAPTURE_RENDITION: Rendition = { encoding: "copy" };

/** Seconds that a source runs on without subscribers by default. */
export const DEFAULT_LINGER = 10;

/** Largest number of renditions of one source that run without subscribers. */
const MAX_LINGERING = 4;

/** Live sources, which may be added and removed at any time. */
export class LiveSources implements AsyncDisposable {
  #options: Omit<LiveOptions, "sources">;
  #environment: LiveEnvironment;
  #slots: DecoderSemaphore;
  #sources = new Map<string, Registration>();
  #running = new Map<string, Running>();
  /** Broadcasts that are stopping, until their FFmpeg has ended. */
  #stopping = new Map<string, Promise<void>>();
  /** The streams of each source in its last run. */
  #lastStreams = new Map<string, readonly StreamDescription[]>();

  constructor({ sources, ...options }: LiveOptions, environment: LiveEnvironment) {
    this.#options = options;
    this.#environment = environment;
    this.#slots = environment.slots ?? new DecoderSemaphore(Infinity);
    this.#slots.onFull = () => this.#stopLingering();
    for (const source of sources) this.add(source);
  }

  /** Names of the sources, in the order in which they were added. */
  get names(): string[] {
    return [...this.#sources.keys()];
  }

  /** Number of broadcasts that run, one for each rendition in use. */
  get running(): number {
    return this.#running.size;
  }

  /** Returns the source of a name, or the first one if no name is given. */
  find(name?: string): LiveSource | undefined {
    if (name !== undefined) return this.#sources.get(name)?.source;
    return this.#sources.values().next().value?.source;
  }

  /**
   * Adds a source until the result is disposed. That ends its broadcasts: subscribers get what
   * waits for them, and then the end.
   *
   * @param open opens the packets of the source; by default, FFmpeg opens its input
   * @throws {RequestError} `bad_request` if there is a source of that name
   */
  add(source: LiveSource, open?: OpenFeed): Disposable {
    const { name } = source;
    if (this.#sources.has(name)) {
      const reason = "there is one of that name, expected another name";
      throw new RequestError("bad_request", `Cannot add live source "${name}": ${reason}`);
    }
    const registration = { source, open };
    this.#sources.set(name, registration);
    return {
      [Symbol.dispose]: () => {
        if (this.#sources.get(name) === registration) this.#remove(name);
      },
    };
  }

  /** Entries for the list of media. */
  entries(): LiveEntry[] {
    return this.names.map((name) => {
      const streams = this.#lastStreams.get(name) ?? [];
      const video = streams.find((stream) => stream.type === "video");
      const isAudio = streams.length > 0 && video === undefined;
      return {
        name,
        kind: isAudio ? "audio" : "video",
        live: true,
        size: 0,
        codec: streams.map(({ codec }) => codec).join("+"),
        width: video?.width,
        height: video?.height,
      };
    });
  }

  /**
   * Subscribes to a source in a rendition, starts it if it does not run, and waits for its first
   * frame.
   *
   * @throws {RequestError} `media_error` with the reason if it gives nothing, `not_found` if it was
   * removed, `busy` if there is no memory for it
   */
  async watch(
    source: LiveSource,
    rendition: Rendition,
    { signal, slot: slotOptions = { signal }, ...options }: LiveQueueOptions & {
      signal: AbortSignal;
      /** How a decoder slot is waited for; by default, until the signal aborts. */
      slot?: SlotOptions;
    },
  ): Promise<LiveWatch> {
    const slot = await this.#takeSlot(source, rendition, slotOptions);
    const { broadcast } = this.#findOrStart(source, rendition, slot);
    const queue = new LiveQueue(options);
    await broadcast.join(queue, signal);
    const { streams } = broadcast;
    try {
      refuseUnknown(streams);
      // A slow subscriber may still hold a frame that all others have released.
      const memory = this.#environment.budget.take(decodedFrameSize(streams));
      const isScaled = rendition.width !== undefined || rendition.height !== undefined;
      if (!isScaled || !this.#lastStreams.has(source.name)) {
        this.#lastStreams.set(source.name, streams);
      }
      return {
        streams: options.audio === false ? streams.filter(({ type }) => type === "video") : streams,
        queue,
        [Symbol.dispose]: () => {
          broadcast.leave(queue);
          memory[Symbol.dispose]();
          if (this.#slots.waiting > 0) this.#stopLingering();
        },
      };
    } catch (error) {
      broadcast.leave(queue);
      throw error;
    }
  }

  /** Stops all broadcasts and waits until every FFmpeg has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of [...this.#running.values()]) this.#stop(running);
    await Promise.all(this.#stopping.values());
  }

  #remove(name: string): void {
    this.#sources.delete(name);
    this.#lastStreams.delete(name);
    for (const running of [...this.#running.values()]) {
      if (running.source.name === name) this.#stop(running, { isRemoved: true });
    }
  }

  /** Waits for a decoder slot if a decoder has to be started; packets are copied without one. */
  async #takeSlot(
    source: LiveSource,
    rendition: Rendition,
    options: SlotOptions,
  ): Promise<Disposable | undefined> {
    const key = keyOf(source, rendition);
    const isNeedless = () => this.#running.has(key);
    if (rendition.encoding === "copy" || isNeedless()) return undefined;
    return await this.#slots.take({ ...options, isNeedless });
  }

  /** Returns the broadcast of a rendition, and starts it if it does not run. */
  #findOrStart(source: LiveSource, rendition: Rendition, slot?: Disposable): Running {
    const running = this.#running.get(keyOf(source, rendition));
    try {
      if (running === undefined) return this.#start(source, rendition, slot);
    } catch (error) {
      slot?.[Symbol.dispose]();
      throw error;
    }
    slot?.[Symbol.dispose]();
    return running;
  }

  #start(source: LiveSource, rendition: Rendition, slot?: Disposable): Running {
    const registration = this.#sources.get(source.name);
    if (registration?.source !== source) {
      throw new RequestError("not_found", `Cannot read "${source.name}": it is gone`);
    }
    const { loop = false, linger = DEFAULT_LINGER, readTimeout } = this.#options;
    const { budget, logger, dialect, prepare, clock = MONOTONIC_CLOCK } = this.#environment;
    const isCaptured = registration.open !== undefined || isExclusive(source);
    const isCapture = isCaptured && rendition.encoding === CAPTURE_RENDITION.encoding;
    const capture = isCaptured && !isCapture
      ? this.#findOrStart(source, CAPTURE_RENDITION)
      : undefined;
    // First, since it frees memory.
    this.#stopUnwatched(source);
    const memory = budget.take(MAX_QUEUED_BYTES);
    const before = [...this.#stopping.values()];
    const key = keyOf(source, rendition);
    const limits = { maxFrameSize: MAX_FRAME_SIZE, readTimeout, dialect };
    const broadcast = new Broadcast({
      source,
      isPaced: source.kind === "generator" || (source.kind === "file" && loop),
      linger: linger * 1000,
      open: async (signal) => {
        await Promise.all(before);
        if (isCapture && registration.open !== undefined) return await registration.open(signal);
        const input = capture && await CaptureInput.join(capture.broadcast, signal);
        const options = { ...limits, loop, input, isCapture, signal };
        return await openLiveFeed(source, rendition, options);
      },
      prepare,
      capture: capture?.broadcast,
      clock,
      logger,
    });
    const running = { source, key, broadcast, memory, capture, slot };
    this.#running.set(key, running);
    this.#slots.review();
    logger.log("info", `"${source.name}" is started: ${rendition.encoding ?? "raw"}`);
    broadcast.stopped.addEventListener("abort", () => this.#stop(running));
    return running;
  }

  /** Makes room for another rendition of a source: stops the oldest without subscribers. */
  #stopUnwatched({ name }: LiveSource): void {
    const unwatched = [...this.#running.values()]
      .filter(({ source, broadcast }) => source.name === name && broadcast.subscribers === 0);
    const surplus = Math.max(0, unwatched.length - MAX_LINGERING + 1);
    for (const running of unwatched.slice(0, surplus)) this.#stop(running);
  }

  /** Frees a decoder slot: stops the oldest broadcast that has one and no subscribers. */
  #stopLingering(): void {
    const unwatched = [...this.#running.values()]
      .find(({ broadcast, slot }) => slot !== undefined && broadcast.subscribers === 0);
    if (unwatched !== undefined) this.#stop(unwatched);
  }

  #stop(running: Running, { isRemoved = false }: { isRemoved?: boolean } = {}): void {
    const { key, source, broadcast, memory, capture, slot } = running;
    if (this.#running.get(key) !== running) return;
    this.#running.delete(key);
    memory[Symbol.dispose]();
    const { logger } = this.#environment;
    const stopped = (isRemoved ? broadcast.end() : broadcast.stop()).then(() => {
      logger.log("info", `"${source.name}" is stopped`);
      slot?.[Symbol.dispose]();
      // The capture has lingered with it, so that it need not linger again.
      if (capture?.broadcast.subscribers === 0) this.#stop(capture);
    });
    this.#stopping.set(key, stopped);
    stopped.finally(() => {
      if (this.#stopping.get(key) === stopped) this.#stopping.delete(key);
    });
  }
}

/** Key of what is read from a source. Audio is always read, so it is no part of the key. */
function keyOf({ name }: LiveSource, rendition: Rendition): string {
  const { encoding = "raw", pixelFormat, width, height, fps } = rendition;
  const { bitrate, quality, colorMatrix } = rendition;
  const fields = [pixelFormat, width, height, fps, bitrate, quality, colorMatrix];
  return JSON.stringify([name, encoding, ...fields]);
}

/** Limits of a capture's frames for an FFmpeg: enough while it starts, and little enough to be live. */
const CAPTURE_LIMITS: QueueLimits = {
  videoFrames: 10,
  videoTime: 2000,
  videoBytes: MAX_QUEUED_BYTES,
  audioTime: 2000,
};

/** Frames of a broadcast that another is made from. Subscribed until it is disposed. */
export class CaptureInput implements FrameInput, Disposable {
  readonly streams: readonly StreamDescription[];
  #capture: Broadcast;
  #queue: LiveQueue;

  private constructor(capture: Broadcast, queue: LiveQueue) {
    this.#capture = capture;
    this.#queue = queue;
    this.streams = capture.streams;
  }

  /**
   * Subscribes to a broadcast and waits for its first frame.
   *
   * @throws {RequestError} `media_error` with the reason if it gives nothing
   */
  static async join(capture: Broadcast, signal: AbortSignal): Promise<CaptureInput> {
    const queue = new LiveQueue({ limits: CAPTURE_LIMITS });
    await capture.join(queue, signal);
    return new CaptureInput(capture, queue);
  }

  /** @throws {RequestError} `media_error` when the broadcast is lost or ends */
  async take(signal: AbortSignal): Promise<SharedFrame> {
    while (true) {
      const item = await this.#queue.take(signal);
      if (item.kind === "frame") return item.frame;
      if (item.kind === "end") throw new RequestError("media_error", "Cannot go on: it ended");
      const { code, message } = item.event;
      if (code !== "source_lost") continue;
      throw this.#capture.outage?.error ?? new RequestError("media_error", message);
    }
  }

  [Symbol.dispose](): void {
    this.#capture.leave(this.#queue);
  }
}
