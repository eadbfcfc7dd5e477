/** Detects that a browser cannot play on, although it gets data. */
/// <reference lib="dom" />

/** Bytes appended without growth of the buffered range that count as a stall. */
const STALL_BYTES = 8 * 2 ** 20;

/** Seconds ahead with which browsers do not play on. */
const STALL_AHEAD = 0.1;

/**
 * Milliseconds of standing still, with more than `STALL_AHEAD` buffered, that count as a stall too:
 * after an underrun, a browser may want more data than its buffer has room for.
 */
const STALL_TIME = 1000;

/** Seconds ahead up to which standing still counts; with more, the browser is only slow. */
const MAX_STILL_AHEAD = 2;

/** The browser cannot decode the data, or its buffer is too small to decode it. */
export class UndecodableError extends Error {
  /** @override */
  name = "UndecodableError";
}

/**
 * More data does not extend the playable range: the audio has ended before the video, and browsers
 * wait for both, or the buffer is full.
 */
export class StallError extends Error {
  /** @override */
  name = "StallError";
  /** End of the playable range, seconds. */
  time;

  /** @param {number} time */
  constructor(time) {
    super();
    this.time = time;
  }
}

/**
 * The state of a media element.
 *
 * @typedef {Pick<HTMLVideoElement, "buffered" | "currentTime" | "paused" | "readyState" |
 *   "HAVE_FUTURE_DATA">} MediaState
 */

/**
 * Seconds that are buffered from a time on; -1 if that time is not buffered.
 *
 * @param {Pick<MediaState, "buffered">} video
 * @param {number} time seconds
 */
export function secondsAhead({ buffered }, time) {
  for (let at = 0; at < buffered.length; at++) {
    if (buffered.start(at) <= time && time <= buffered.end(at)) return buffered.end(at) - time;
  }
  return -1;
}

/** Detects stalls of a media element. */
export class StallWatch {
  #video;
  #now;
  /** Time that is shown first, seconds. */
  #start = 0;
  /** Last end of the buffered ranges, seconds, and the bytes appended when it was reached. */
  #growth = { end: 0, bytes: 0 };
  /** Position at the last check, seconds, and the time since when it stands still, milliseconds. */
  #still = { position: 0, since: 0 };

  /**
   * @param {MediaState} video
   * @param {() => number} now the time in milliseconds
   */
  constructor(video, now = () => performance.now()) {
    this.#video = video;
    this.#now = now;
  }

  /**
   * Resets the state, because other media begins.
   *
   * @param {number} start time that is shown first, seconds
   */
  begin(start) {
    this.#start = start;
    this.#growth = { end: 0, bytes: 0 };
    this.#still = { position: this.#video.currentTime, since: this.#now() };
  }

  /**
   * @param {{ bytes: number, full: boolean }} state bytes appended since `begin()`, and whether the
   *   buffer is full
   * @throws {StallError} if playback stands still although enough data was appended
   * @throws {UndecodableError} if not even the start can be played
   */
  check({ bytes, full }) {
    const { buffered, currentTime } = this.#video;
    const end = buffered.length === 0 ? 0 : buffered.end(buffered.length - 1);
    if (end !== this.#growth.end) this.#growth = { end, bytes };
    const ahead = secondsAhead(this.#video, currentTime);
    // Rounding may put the position a microsecond behind the end, which counts as not buffered.
    const isDry = (ahead >= 0 && ahead < STALL_AHEAD) || this.#stillFor(ahead) > STALL_TIME;
    const hasStart = end > this.#start;
    // Before the start is playable, many bytes may come without growth: audio may begin late.
    const hasEnough = full || (hasStart && bytes - this.#growth.bytes > STALL_BYTES);
    if (!isDry || !hasEnough) return;
    if (!hasStart) {
      throw new UndecodableError("Cannot play this: the buffer of this browser is too small");
    }
    throw new StallError(Math.max(end, currentTime));
  }

  /**
   * Milliseconds for which the position has not moved, although it should.
   *
   * @param {number} ahead seconds
   */
  #stillFor(ahead) {
    const { currentTime, paused, readyState, HAVE_FUTURE_DATA } = this.#video;
    const isWaiting = readyState < HAVE_FUTURE_DATA && ahead < MAX_STILL_AHEAD;
    const now = this.#now();
    if (paused || !isWaiting || currentTime !== this.#still.position) {
      this.#still = { position: currentTime, since: now };
    }
    return now - this.#still.since;
  }
}
