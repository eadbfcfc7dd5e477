import { type Frame, type StreamDescription, toSeconds } from "../../media/frame.ts";
import type { Timeline } from "../../nut/writer.ts";

/** What {@linkcode PlayerTimeline} has to know. */
export interface PlayerTimelineOptions {
  streams: readonly StreamDescription[];
  /** Playing speed, 1 being real time; 0 where frames come as fast as they can. */
  speed: number;
  /** What it comes from goes on in a pause, and so do the timestamps behind it. */
  live: boolean;
  /** Frames from before what was asked for are there for decoding only. */
  hides: boolean;
  /** Milliseconds, from any moment on. */
  now: () => number;
}

/** Microseconds at which it begins: room for what lies before, since NUT has no time below 0. */
const BEGINNING = 1_000_000;

/** Microseconds at least between what was shown before a jump, and what is shown behind it. */
const STEP = 50_000;

/** Microseconds that a second of pictures takes that are for decoding only. */
const HIDDEN_STEP = 1000;

/**
 * FFmpeg's filter that leaves out the pictures that {@linkcode PlayerTimeline} hides.
 */
export const ONLY_SHOWN = "select=not(mod(pts\\,2))";

/**
 * The time line of a player that knows nothing of jumps and pauses: time goes on with the clock,
 * whatever comes. Pure.
 *
 * Pictures that are shown lie at even microseconds. Those for decoding only lie at odd ones, so that
 * a filter tells them apart, and close together, so that nobody waits for them.
 */
export class PlayerTimeline implements Timeline {
  #options: PlayerTimelineOptions;
  #streams: Map<number, StreamDescription>;
  /** Seconds on the frames' time line that lie at {@linkcode #base}. */
  #origin = 0;
  /** Microseconds. */
  #base = BEGINNING;
  /** Microseconds of the furthest frame so far, and when it came, in milliseconds. */
  #last: { time: number; at: number } | undefined;
  /** Milliseconds at which the pause began that lasts. */
  #pausedAt: number | undefined;
  /** Timestamp of each stream's first frame since the last jump. */
  #first = new Map<number, number>();

  constructor(options: PlayerTimelineOptions) {
    this.#options = options;
    this.#streams = new Map(options.streams.map((stream) => [stream.id, stream]));
  }

  /**
   * Microseconds at which a frame lies; `undefined` for those that nobody needs: sound that is not
   * to be heard, and pictures that refer to what has not come.
   */
  place({ streamId, timestamp }: Frame): number | undefined {
    const stream = this.#streams.get(streamId);
    // Whoever writes it refuses it.
    if (stream === undefined) return 0;
    const { hides, speed, now } = this.#options;
    const first = this.#first.get(streamId) ?? timestamp;
    this.#first.set(streamId, first);
    const seconds = toSeconds(timestamp, stream.timeBase) - this.#origin;
    if (seconds < 0 && hides) {
      if (stream.type === "audio" || timestamp < first) return undefined;
      return odd(Math.max(this.#base + seconds * HIDDEN_STEP, 0));
    }
    // A raw picture may have begun before the moment that it is shown for.
    const time = even(this.#base + Math.max(0, seconds) / (speed || 1) * 1e6);
    if (time > (this.#last?.time ?? -1)) this.#last = { time, at: now() };
    return time;
  }

  /** What follows comes from elsewhere: what lies at `to` seconds is to be shown now. */
  jump(to: number): void {
    this.#origin = to;
    this.#first.clear();
    if (this.#last === undefined) return;
    const now = this.#options.now();
    const { time, at } = this.#last;
    this.#base = even(time + Math.max(STEP, this.#elapsed(at, now)));
    if (this.#pausedAt !== undefined) this.#pausedAt = now;
  }

  /** Nothing comes, since the user has paused, or it goes on. */
  pause(paused: boolean): void {
    const now = this.#options.now();
    const since = this.#pausedAt;
    if (paused) this.#pausedAt ??= now;
    else this.#pausedAt = undefined;
    if (paused || since === undefined || this.#options.live) return;
    this.#base += even(this.#elapsed(since, now));
  }

  /** Microseconds between two moments that the player has waited, where it waits for frames. */
  #elapsed(since: number, now: number): number {
    return this.#options.speed === 0 ? 0 : (now - since) * 1000;
  }
}

function even(microseconds: number): number {
  return 2 * Math.round(microseconds / 2);
}

function odd(microseconds: number): number {
  return 2 * Math.floor(microseconds / 2) + 1;
}
