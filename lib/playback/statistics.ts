/** Counters of a play, and percentiles of its latency. */
import { type AnyStream, type Frame, pcmSeconds, toSeconds } from "../media/frame.ts";
import { FrameCounter } from "../protocol/media_response.ts";

/** Percentiles of the time from a live frame's capture to its arrival, milliseconds. */
export interface Latency {
  p50: number;
  p95: number;
}

/** Counters of one response. */
export class Statistics {
  readonly command: string;
  name = "";
  /** Frames that the server has reported as dropped. */
  dropped = 0;
  reconnects = 0;
  /** Media is recorded. */
  recording = false;
  /** Size of the recorded file, bytes. */
  written: number | undefined;
  /** Timestamp of the newest frame, seconds; without video, the end of the newest audio. */
  position = 0;
  /** Milliseconds from the request, or from the script's connection, to the first frame. */
  firstFrameMs: number | undefined;
  #began: number;
  #ended: number | undefined;
  #now: () => number;
  #streams = new Map<number, AnyStream>();
  #counter = new FrameCounter();
  #latencies = new LatencyHistogram();

  /** @param now milliseconds of a clock that never goes back */
  constructor(command: string, now: () => number = () => performance.now()) {
    this.command = command;
    this.#now = now;
    this.#began = now();
  }

  /** Frames of video. */
  get frames(): number {
    return this.#counter.totals.frames;
  }

  /** Frames of audio. */
  get audioFrames(): number {
    return this.#counter.totals.audioFrames;
  }

  /** Messages of data streams. */
  get messages(): number {
    return this.#counter.messages;
  }

  /** Bytes of the data of frames and messages. */
  get bytes(): number {
    return this.#counter.totals.bytes;
  }

  /** Seconds since the request, or since the script connected, up to now or the end. */
  get seconds(): number {
    return ((this.#ended ?? this.#now()) - this.#began) / 1000;
  }

  /** Average frames of video per second. */
  get framesPerSecond(): number {
    const { frames, seconds } = this;
    return seconds > 0 ? frames / seconds : 0;
  }

  /** Latency of live frames; `undefined` if nothing is live. */
  get latency(): Latency | undefined {
    const p50 = this.#latencies.percentile(0.5);
    const p95 = this.#latencies.percentile(0.95);
    return p50 === undefined || p95 === undefined ? undefined : { p50, p95 };
  }

  /** Whether there is a video stream. */
  get hasPicture(): boolean {
    return [...this.#streams.values()].some((stream) => stream.type === "video");
  }

  /** Whether there is a stream of video or audio. */
  get hasMedia(): boolean {
    return [...this.#streams.values()].some(({ type }) => type !== "data");
  }

  /** Sets the name, and adds streams. */
  describe(name: string, streams: readonly AnyStream[]): void {
    this.name = name;
    for (const stream of streams) this.#streams.set(stream.id, stream);
    this.#counter.describe([...this.#streams.values()]);
  }

  /**
   * Counts a frame.
   *
   * @param latency milliseconds since its capture, if known
   */
  count(frame: Frame, latency?: number): void {
    this.#counter.count(frame);
    const stream = this.#streams.get(frame.streamId);
    if (stream?.type === "data" && this.hasMedia) return;
    if (latency !== undefined) this.#latencies.add(latency);
    this.firstFrameMs ??= this.#now() - this.#began;
    if (stream === undefined) return;
    const isMessage = stream.type === "data";
    const length = this.hasPicture || isMessage
      ? 0
      : pcmSeconds(frame.data.byteLength, stream) ?? 0;
    const reached = toSeconds(frame.timestamp, stream.timeBase) + length;
    this.position = Math.max(this.position, reached);
  }

  /** @param position timestamp from which media goes on after a seek, seconds */
  jump(position: number): void {
    this.position = Math.max(0, position);
  }

  /** Restarts the clock when a script connects, unless something was received before. */
  connected(): void {
    if (this.firstFrameMs === undefined) this.#began = this.#now();
  }

  /** Stops the clock. */
  end(): void {
    this.#ended ??= this.#now();
  }

  /** The fields of `--json`, described in docs/guide/operate.md. */
  toJSON(): Record<string, unknown> {
    const { command, name, frames, audioFrames, messages, bytes, dropped, reconnects } = this;
    const { firstFrameMs, latency } = this;
    return {
      command,
      name,
      frames,
      audioFrames,
      bytes,
      seconds: round(this.seconds, 3),
      fps: round(this.framesPerSecond, 2),
      dropped,
      reconnects,
      firstFrameMs: firstFrameMs === undefined ? null : round(firstFrameMs, 1),
      latencyMs: latency === undefined
        ? null
        : { p50: round(latency.p50, 1), p95: round(latency.p95, 1) },
      messages,
    };
  }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** Upper bound of the first class, milliseconds. */
const SMALLEST = 0.1;

/** Ratio of each class to the one before; values are exact to 1 %. */
const GROWTH = 1.02;

/** Number of classes; the last is for everything above two weeks. */
const CLASSES = 1175;

/** Counts latencies in classes, in constant memory. */
export class LatencyHistogram {
  #counts = new Uint32Array(CLASSES);
  #total = 0;

  /** @param milliseconds may be negative if clocks are not exactly in sync; counts as 0 */
  add(milliseconds: number): void {
    const steps = Math.log(Math.max(milliseconds, SMALLEST) / SMALLEST) / Math.log(GROWTH);
    this.#counts[Math.min(CLASSES - 1, Math.floor(steps))]++;
    this.#total++;
  }

  /**
   * The latency that a share of all values does not exceed.
   *
   * @param share 0 to 1, such as 0.95
   * @returns milliseconds; `undefined` without values
   */
  percentile(share: number): number | undefined {
    if (this.#total === 0) return undefined;
    const wanted = Math.max(1, Math.ceil(share * this.#total));
    let seen = 0;
    const found = this.#counts.findIndex((count) => (seen += count) >= wanted);
    return SMALLEST * GROWTH ** (found + 0.5);
  }
}
