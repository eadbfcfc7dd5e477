/** The live sources of a server: registered by name, and read once for each rendition in use. */
import { Changes, settlesWithin } from "../../base/async.ts";
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { RequestError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Hardware } from "../../ffmpeg/encoders.ts";
import type { HardwareFallback } from "../../ffmpeg/hardware.ts";
import { type Rendition, renditionKey } from "../../ffmpeg/rendition.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import { MAX_FRAME_SIZE } from "../../media/frame.ts";
import { DecoderSemaphore, type MemoryBudget, type Slot, type SlotOptions } from "../limits.ts";
import { Broadcast } from "./broadcast.ts";
import { type FeedOpener, openLiveFeed } from "./feed.ts";
import { CAPTURE_RENDITION, CaptureInput } from "./capture_input.ts";
import { isExclusive, type LiveSource } from "./source_spec.ts";
import { decodedFrameSize, isSentAsIs, refuseUnknown } from "./stream_info.ts";
import type { PrepareFrame } from "./shared_frame.ts";
import { entryOf, type LiveEntry, type SourceStreams, streamsOf } from "./source_streams.ts";
import type { LiveWatch, WatchOptions } from "./watch.ts";
import { LiveQueue, MAX_QUEUED_BYTES, PLAYED_TYPES } from "./subscriber_queue.ts";

/** Seconds that a source runs on without subscribers, if {@linkcode LiveOptions} say no other. */
export const DEFAULT_LINGER = 10;

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
  /** Milliseconds that a viewer waits for the first frame of a source. @default 10_000 */
  firstFrameTimeout?: number;
}

/** Dependencies of {@linkcode LiveSources}. */
export interface LiveEnvironment {
  budget: MemoryBudget;
  logger: Logger;
  /** The spelling of arguments that the installed FFmpeg needs. */
  dialect: FfmpegDialect;
  /** How video is decoded and encoded. @default by the processor */
  hardware?: HardwareFallback;
  /** Encodes each frame once for all its subscribers. */
  prepare: PrepareFrame;
  /** Pixels of the largest picture that is decoded of frames. @default Infinity */
  maxPixels?: number;
  /** Bounds the decoders; without a bound if absent. */
  slots?: DecoderSemaphore;
  clock?: Clock;
  /** Gives what reads a source in place of FFmpeg, if that is needed. */
  openerOf?: (source: LiveSource) => FeedOpener | undefined;
}

interface Registration {
  source: LiveSource;
  opener?: FeedOpener;
  viewers: number;
}

/** A queue that follows a broadcast, and the rendition of that. */
interface Joined {
  served: Rendition;
  broadcast: Broadcast;
  queue: LiveQueue;
}

/** How a broadcast is started. */
interface StartOptions {
  slot?: Slot;
  via?: readonly string[];
}

/** A broadcast that runs, and what it holds. */
interface Running {
  source: LiveSource;
  /** Of the rendition. Audio is always read, so it is no part of it. */
  key: string;
  broadcast: Broadcast;
  memory: Disposable;
  /** The capture that it is made from, if any. */
  capture?: Running;
  /** The decoder that it takes, if any. */
  slot?: Disposable;
}

/** Milliseconds for the last frames of a source that is removed. */
const LAST_FRAMES = 2000;

const NO_STREAMS: SourceStreams = { streams: [], data: [] };
/** Largest number of renditions of one source that run without subscribers. */
const MAX_LINGERING = 4;

/** Live sources, which may be added and removed at any time. */
export class LiveSources implements AsyncDisposable {
  #options: Omit<LiveOptions, "sources">;
  #environment: LiveEnvironment;
  #slots: DecoderSemaphore;
  #sources = new Map<string, Registration>();
  /** One for each rendition of a source; those of a source that was removed end soon. */
  #running = new Set<Running>();
  /** Broadcasts that are stopping, until their FFmpeg has ended. */
  #stopping = new Set<Promise<void>>();
  /** Notified when {@linkcode LiveSources.entries} may have changed. */
  readonly changes = new Changes();
  /** The streams of each source in its last run. */
  #lastStreams = new Map<string, SourceStreams>();

  constructor({ sources, ...options }: LiveOptions, environment: LiveEnvironment) {
    this.#options = options;
    this.#environment = environment;
    this.#slots = environment.slots ?? new DecoderSemaphore(Infinity);
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
    return this.#sources.get(name ?? this.names[0])?.source;
  }

  /**
   * Adds a source until the result is disposed. That ends its broadcasts: subscribers get what
   * waits for them, and then the end.
   *
   * @param opener gives the packets of the source; by default that of the environment, or FFmpeg
   * @throws {RequestError} `bad_request` if there is a source of that name
   */
  add(source: LiveSource, opener = this.#environment.openerOf?.(source)): Disposable {
    const { name } = source;
    if (this.#sources.has(name)) {
      const reason = "there is one of that name, expected another name";
      throw new RequestError("bad_request", `Cannot add live source "${name}": ${reason}`);
    }
    const registration = { source, opener, viewers: 0 };
    this.#sources.set(name, registration);
    this.changes.notify();
    return {
      [Symbol.dispose]: () => {
        if (this.#sources.get(name) === registration) this.#remove(name);
      },
    };
  }

  /** Entries for the list of media. */
  entries(): LiveEntry[] {
    return [...this.#sources.values()].map(({ source, opener }) => {
      return entryOf(source, opener?.described ?? this.#lastStreams.get(source.name) ?? NO_STREAMS);
    });
  }

  /**
   * Subscribes to a source in a rendition, starts it if it does not run, and waits for its first
   * frame.
   *
   * @throws {RequestError} `media_error` with the reason if it gives nothing, `not_found` if it was
   * removed, `busy` if there is no memory for it, `bad_request` for a loop of relays
   */
  async watch(
    source: LiveSource,
    rendition: Rendition,
    options: WatchOptions,
  ): Promise<LiveWatch> {
    this.#sources.get(source.name)?.opener?.refuseLoop?.(options.via ?? []);
    using counted = new DisposableStack();
    counted.use(this.#countViewer(source));
    const { served, broadcast, queue } = await this.#joinAsIs(source, rendition, options) ??
      await this.#join(source, rendition, options);
    const { types = PLAYED_TYPES } = options;
    try {
      refuseUnknown(broadcast.streams);
      const { budget } = this.#environment;
      // A slow subscriber may still hold a frame that all others have released.
      let memory = budget.take(decodedFrameSize(broadcast.streams));
      this.#noteStreams(source, served, broadcast);
      const leave = counted.move();
      let described = streamsOf(broadcast, types);
      return {
        get described() {
          return described;
        },
        queue,
        requestKeyframe: () => void broadcast.requestKeyframe(),
        change: (changed) => {
          memory[Symbol.dispose]();
          memory = budget.take(decodedFrameSize(changed.streams));
          this.#noteStreams(source, served, changed);
          described = streamsOf(changed, types);
          return served === rendition || isSentAsIs(changed, rendition);
        },
        [Symbol.dispose]: () => {
          leave[Symbol.dispose]();
          broadcast.leave(queue);
          memory[Symbol.dispose]();
          this.#slots.review();
        },
      };
    } catch (error) {
      broadcast.leave(queue);
      throw error;
    }
  }

  /** Stops all broadcasts and waits until every FFmpeg has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of [...this.#running]) this.#stop(running);
    await Promise.all(this.#stopping);
  }

  /** Subscribes to a rendition, and starts it if it does not run. */
  async #join(
    source: LiveSource,
    rendition: Rendition,
    { signal, slot: slotOptions = { signal }, via, ...options }: WatchOptions,
  ): Promise<Joined> {
    const slot = await this.#takeSlot(source, rendition, slotOptions);
    const { broadcast } = this.#findOrStart(source, rendition, { slot, via });
    const queue = new LiveQueue(options);
    await broadcast.join(queue, signal);
    return { served: rendition, broadcast, queue };
  }

  /** Subscribes to the frames that somebody else gives, if they are in the rendition as they are. */
  async #joinAsIs(
    source: LiveSource,
    rendition: Rendition,
    options: WatchOptions,
  ): Promise<Joined | undefined> {
    const { opener } = this.#sources.get(source.name) ?? {};
    if (opener === undefined || rendition.encoding === "copy") return undefined;
    const joined = await this.#join(source, CAPTURE_RENDITION, options);
    if (isSentAsIs(joined.broadcast, rendition)) return joined;
    joined.broadcast.leave(joined.queue);
  }

  /** Remembers the streams of a source in its own size. */
  #noteStreams(
    { name }: LiveSource,
    { width, height }: Rendition,
    { streams, data }: SourceStreams,
  ): void {
    const isScaled = width !== undefined || height !== undefined;
    if (isScaled && this.#lastStreams.has(name)) return;
    this.#lastStreams.set(name, { streams, data });
    this.changes.notify();
  }

  #countViewer({ name }: LiveSource): Disposable {
    const registration = this.#sources.get(name);
    const count = (change: 1 | -1) => {
      if (registration === undefined) return;
      registration.viewers += change;
      registration.opener?.onViewers?.(registration.viewers);
    };
    count(1);
    return { [Symbol.dispose]: () => count(-1) };
  }

  #remove(name: string): void {
    this.#sources.delete(name);
    this.#lastStreams.delete(name);
    this.changes.notify();
    for (const running of [...this.#running]) {
      if (running.source.name !== name) continue;
      const stop = () => this.#stop(running, { isRemoved: true });
      // FFmpeg may still make frames of those that have come.
      if (running.capture === undefined) stop();
      else settlesWithin(running.broadcast.finished, LAST_FRAMES).then(stop);
    }
  }

  /** Waits for a decoder slot if a decoder has to be started; packets are copied without one. */
  async #takeSlot(
    source: LiveSource,
    rendition: Rendition,
    options: SlotOptions,
  ): Promise<Slot | undefined> {
    const isNeedless = () => this.#find(source, rendition) !== undefined;
    if (rendition.encoding === "copy" || isNeedless()) return undefined;
    return await this.#slots.take({ ...options, isNeedless });
  }

  /** The broadcast of a rendition, if it runs. An earlier source of the same name is another. */
  #find(source: LiveSource, rendition: Rendition): Running | undefined {
    const key = renditionKey(rendition);
    return [...this.#running].find((running) => running.source === source && running.key === key);
  }

  /** Returns the broadcast of a rendition, and starts it if it does not run. */
  #findOrStart(source: LiveSource, rendition: Rendition, options: StartOptions): Running {
    const running = this.#find(source, rendition);
    const { slot } = options;
    try {
      if (running === undefined) return this.#start(source, rendition, options);
    } catch (error) {
      slot?.[Symbol.dispose]();
      throw error;
    }
    slot?.[Symbol.dispose]();
    return running;
  }

  #start(source: LiveSource, rendition: Rendition, { slot, via = [] }: StartOptions): Running {
    const registration = this.#sources.get(source.name);
    if (registration?.source !== source) {
      throw new RequestError("not_found", `Cannot read "${source.name}": it is gone`);
    }
    const { loop = false, linger = DEFAULT_LINGER, readTimeout, firstFrameTimeout } = this.#options;
    const { budget, logger, prepare, clock = MONOTONIC_CLOCK, ...environment } = this.#environment;
    const { hardware: fallback, ...limits } = environment;
    const { opener } = registration;
    const isCaptured = opener !== undefined || isExclusive(source);
    const isCapture = isCaptured && rendition.encoding === "copy";
    const capture = isCaptured && !isCapture
      ? this.#findOrStart(source, CAPTURE_RENDITION, { via })
      : undefined;
    // First, since it frees memory.
    this.#stopUnwatched(source);
    const memory = budget.take(MAX_QUEUED_BYTES);
    const before = [...this.#stopping];
    const broadcast = new Broadcast({
      source,
      isPaced: source.kind === "generator" || (source.kind === "file" && loop),
      linger: linger * 1000,
      firstFrameTimeout,
      isAwaited: () => isCapture && opener?.isAwaited === true,
      open: async (signal) => {
        await Promise.all(before);
        if (isCapture && opener !== undefined) return await opener.open(signal, via);
        const open = async (hardware?: Hardware) => {
          const input = capture && await CaptureInput.join(capture.broadcast, signal);
          const options = { ...limits, readTimeout, loop, input, isCapture, hardware, signal };
          const size = { maxFrameSize: MAX_FRAME_SIZE };
          return await openLiveFeed(source, rendition, { ...options, ...size });
        };
        return await (fallback?.open(source.name, open) ?? open());
      },
      prepare,
      capture: capture?.broadcast,
      clock,
      logger,
    });
    const key = renditionKey(rendition);
    const running = { source, key, broadcast, memory, capture, slot };
    this.#running.add(running);
    this.#slots.review();
    if (slot !== undefined) {
      slot.holder = {
        get idleIn() {
          return broadcast.subscribers === 0 ? 0 : Infinity;
        },
        isMovable: false,
        giveUp: () => this.#stop(running),
      };
    }
    logger.log("info", `"${source.name}" is started: ${rendition.encoding ?? "raw"}`);
    broadcast.stopped.addEventListener("abort", () => this.#stop(running));
    return running;
  }

  /** Makes room for another rendition of a source: stops the oldest without subscribers. */
  #stopUnwatched({ name }: LiveSource): void {
    const unwatched = [...this.#running]
      .filter(({ source, broadcast }) => source.name === name && broadcast.subscribers === 0);
    const surplus = Math.max(0, unwatched.length - MAX_LINGERING + 1);
    for (const running of unwatched.slice(0, surplus)) this.#stop(running);
  }

  #stop(running: Running, { isRemoved = false }: { isRemoved?: boolean } = {}): void {
    const { source, broadcast, memory, capture, slot } = running;
    if (!this.#running.delete(running)) return;
    memory[Symbol.dispose]();
    const { logger } = this.#environment;
    const stopped = (isRemoved ? broadcast.end() : broadcast.stop()).then(() => {
      logger.log("info", `"${source.name}" is stopped`);
      slot?.[Symbol.dispose]();
      // The capture has lingered with it, so that it need not linger again.
      if (capture?.broadcast.subscribers === 0) this.#stop(capture);
    });
    this.#stopping.add(stopped);
    stopped.finally(() => this.#stopping.delete(stopped));
  }
}
