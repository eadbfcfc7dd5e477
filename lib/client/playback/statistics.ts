import { type Frame, sampleSize, type StreamDescription, toSeconds } from "../../media/frame.ts";

/** Milliseconds from a live frame's capture to its arrival. */
export interface Latency {
  /** Half of all frames were quicker. */
  p50: number;
  /** 95 % of all frames were quicker. */
  p95: number;
}

/** What is counted of one answer. */
export class Statistics {
  readonly command: string;
  name = "";
  /** Frames of video. */
  frames = 0;
  audioFrames = 0;
  /** Bytes of frames' data. */
  bytes = 0;
  /** Frames that the server left out, as far as it has told. */
  dropped = 0;
  /** Connections that were made again. */
  reconnects = 0;
  /** It is written somewhere, and not only looked at. */
  recording = false;
  /** Bytes of the file that is written, where there is one. */
  written: number | undefined;
  /** Seconds of media that arrived: up to the newest frame; of sound alone, up to its end. */
  position = 0;
  /** Milliseconds from the request to the first frame. */
  firstFrameMs: number | undefined;
  #began: number;
  #ended: number | undefined;
  #now: () => number;
  #streams = new Map<number, StreamDescription>();
  #latencies = new LatencyHistogram();

  /** @param now milliseconds since some fixed moment; never goes back */
  constructor(command: string, now: () => number = () => performance.now()) {
    this.command = command;
    this.#now = now;
    this.#began = now();
  }

  /** Seconds since the request, up to now or the end. */
  get seconds(): number {
    return ((this.#ended ?? this.#now()) - this.#began) / 1000;
  }

  /** Frames of video a second, over the whole time. */
  get framesPerSecond(): number {
    const { frames, seconds } = this;
    return seconds > 0 ? frames / seconds : 0;
  }

  /** How old live frames are when they come; `undefined` where nothing is live. */
  get latency(): Latency | undefined {
    const p50 = this.#latencies.percentile(0.5);
    const p95 = this.#latencies.percentile(0.95);
    return p50 === undefined || p95 === undefined ? undefined : { p50, p95 };
  }

  /** Whether there is a picture among the streams. */
  get hasPicture(): boolean {
    return [...this.#streams.values()].some((stream) => stream.type === "video");
  }

  /** Takes note of what is coming. */
  describe(name: string, streams: readonly StreamDescription[]): void {
    this.name = name;
    for (const stream of streams) this.#streams.set(stream.id, stream);
  }

  /**
   * Counts a frame.
   *
   * @param latency milliseconds since it was captured, where that is known
   */
  count(frame: Frame, latency?: number): void {
    if (latency !== undefined) this.#latencies.add(latency);
    this.firstFrameMs ??= this.#now() - this.#began;
    const stream = this.#streams.get(frame.streamId);
    if (stream?.type === "video") this.frames++;
    else this.audioFrames++;
    this.bytes += frame.data.byteLength;
    if (stream === undefined) return;
    const length = this.hasPicture ? 0 : lengthOf(frame, stream);
    const reached = toSeconds(frame.timestamp, stream.timeBase) + length;
    this.position = Math.max(this.position, reached);
  }

  /** What follows comes from elsewhere: `position` seconds on the time line of the timestamps. */
  jump(position: number): void {
    this.position = Math.max(0, position);
  }

  /** Stops the time. */
  end(): void {
    this.#ended ??= this.#now();
  }

  /** The line of `--json`: see docs/guide/operate.md for its fields. */
  toJSON(): Record<string, unknown> {
    const { command, name, frames, audioFrames, bytes, dropped, reconnects } = this;
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
    };
  }
}

/** Seconds that a frame of PCM lasts; 0 for all others, whose bytes do not tell. */
function lengthOf({ data }: Frame, stream: StreamDescription): number {
  const size = stream.type === "audio" ? sampleSize(stream.codec) : undefined;
  if (stream.type !== "audio" || size === undefined) return 0;
  return data.byteLength / (size * stream.channels * stream.sampleRate);
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** Milliseconds below which latencies are not told apart. */
const SMALLEST = 0.1;

/** Each class is that much wider than the one before: values are good to 1 %. */
const GROWTH = 1.02;

/** Classes, the last for all above two weeks. */
const CLASSES = 1175;

/** Latencies, counted in classes, so that any number of them takes the same memory. */
export class LatencyHistogram {
  #counts = new Uint32Array(CLASSES);
  #total = 0;

  /** @param milliseconds negative ones, from clocks that are not quite known, count as none */
  add(milliseconds: number): void {
    const steps = Math.log(Math.max(milliseconds, SMALLEST) / SMALLEST) / Math.log(GROWTH);
    this.#counts[Math.min(CLASSES - 1, Math.floor(steps))]++;
    this.#total++;
  }

  /**
   * The latency that a share of all does not exceed.
   *
   * @param share 0 to 1, such as 0.95
   * @returns milliseconds; `undefined` where there are none
   */
  percentile(share: number): number | undefined {
    if (this.#total === 0) return undefined;
    const wanted = Math.max(1, Math.ceil(share * this.#total));
    let seen = 0;
    const found = this.#counts.findIndex((count) => (seen += count) >= wanted);
    return SMALLEST * GROWTH ** (found + 0.5);
  }
}
