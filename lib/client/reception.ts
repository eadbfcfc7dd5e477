/** What of an answer has come, over however many connections. Pure. */
import {
  type AudioStream,
  type Frame,
  type Rational,
  type StreamDescription,
  toSeconds,
} from "../core/frame.ts";
import { sampleSize } from "../core/pcm.ts";
import type { EndReport } from "../wire/answer.ts";
import type { ResumePoint } from "../wire/request.ts";

/** What has come of one stream. */
interface Received {
  stream: StreamDescription;
  point?: ResumePoint;
  /** Frames that did not follow upon what was before them. */
  breaks: number;
}

/** Knows of each stream what came last, so that the rest can be asked for. */
export class Reception {
  #streams: Map<number, Received>;
  #hasPicture: boolean;
  #position = 0;
  #totals = { frames: 0, audioFrames: 0, bytes: 0 };

  constructor(streams: readonly StreamDescription[]) {
    this.#streams = new Map(streams.map((stream) => [stream.id, { stream, breaks: 0 }]));
    this.#hasPicture = streams.some(({ type }) => type === "video");
  }

  /** Where each stream of which something came goes on. */
  get points(): ResumePoint[] {
    return [...this.#streams.values()].flatMap(({ point, breaks }) =>
      point === undefined ? [] : breaks === 0 ? [point] : [{ ...point, breaks }]
    );
  }

  /** Seconds on the time line of the timestamps: of the newest picture, or sound where it is all. */
  get position(): number {
    return this.#position;
  }

  /** Everything that came. */
  get totals(): Pick<EndReport, "frames" | "audioFrames" | "bytes"> {
    return this.#totals;
  }

  /** Takes note of a frame that is passed on. */
  take(frame: Frame): void {
    const received = this.#streams.get(frame.streamId);
    if (received === undefined) return;
    const { stream } = received;
    if (frame.discontinuity) received.breaks++;
    received.point = pointAfter(frame, stream);
    this.#totals.bytes += frame.data.byteLength;
    if (stream.type === "video") this.#totals.frames++;
    else this.#totals.audioFrames++;
    if (this.#hasPicture && stream.type !== "video") return;
    this.#position = Math.max(this.#position, toSeconds(frame.timestamp, stream.timeBase));
  }

  /** What follows comes from elsewhere: `position` seconds on the time line of the timestamps. */
  jump(position: number): void {
    this.#position = position;
  }
}

function pointAfter({ timestamp, data }: Frame, stream: StreamDescription): ResumePoint {
  const { id } = stream;
  const ticks = stream.type === "audio" ? ticksOf(data.byteLength, stream) : undefined;
  if (ticks === undefined) return { id, after: timestamp };
  return { id, after: timestamp, next: timestamp + ticks };
}

/** Ticks that a run of PCM lasts; `undefined` for other codecs. */
function ticksOf(bytes: number, stream: AudioStream): number | undefined {
  const size = sampleSize(stream.codec);
  if (size === undefined) return undefined;
  const samples = Math.floor(bytes / (size * stream.channels));
  return toTicks(samples / stream.sampleRate, stream.timeBase);
}

/** The tick that is nearest to a moment in seconds. */
export function toTicks(seconds: number, [numerator, denominator]: Rational): number {
  return Math.round(seconds * denominator / numerator);
}
