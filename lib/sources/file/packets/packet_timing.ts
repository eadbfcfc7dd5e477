/** Timestamps of copied packets, to the tick as FFmpeg gives them. */
import { greatestDivisor, type Rational, toTicks } from "../../../media/frame.ts";
import { leadOf } from "../ffmpeg_args.ts";
import type { MediaOptions } from "../plan.ts";
import type { SeekPlan } from "../seek.ts";

/** Seconds per tick of FFmpeg's own times. */
const MICROSECONDS: Rational = [1, 1_000_000];

/** Ticks a second that FFmpeg's NUT has at least, unless the denominator becomes too large. */
const MIN_PRECISION = 48_000;
const MAX_DENOMINATOR = 2 ** 24;

/** Factors by which FFmpeg refines a time base before it halves it (libavformat/utils.c). */
const FACTORS = [2, 3, 5, 7, 9, 11, 13];

/** The time base in which FFmpeg writes a video stream to NUT. */
export function nutTimeBase([numerator, denominator]: Rational): Rational {
  let [n, d] = [numerator, denominator];
  const isCoarse = () => Math.floor(d / n) < MIN_PRECISION;
  for (const factor of FACTORS) while (isCoarse() && n % factor === 0) n /= factor;
  while (isCoarse() && d < MAX_DENOMINATOR) d *= 2;
  const divisor = greatestDivisor(n, d);
  return [n / divisor, d / divisor];
}

/** Options of {@linkcode PacketTiming}. */
export interface PacketTimingOptions {
  /** Seconds per tick of the packets' timestamps. */
  source: Rational;
  /** Seconds per tick in FFmpeg's NUT. */
  nut: Rational;
  /** Seconds per tick of the frames' timestamps. */
  target: Rational;
  /** Seconds of the earliest timestamp of the file. */
  fileStart: number;
  options: MediaOptions;
  /** How FFmpeg would read the file. */
  plan: SeekPlan;
  /**
   * Samples of a packet of so many bytes, 0 if unknown; absent for video. FFmpeg counts them if the
   * source is coarser than samples.
   */
  samplesOf?: (bytes: number) => number;
}

/** Timestamps of the packets of one track, relative to the start of the part that is sent. */
export class PacketTiming {
  #toMicroseconds: Ratio;
  #toNut: Ratio;
  /** Ticks of the source by which FFmpeg moves packets when it reads them. */
  #shift: number;
  /** Microseconds after the seek at which packets end. */
  #end: number;
  /** Ticks of NUT by which FFmpeg's output is later than the timestamps. */
  #lead: number;
  /** Ticks of the target in a tick of NUT. */
  #scale: number;
  #samplesOf: ((bytes: number) => number) | undefined;
  /** Whether the source is coarser than NUT. */
  #isCoarse: boolean;
  /** End of the latest packet of audio, in ticks of NUT. */
  #counted: number | undefined;
  /** Timestamp of the latest packet of audio in ticks of NUT. */
  #last = -Infinity;

  constructor({ source, nut, target, fileStart, options, plan, samplesOf }: PacketTimingOptions) {
    const lead = leadOf(options);
    const { duration = Infinity } = options;
    this.#toMicroseconds = new Ratio(source, MICROSECONDS);
    this.#toNut = new Ratio(source, nut);
    this.#shift = rescale(-(toMicroseconds(plan.seek) + toMicroseconds(fileStart)), source);
    this.#end = duration === Infinity ? Infinity : toMicroseconds(plan.rest + duration);
    this.#lead = toTicks(lead, nut) - rescale(toMicroseconds(lead - plan.rest), nut);
    this.#scale = (nut[0] * target[1]) / (nut[1] * target[0]);
    this.#samplesOf = samplesOf;
    this.#isCoarse = source[0] * nut[1] > nut[0] * source[1];
  }

  /**
   * Whether a packet is behind the part that is sent: FFmpeg ends a stream there.
   *
   * @param decodeTimestamp ticks of the source
   */
  isBehind(decodeTimestamp: number): boolean {
    return this.#end !== Infinity &&
      this.#toMicroseconds.apply(decodeTimestamp + this.#shift) >= this.#end;
  }

  /**
   * The timestamp of the next packet, in ticks of the target.
   *
   * @param timestamp ticks of the source
   * @param bytes size of the packet
   */
  next(timestamp: number, bytes: number): number {
    let ticks = this.#refine(timestamp + this.#shift, bytes);
    // FFmpeg moves timestamps of audio that do not increase.
    if (this.#samplesOf !== undefined) {
      ticks = Math.max(ticks, this.#last + 1);
      this.#last = ticks;
    }
    return Math.round((ticks - this.#lead) * this.#scale) + 0;
  }

  /** Converts ticks to those of NUT; those of audio as FFmpeg's `av_rescale_delta()` does. */
  #refine(ticks: number, bytes: number): number {
    const rounded = this.#toNut.apply(ticks);
    if (this.#samplesOf === undefined || !this.#isCoarse) return rounded;
    const samples = this.#samplesOf(bytes);
    const counted = this.#counted;
    const earliest = Math.floor(Math.floor(this.#toNut.exact(2 * ticks - 1)) / 2);
    const latest = Math.floor((Math.ceil(this.#toNut.exact(2 * ticks + 1)) + 1) / 2);
    const isContinued = counted !== undefined && samples > 0 &&
      counted >= 2 * earliest - latest && counted <= 2 * latest - earliest;
    const refined = isContinued ? Math.min(Math.max(counted, earliest), latest) : rounded;
    this.#counted = refined + samples;
    return refined;
  }
}

/** Converts ticks to those of another time base, rounded as FFmpeg rounds: away from zero. */
class Ratio {
  #numerator: number;
  #denominator: number;

  constructor(from: Rational, to: Rational) {
    const [numerator, denominator] = [from[0] * to[1], from[1] * to[0]];
    const divisor = greatestDivisor(numerator, denominator);
    this.#numerator = numerator / divisor;
    this.#denominator = denominator / divisor;
  }

  apply(ticks: number): number {
    if (this.#denominator === 1) return ticks * this.#numerator;
    const exact = this.exact(ticks);
    return Math.sign(exact) * Math.round(Math.abs(exact));
  }

  exact(ticks: number): number {
    return ticks * this.#numerator / this.#denominator;
  }
}

/** Microseconds in ticks of a time base. */
function rescale(microseconds: number, timeBase: Rational): number {
  return new Ratio(MICROSECONDS, timeBase).apply(microseconds);
}

/** Seconds as the arguments of FFmpeg state them. */
function toMicroseconds(seconds: number): number {
  return Math.round(Number(seconds.toFixed(6)) * 1e6);
}
