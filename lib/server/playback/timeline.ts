/** Where frames stand on the time line of a request, through seeks and rounds. Pure. */
import {
  type Frame,
  pcmSeconds,
  type Rational,
  type StreamDescription,
  toSeconds,
  type VideoStream,
} from "../../media/frame.ts";
import type { TimedFrame } from "../../media/source.ts";

/** A run of frames whose own timestamps count from somewhere in the media. */
export interface Place {
  /** Seconds on the media's time line from which the frames count. */
  from: number;
  /** Seconds on the media's time line at which the request's time line has its zero. */
  start: number;
  /** Seconds that have gone by in earlier rounds. */
  shift: number;
}

/** Seconds that a picture lasts where nothing tells. */
const USUAL_PERIOD = 0.04;

/**
 * Converts seconds to ticks as FFmpeg does with a `-ss`: by way of whole microseconds, halves
 * rounded up. What was counted from there and what is counted from the beginning differ by just
 * that.
 *
 * @param seconds not below zero
 * @param timeBase seconds a tick
 */
export function ticksAt(seconds: number, [numerator, denominator]: Rational): number {
  const dividend = 2n * BigInt(Math.round(seconds * 1e6)) * BigInt(denominator);
  const divisor = 1_000_000n * BigInt(numerator);
  return Number((dividend + divisor) / (2n * divisor));
}

/** Seconds on the request's time line at which a run of frames begins. */
export function beginningOf({ from, start, shift }: Place): number {
  return from - start + shift;
}

/** Ticks of a stream's time base on the request's time line at which a run of frames begins. */
export function beginningIn(timeBase: Rational, { from, start, shift }: Place): number {
  return ticksAt(from, timeBase) - ticksAt(start, timeBase) + ticksAt(shift, timeBase);
}

/** How the frames of one stream move from their own time line to the request's. */
export interface Move {
  /** Seconds. */
  seconds: number;
  /** Ticks of the stream's time base. */
  ticks: number;
  /** The part of the ticks that is due to earlier rounds. */
  shift: number;
}

/** Finds out, for each stream, how its frames move. */
export function movesTo(
  place: Place,
  streams: readonly StreamDescription[],
): Map<number, Move> {
  return new Map(streams.map(({ id, timeBase }) => [id, {
    seconds: beginningOf(place),
    ticks: beginningIn(timeBase, place),
    shift: ticksAt(place.shift, timeBase),
  }]));
}

/** Moves a frame. */
export function moveFrame(frame: TimedFrame, { seconds, ticks }: Move): TimedFrame {
  return { ...frame, timestamp: frame.timestamp + ticks, due: frame.due + seconds };
}

/** Finds out where a run of frames ends, from the frames. */
export class EndMeter {
  #streams: Map<number, StreamMeter>;

  constructor(streams: readonly StreamDescription[]) {
    this.#streams = new Map(streams.map((stream) => [stream.id, new StreamMeter(stream)]));
  }

  add(frame: Frame): void {
    this.#streams.get(frame.streamId)?.add(frame);
  }

  /** Seconds at which the last frame is over, on the time line of the timestamps; at least 0. */
  get end(): number {
    return Math.max(0, ...[...this.#streams.values()].map((stream) => stream.end));
  }
}

class StreamMeter {
  #stream: StreamDescription;
  /** The two highest timestamps, which need not be the last two frames'. */
  #highest = -Infinity;
  #second = -Infinity;
  /** Bytes of the frame with the highest timestamp. */
  #size = 0;

  constructor(stream: StreamDescription) {
    this.#stream = stream;
  }

  add({ timestamp, data }: Frame): void {
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
    // Coarse ticks, as Matroska's, round the period of a rate that is known exactly.
    const step = toSeconds(this.#highest - this.#second, stream.timeBase);
    return Math.abs(step - usual) <= toSeconds(1, stream.timeBase) ? usual : step;
  }
}

function periodOf({ frameRate }: VideoStream): number {
  return frameRate === undefined ? USUAL_PERIOD : frameRate[1] / frameRate[0];
}

/**
 * Seconds of one round, at least a picture's.
 *
 * @param measured seconds at which the last frame was over
 * @param duration seconds that were asked for
 * @param rest seconds that the media has from the start on
 */
export function roundLength(
  { measured, duration = Infinity, rest = 0 }: {
    measured: number;
    duration?: number;
    rest?: number;
  },
): number {
  const length = duration <= rest ? duration : Math.min(measured, duration);
  return length > 0 ? length : USUAL_PERIOD;
}
