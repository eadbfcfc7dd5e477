/** HLS of a whole file, whose segments are made when they are asked for. */
import type { Description } from "../../../media/frame.ts";
import type { OpenResponse } from "../../../protocol/media_response.ts";
import type { MediaRequest } from "../../../protocol/native/request.ts";
import { ByteCache, type CachedBytes } from "../../thumbnails.ts";
import { type Hls, type HlsOptions, nothing, waitWhile } from "./hls.ts";
import { Idleness } from "./idleness.ts";
import { encodePlaylist } from "./playlist.ts";
import { SegmentRun } from "./segment_run.ts";
import { SEGMENT_LENGTH, type SegmentedPart } from "./segmenter.ts";

/** Bytes of the segments in memory. */
const CACHE_SIZE = 32 << 20;

/** Encoders at once: readers at more places than these wait for each other. */
const MAX_RUNS = 2;

/** Frames a second for which the positions of keyframes are certain. */
const RATES = { min: 0.5, max: 120 };

/** Seconds that a last segment has at least; a shorter rest belongs to the one before. */
const SHORTEST = 0.25;

/** The file that decoders need before the first segment. */
const INIT = "init.mp4";

/** How a file is divided. */
export interface FileTimes {
  /** Frames per second. */
  fps: number;
  /** Seconds of each segment but the last one. */
  length: number;
  /** Number of segments. */
  count: number;
  /** Seconds of all of them. */
  duration: number;
}

/**
 * Divides a file into segments.
 *
 * @returns `undefined` if their beginnings are not known
 */
export function divide(
  { duration, streams }: Pick<Description, "duration" | "streams">,
  request: Pick<MediaRequest, "fps" | "start" | "duration">,
): FileTimes | undefined {
  const video = streams.find((stream) => stream.type === "video");
  const [frames = NaN, seconds = NaN] = video?.frameRate ?? [];
  // As exact as a request takes it.
  const fps = request.fps ?? Math.round(frames / seconds * 1000) / 1000;
  const { start = 0, duration: wanted = Infinity } = request;
  const shown = Math.min((duration ?? NaN) - start, wanted);
  if (video === undefined || !(fps >= RATES.min && fps <= RATES.max && shown > 0)) return undefined;
  const length = Math.ceil(SEGMENT_LENGTH * fps - 1e-6) / fps;
  const count = Math.max(1, Math.ceil((shown - SHORTEST) / length));
  return { fps, length, count, duration: shown };
}

/** Whether a file of a playlist is one that {@linkcode FileRendition} makes. */
export function isMadeOnDemand(file: string): boolean {
  return file === INIT || segmentOf(file) !== undefined;
}

function segmentOf(file: string): number | undefined {
  const [, digits] = /^(\d{1,7})\.m4s$/.exec(file) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** Options of {@linkcode FileRendition}. */
export interface FileRenditionOptions extends HlsOptions {
  /** The request for all of it. */
  request: MediaRequest;
  /** Opens a response. */
  open: (request: MediaRequest, signal: AbortSignal) => Promise<OpenResponse>;
  times: FileTimes;
}

/** A request for a segment. */
interface Waiter {
  at: number;
  bytes?: Uint8Array<ArrayBuffer>;
}

/**
 * Lists all segments of a file at once. Encoders start where players ask, stay a little ahead of them,
 * and stop when nobody asks any more. Frames have a fixed rate, so that the positions of keyframes
 * are known beforehand, and segments of all encoders fit together.
 */
export class FileRendition implements Hls {
  readonly ended: Promise<void>;
  #options: FileRenditionOptions;
  #idleness: Idleness;
  #closing = new AbortController();
  #signal: AbortSignal;
  #init: Uint8Array<ArrayBuffer> | undefined;
  #segments = new ByteCache<CachedBytes>(CACHE_SIZE);
  #runs = new Set<SegmentRun>();
  /** Of all encoders, until they have ended. */
  #endings = new Set<Promise<void>>();
  #waiters = new Set<Waiter>();
  #change = Promise.withResolvers<void>();

  constructor(options: FileRenditionOptions) {
    this.#options = options;
    this.#idleness = new Idleness(options.clock);
    this.#signal = AbortSignal.any([options.signal, this.#closing.signal]);
    this.ended = this.#endIfIdle();
  }

  get isEnding(): boolean {
    return this.#closing.signal.aborted;
  }

  playlist(query: string): Promise<string> {
    using _serving = this.#idleness.serve();
    const { length, count, duration } = this.#options.times;
    const segments = Array.from({ length: count }, (_, at) => ({
      file: `${at}.m4s`,
      init: INIT,
      duration: at < count - 1 ? length : duration - at * length,
    }));
    return Promise.resolve(encodePlaylist({
      ...{ segments, query, sequence: 0, discontinuities: 0, isEnded: true },
      longest: Math.max(length, duration - (count - 1) * length),
    }));
  }

  async file(name: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined> {
    using _serving = this.#idleness.serve();
    const either = AbortSignal.any([signal, this.#signal]);
    if (name === INIT) {
      if (this.#init === undefined) await this.#make(0, either);
      return this.#init;
    }
    const at = segmentOf(name) ?? Infinity;
    if (at >= this.#options.times.count) return undefined;
    return this.#segments.get(`${at}`)?.bytes ?? await this.#make(at, either);
  }

  /** Gets a segment from an encoder that is near, or from one of its own. */
  async #make(at: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const waiter: Waiter = { at };
    this.#waiters.add(waiter);
    let run: SegmentRun | undefined;
    try {
      await waitWhile(() => {
        if (waiter.bytes !== undefined) return undefined;
        if (run?.hasEnded && run.first === at) throw run.failure ?? nothing();
        if (!run?.reaches(at)) run = this.#runFor(at);
        run?.want(at);
        return this.#change.promise;
      }, signal);
      return waiter.bytes;
    } finally {
      this.#waiters.delete(waiter);
    }
  }

  /** @returns `undefined` if another encoder has to end first */
  #runFor(at: number): SegmentRun | undefined {
    const runs = [...this.#runs];
    const near = runs.find((run) => run.reaches(at));
    if (near !== undefined) return near;
    if (runs.length < MAX_RUNS) return this.#start(at);
    const others = [...this.#waiters].filter(({ bytes }) => bytes === undefined);
    const isNeedless = (run: SegmentRun) => !others.some(({ at }) => run.reaches(at));
    if (!runs.some(({ hasEnded }) => hasEnded)) runs.find(isNeedless)?.stop();
    return undefined;
  }

  #start(first: number): SegmentRun {
    const { request, open, dialect, times: { fps, length, count, duration } } = this.#options;
    const offset = first * length;
    const start = (request.start ?? 0) + offset;
    const part: MediaRequest = {
      ...{ ...request, fps, speed: 0 },
      ...(start > 0 ? { start } : {}),
      ...(request.duration === undefined ? {} : { duration: duration - offset }),
    };
    const run: SegmentRun = new SegmentRun({
      ...{ first, length, count, dialect, signal: this.#signal },
      open: (signal) => open(part, signal),
      onPart: (made, at) => this.#take(made, at),
      onEnd: () => {
        this.#runs.delete(run);
        this.#notify();
      },
    });
    this.#runs.add(run);
    this.#endings.add(run.ended);
    run.ended.then(() => this.#endings.delete(run.ended));
    return run;
  }

  #take(part: SegmentedPart, at: number): void {
    if (part.kind === "init") {
      // That of all encoders is the same.
      this.#init ??= part.bytes;
      return;
    }
    this.#segments.set(`${at}`, part);
    for (const waiter of this.#waiters) {
      if (waiter.at === at) waiter.bytes = part.bytes;
    }
    this.#notify();
  }

  async #endIfIdle(): Promise<void> {
    try {
      await this.#idleness.begins(this.#signal);
    } catch (error) {
      if (!this.#signal.aborted) throw error;
    }
    this.#closing.abort();
    await Promise.all(this.#endings);
  }

  #notify(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }
}
