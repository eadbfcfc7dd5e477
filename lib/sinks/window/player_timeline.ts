/** Timestamps for a player across seeks and pauses. */
import { type Frame, type StreamDescription, toSeconds } from "../../media/frame.ts";
import type { Timeline } from "../../nut/writer.ts";

/** Options of {@linkcode PlayerTimeline}. */
export interface PlayerTimelineOptions {
  streams: readonly StreamDescription[];
  /** Playback speed; 1 is real time, 0 as fast as possible. */
  speed: number;
  /** Speed of the player itself, which timestamps do not contain. @default 1 */
  playerSpeed?: number;
  /** The source goes on during a pause, and its timestamps with it. */
  live: boolean;
  /** Frames before the requested start are only decoded. */
  hides: boolean;
  /** Monotonic clock, milliseconds. */
  now: () => number;
}

/**
 * Start of the timeline in microseconds, which leaves room for earlier frames: NUT has no negative
 * time.
 */
const BEGINNING = 1_000_000;

/** Microseconds between the last frame before a seek and the first one after it, at least. */
const STEP = 50_000;

/** Microseconds of a second of video that is only decoded. */
const HIDDEN_STEP = 1000;

/** FFmpeg's filter that drops the video that {@linkcode PlayerTimeline} hides. */
export const ONLY_SHOWN = "select=not(mod(pts\\,2))";

/**
 * Timeline for a player that knows no seeks and pauses: its time follows the clock.
 *
 * Frames to show get even microseconds. Video that is only decoded gets odd ones, so that a filter
 * can drop it, and close together, so that it causes no wait.
 */
export class PlayerTimeline implements Timeline {
  #options: PlayerTimelineOptions;
  #streams: Map<number, StreamDescription>;
  /** Timestamp in seconds that lies at {@linkcode #base}. */
  #origin = 0;
  /** Microseconds. */
  #base = BEGINNING;
  /** Latest frame so far, in microseconds, and when it came, in milliseconds. */
  #last: { time: number; at: number } | undefined;
  /** Start of the current pause, milliseconds. */
  #pausedAt: number | undefined;
  /** Timestamp of each stream's first frame since the last seek. */
  #first = new Map<number, number>();

  constructor(options: PlayerTimelineOptions) {
    this.#options = options;
    this.#streams = new Map(options.streams.map((stream) => [stream.id, stream]));
  }

  /**
   * Maps a frame to microseconds; `undefined` if it is not needed: audio that is not heard, and
   * video that refers to missing frames.
   */
  timestampOf({ streamId, timestamp }: Frame): number | undefined {
    const stream = this.#streams.get(streamId);
    // The writer refuses it.
    if (stream === undefined) return 0;
    const { hides, speed, playerSpeed = 1, now } = this.#options;
    const first = this.#first.get(streamId) ?? timestamp;
    this.#first.set(streamId, first);
    const seconds = toSeconds(timestamp, stream.timeBase) - this.#origin;
    if (seconds < 0 && hides) {
      if (stream.type === "audio" || timestamp < first) return undefined;
      return odd(Math.max(this.#base + seconds * HIDDEN_STEP, 0));
    }
    // A raw picture may have begun before the requested start.
    const time = even(this.#base + Math.max(0, seconds) * playerSpeed / (speed || 1) * 1e6);
    if (time > (this.#last?.time ?? -1)) this.#last = { time, at: now() };
    return time;
  }

  /**
   * The reverse for what shows.
   *
   * @param time of the player, seconds
   * @returns seconds in the timestamps of the frames; after a seek, its target until something shows
   */
  shownAt(time: number): number {
    const { speed, playerSpeed = 1 } = this.#options;
    const since = Math.max(0, time - this.#base / 1e6);
    return this.#origin + since * (speed || 1) / playerSpeed;
  }

  /** Starts again after a seek: the frame at `to` seconds is shown now. */
  jump(to: number): void {
    this.#origin = to;
    this.#first.clear();
    if (this.#last === undefined) return;
    const now = this.#options.now();
    const { time, at } = this.#last;
    this.#base = even(time + Math.max(STEP, this.#elapsed(at, now)));
    if (this.#pausedAt !== undefined) this.#pausedAt = now;
  }

  pause(paused: boolean): void {
    const now = this.#options.now();
    const since = this.#pausedAt;
    if (paused) this.#pausedAt ??= now;
    else this.#pausedAt = undefined;
    if (paused || since === undefined || this.#options.live) return;
    this.#base += even(this.#elapsed(since, now));
  }

  /** Microseconds of the player's time since a time in milliseconds, in which it waits for frames. */
  #elapsed(since: number, now: number): number {
    const { speed, playerSpeed = 1 } = this.#options;
    return speed === 0 ? 0 : (now - since) * 1000 * playerSpeed;
  }
}

function even(microseconds: number): number {
  return 2 * Math.round(microseconds / 2);
}

function odd(microseconds: number): number {
  return 2 * Math.floor(microseconds / 2) + 1;
}
