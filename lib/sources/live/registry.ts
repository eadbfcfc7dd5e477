import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { RequestError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { bitsPerPixel } from "../../ffmpeg/pixel_formats.ts";
import type { Rendition } from "../../ffmpeg/rendition.ts";
import type { FfmpegDialect } from "../../ffmpeg/version.ts";
import { MAX_FRAME_SIZE, type StreamDescription } from "../../media/frame.ts";
import type { ListEntry } from "../../protocol/native/response.ts";
import { DecoderSlots, type MemoryBudget, type SlotOptions } from "../limits.ts";
import { Broadcast } from "./broadcast.ts";
import { openLiveFeed } from "./feed.ts";
import type { FrameInput } from "./relay_feed.ts";
import { isExclusive, type LiveSource } from "./source_spec.ts";
import { refuseUnknown } from "./stream_info.ts";
import {
  LiveQueue,
  type LiveQueueOptions,
  MAX_QUEUED_BYTES,
  type QueueLimits,
  type SharedFrame,
} from "./subscriber_queue.ts";

/** What a server is told of its live sources. */
export interface LiveOptions {
  sources: readonly LiveSource[];
  /** Begin files again at their end. */
  loop?: boolean;
  /** Seconds that a source runs on without viewers; 10 where absent. */
  linger?: number;
  /** Milliseconds without anything from a source after which it is started again; 10 s. */
  readTimeout?: number;
}

/** What {@linkcode LiveSources} works with. */
export interface LiveEnvironment {
  budget: MemoryBudget;
  logger: Logger;
  /** The spelling of arguments that the installed FFmpeg needs. */
  dialect: FfmpegDialect;
  /** Decoders that may run at once; without end where absent. */
  slots?: DecoderSlots;
  clock?: Clock;
}

/** A viewer's place in a broadcast, until disposed. */
export interface LiveWatch extends Disposable {
  streams: readonly StreamDescription[];
  queue: LiveQueue;
}

/** A broadcast that runs, and what it was asked for. */
interface Running {
  source: LiveSource;
  key: string;
  broadcast: Broadcast;
  memory: Disposable;
  /** What it is made from, where that is not the source itself. */
  capture?: Running;
  /** The decoder that it takes, if any. */
  slot?: Disposable;
}

/** What a source that can be opened once only is read as: all else is made from that. */
const CAPTURED: Rendition = { encoding: "copy" };

/** Seconds that a source runs on without viewers, where nothing else is said. */
export const DEFAULT_LINGER = 10;

/** Renditions of one source that run on without viewers at the most. */
const MAX_LINGERING = 4;

/** The live sources of a server, each read once for every rendition that is being watched. */
export class LiveSources implements AsyncDisposable {
  #options: LiveOptions;
  #environment: LiveEnvironment;
  #slots: DecoderSlots;
  #running = new Map<string, Running>();
  /** What has been stopped, and may still be going. */
  #ending = new Map<string, Promise<void>>();
  /** What the streams of a source were when it was last seen. */
  #seen = new Map<string, readonly StreamDescription[]>();

  constructor(options: LiveOptions, environment: LiveEnvironment) {
    this.#options = options;
    this.#environment = environment;
    this.#slots = environment.slots ?? new DecoderSlots(Infinity);
    this.#slots.onFull = () => this.#endLingering();
  }

  /** Their names, in the order of the command line. */
  get names(): string[] {
    return this.#options.sources.map(({ name }) => name);
  }

  /** How many are being read, once for each rendition. */
  get running(): number {
    return this.#running.size;
  }

  /** The source of a name; the first one for none. */
  find(name?: string): LiveSource | undefined {
    const { sources } = this.#options;
    return name === undefined ? sources[0] : sources.find((source) => source.name === name);
  }

  /** What the list of media says of them. */
  entries(): ListEntry[] {
    return this.#options.sources.map(({ name }) => {
      const streams = this.#seen.get(name) ?? [];
      const picture = streams.find((stream) => stream.type === "video");
      const isSound = streams.length > 0 && picture === undefined;
      return {
        name,
        kind: isSound ? "audio" : "video",
        live: true,
        size: 0,
        codec: streams.map(({ codec }) => codec).join("+"),
        width: picture?.width,
        height: picture?.height,
      };
    });
  }

  /**
   * Joins a source, which is started where it does not run in that rendition, and waits for its
   * first frame.
   *
   * @throws {RequestError} `media_error` with the reason where it gives nothing, `busy` where
   * there is no memory for it
   */
  async watch(
    source: LiveSource,
    rendition: Rendition,
    { signal, line = { signal }, ...options }: LiveQueueOptions & {
      signal: AbortSignal;
      /** How a decoder is waited for; until the signal fires where absent. */
      line?: SlotOptions;
    },
  ): Promise<LiveWatch> {
    const slot = await this.#takeSlot(source, rendition, line);
    const { broadcast } = this.#find(source, rendition, slot);
    const queue = new LiveQueue(options);
    const makeRoom = () => {
      if (this.#slots.waiting > 0) this.#endLingering();
    };
    await broadcast.join(queue, signal);
    const { streams } = broadcast;
    try {
      refuseUnknown(streams);
      // One frame may be on its way to this viewer alone, while all the others are further.
      const memory = this.#environment.budget.take(frameSize(streams));
      const isScaled = rendition.width !== undefined || rendition.height !== undefined;
      if (!isScaled || !this.#seen.has(source.name)) this.#seen.set(source.name, streams);
      return {
        streams: options.sound === false ? streams.filter(isPicture) : streams,
        queue,
        [Symbol.dispose]() {
          broadcast.leave(queue);
          memory[Symbol.dispose]();
          makeRoom();
        },
      };
    } catch (error) {
      broadcast.leave(queue);
      throw error;
    }
  }

  /** Ends all of them and waits until no FFmpeg is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of [...this.#running.values()]) this.#end(running);
    await Promise.all(this.#ending.values());
  }

  /** Waits for a decoder where one has to be started; packets are copied without. */
  async #takeSlot(
    source: LiveSource,
    rendition: Rendition,
    line: SlotOptions,
  ): Promise<Disposable | undefined> {
    const key = keyOf(source, rendition);
    const isNeedless = () => this.#running.has(key);
    if (rendition.encoding === "copy" || isNeedless()) return undefined;
    return await this.#slots.take({ ...line, isNeedless });
  }

  /** What runs in a rendition, which is started where nothing does. */
  #find(source: LiveSource, rendition: Rendition, slot?: Disposable): Running {
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
    const { loop = false, linger = DEFAULT_LINGER, readTimeout } = this.#options;
    const { budget, logger, dialect, clock = MONOTONIC_CLOCK } = this.#environment;
    const isCapture = isExclusive(source) && rendition.encoding === CAPTURED.encoding;
    const capture = isExclusive(source) && !isCapture ? this.#find(source, CAPTURED) : undefined;
    // First, since it gives memory back.
    this.#endUnwatched(source);
    const memory = budget.take(MAX_QUEUED_BYTES);
    const before = [...this.#ending.values()];
    const key = keyOf(source, rendition);
    const limits = { maxFrameSize: MAX_FRAME_SIZE, readTimeout, dialect };
    const broadcast = new Broadcast({
      source,
      isPaced: source.kind === "generator" || (source.kind === "file" && loop),
      linger: linger * 1000,
      open: async (signal) => {
        await Promise.all(before);
        const input = capture && await CaptureInput.join(capture.broadcast, signal);
        const options = { ...limits, loop, input, isCapture, signal };
        return await openLiveFeed(source, rendition, options);
      },
      capture: capture?.broadcast,
      clock,
      logger,
    });
    const running = { source, key, broadcast, memory, capture, slot };
    this.#running.set(key, running);
    this.#slots.review();
    logger.log("info", `"${source.name}" is started: ${rendition.encoding ?? "raw"}`);
    broadcast.over.addEventListener("abort", () => this.#end(running));
    return running;
  }

  /** Ends what lingers of a source, the oldest first, where another rendition is to be started. */
  #endUnwatched({ name }: LiveSource): void {
    const unwatched = [...this.#running.values()]
      .filter(({ source, broadcast }) => source.name === name && broadcast.viewers === 0);
    const surplus = Math.max(0, unwatched.length - MAX_LINGERING + 1);
    for (const running of unwatched.slice(0, surplus)) this.#end(running);
  }

  /** Ends what lingers with a decoder that somebody waits for, the oldest first. */
  #endLingering(): void {
    const unwatched = [...this.#running.values()]
      .find(({ broadcast, slot }) => slot !== undefined && broadcast.viewers === 0);
    if (unwatched !== undefined) this.#end(unwatched);
  }

  #end({ key, source, broadcast, memory, capture, slot }: Running): void {
    if (this.#running.get(key)?.broadcast !== broadcast) return;
    this.#running.delete(key);
    memory[Symbol.dispose]();
    const { logger } = this.#environment;
    const gone = broadcast.stop().then(() => {
      logger.log("info", `"${source.name}" is stopped`);
      slot?.[Symbol.dispose]();
      // It has lingered already; nobody waits for the capture on top of that.
      if (capture?.broadcast.viewers === 0) this.#end(capture);
    });
    this.#ending.set(key, gone);
    gone.finally(() => {
      if (this.#ending.get(key) === gone) this.#ending.delete(key);
    });
  }
}

/**
 * Names what is read from a source. Sound makes no difference: it is read with the pictures, and
 * those who do not want it are not given it.
 */
function keyOf({ name }: LiveSource, rendition: Rendition): string {
  const { encoding = "raw", pixelFormat, width, height, fps } = rendition;
  const { bitrate, quality, colorMatrix } = rendition;
  const fields = [pixelFormat, width, height, fps, bitrate, quality, colorMatrix];
  return JSON.stringify([name, encoding, ...fields]);
}

/** Bytes of a raw picture; of compressed ones, what they would be with 4:2:0. */
function frameSize(streams: readonly StreamDescription[]): number {
  const picture = streams.find(isPicture);
  if (picture?.type !== "video") return 0;
  const bits = bitsPerPixel(picture.pixelFormat ?? "yuv420p") ?? 24;
  return Math.ceil(picture.width * picture.height * bits / 8);
}

function isPicture({ type }: StreamDescription): boolean {
  return type === "video";
}

/** How much of a capture waits for an FFmpeg: enough for its start, and little enough to be live. */
const LIMITS: QueueLimits = {
  pictures: 10,
  pictureTime: 2000,
  pictureBytes: MAX_QUEUED_BYTES,
  soundTime: 2000,
};

/** Frames of one broadcast that another is made from: a viewer like others, until disposed. */
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
   * Joins a broadcast, once there is something to see.
   *
   * @throws {RequestError} `media_error` with the reason where there is nothing
   */
  static async join(capture: Broadcast, signal: AbortSignal): Promise<CaptureInput> {
    const queue = new LiveQueue({ limits: LIMITS });
    await capture.join(queue, signal);
    return new CaptureInput(capture, queue);
  }

  /** @throws {RequestError} `media_error` with the reason when the broadcast goes away */
  async take(signal: AbortSignal): Promise<SharedFrame> {
    while (true) {
      const item = await this.#queue.take(signal);
      if (item.kind === "frame") return item.frame;
      const { code, message } = item.notice;
      if (code !== "source_lost") continue;
      throw this.#capture.absence?.error ?? new RequestError("media_error", message);
    }
  }

  [Symbol.dispose](): void {
    this.#capture.leave(this.#queue);
  }
}
