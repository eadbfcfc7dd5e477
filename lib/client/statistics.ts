import type { Frame, StreamDescription } from "../core/frame.ts";

/** What is counted of one answer. */
export class Statistics {
  readonly command: string;
  name = "";
  /** Frames of video. */
  frames = 0;
  audioFrames = 0;
  /** Bytes of frames' data. */
  bytes = 0;
  /** Times that the server left frames out before one it sent, or its own count at the end. */
  dropped = 0;
  /** Seconds of media that arrived: the newest picture's moment, or the newest sound's. */
  position = 0;
  /** Milliseconds from the request to the first frame. */
  firstFrameMs: number | undefined;
  #began: number;
  #ended: number | undefined;
  #now: () => number;
  #streams = new Map<number, StreamDescription>();

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

  /** Whether there is a picture among the streams. */
  get hasPicture(): boolean {
    return [...this.#streams.values()].some((stream) => stream.type === "video");
  }

  /** Takes note of what is coming. */
  describe(name: string, streams: readonly StreamDescription[]): void {
    this.name = name;
    for (const stream of streams) this.#streams.set(stream.id, stream);
  }

  /** Counts a frame. */
  count(frame: Frame): void {
    this.firstFrameMs ??= this.#now() - this.#began;
    const stream = this.#streams.get(frame.streamId);
    if (stream?.type === "video") this.frames++;
    else this.audioFrames++;
    this.bytes += frame.data.byteLength;
    if (stream === undefined) return;
    const moment = frame.timestamp * stream.timeBase[0] / stream.timeBase[1];
    this.position = Math.max(this.position, moment);
  }

  /** Stops the time. */
  end(): void {
    this.#ended ??= this.#now();
  }

  /** The line of `--json`: see the README for its fields. */
  toJSON(): Record<string, unknown> {
    const { command, name, frames, audioFrames, bytes, dropped, firstFrameMs } = this;
    return {
      command,
      name,
      frames,
      audioFrames,
      bytes,
      seconds: round(this.seconds, 3),
      fps: round(this.framesPerSecond, 2),
      dropped,
      reconnects: 0,
      firstFrameMs: firstFrameMs === undefined ? null : round(firstFrameMs, 1),
    };
  }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
