/** Timestamps on the timeline of a request, through seeks and the rounds of a loop. */
import {
  type Frame,
  pcmSeconds,
  type Rational,
  type StreamDescription,
  toSeconds,
  type VideoStream,
} from "../../media/frame.ts";
import type { TimedFrame } from "../../media/source.ts";

/** The position of a run of frames, whose own timestamps begin at 0. */
export interface Position {
  /** Seconds on the media's timeline at which the run begins. */
  from: number;
  /** Seconds on the media's timeline at which the request begins. */
  start: number;
  /** Seconds of earlier rounds. */
  shift: number;
}

/** Seconds that a video frame lasts if its rate is unknown. */
const DEFAULT_PERIOD = 0.04;

/**
 * Converts seconds to ticks as FFmpeg does with `-ss`: by way of whole microseconds, halves rounded
 * up. Timestamps behind a seek differ from those of the whole media by exactly that.
 *
 * @param seconds not below zero
 * @param timeBase seconds a tick
 */
export function ticksAt(seconds: number, [numerator, denominator]: Rational): number {
  const dividend = 2n * BigInt(Math.round(seconds * 1e6)) * BigInt(denominator);
  const divisor = 1_000_000n * BigInt(numerator);
  return Number((dividend + divisor) / (2n * divisor));
}

/** Seconds on the request's timeline at which a run of frames begins. */
export function beginningOf({ from, start, shift }: Position): number {
  return from - start + shift;
}

/** Ticks of a stream's time base on the request's timeline at which a run of frames begins. */
export function beginningIn(timeBase: Rational, { from, start, shift }: Position): number {
  return ticksAt(from, timeBase) - ticksAt(start, timeBase) + ticksAt(shift, timeBase);
}

/** The offset of one stream's frames on the request's timeline. */
export interface Move {
  /** Seconds. */
  seconds: number;
  /** Ticks of the stream's time base. */
  ticks: number;
  /** The ticks of earlier rounds, which are part of `ticks`. */
  shift: number;
}

/** Gives the offset of each stream. */
export function movesTo(
  position: Position,
  streams: readonly StreamDescription[],
): Map<number, Move> {
  return new Map(streams.map(({ id, timeBase }) => [id, {
    seconds: beginningOf(position),
    ticks: beginningIn(timeBase, position),
    shift: ticksAt(position.shift, timeBase),
  }]));
}

/** Moves a frame to the request's timeline. */
export function moveFrame(frame: TimedFrame, { seconds, ticks }: Move): TimedFrame {
  return { ...frame, timestamp: frame.timestamp + ticks, due: frame.due + seconds };
}

/** The fields of a frame that tell its end. */
type MeteredFrame = Pick<Frame, "streamId" | "timestamp" | "data">;

/** Measures the end of a run of frames. */
export class EndMeter {
  #streams: Map<number, StreamMeter>;

  constructor(streams: readonly StreamDescription[]) {
    this.#streams = new Map(streams.map((stream) => [stream.id, new StreamMeter(stream)]));
  }

  add(frame: MeteredFrame): void {
    this.#streams.get(frame.streamId)?.add(frame);
  }

  /** Seconds at which the last frame ends, on the timeline of the timestamps; at least 0. */
  get end(): number {
    return Math.max(0, ...[...this.#streams.values()].map((stream) => stream.end));
  }
}

class StreamMeter {
  #stream: StreamDescription;
  /** The two highest timestamps; frames may come in decoding order. */
  #highest = -Infinity;
  #second = -Infinity;
  /** Bytes of the frame with the highest timestamp. */
  #size = 0;

  constructor(stream: StreamDescription) {
    this.#stream = stream;
  }

  add({ timestamp, data }: MeteredFrame): void {
    if (timestamp > this.#highest) {
      this.#second = this.#highest;
      this.#highest = timestamp;
      this.#size = data.byteLength;
    } else if (timestamp > this.#second) {
      this.#second = timestamp;
    }
  }

  get end(): number {
    if (this.#highest === -Infinity) return 0;
    return toSeconds(this.#highest, this.#stream.timeBase) + this.#lastDuration();
  }

  #lastDuration(): number {
    const stream = this.#stream;
    const exact = pcmSeconds(this.#size, stream);
    if (exact !== undefined) return exact;
    const usual = stream.type === "video" ? periodOf(stream) : 0;
    if (this.#second === -Infinity) return usual;
    // Coarse ticks, such as Matroska's, round the period.
    const step = toSeconds(this.#highest - this.#second, stream.timeBase);
    return Math.abs(step - usual) <= toSeconds(1, stream.timeBase) ? usual : step;
  }
}

function periodOf({ frameRate }: VideoStream): number {
  return frameRate === undefined ? DEFAULT_PERIOD : frameRate[1] / frameRate[0];
}

/**
 * Seconds of one round, above 0.
 *
 * @param measured seconds at which the last frame ended
 * @param duration requested seconds
 * @param remaining seconds of the media from the start on
 */
export function roundLength(
  { measured, duration = Infinity, remaining = 0 }: {
    measured: number;
    duration?: number;
    remaining?: number;
  },
): number {
  const length = duration <= remaining ? duration : Math.min(measured, duration);
  return length > 0 ? length : DEFAULT_PERIOD;
}
