/** Whether a browser plays on with what it is fed. */

/** Bytes that come, and do not make longer what can be played, before that counts as stuck. */
const STUCK_BYTES = 8 * 2 ** 20;

/** Seconds ahead with which a browser does not go on. */
const STUCK_AHEAD = 0.1;

/**
 * Milliseconds that it stands still, with more ahead, before that counts as stuck, too: a browser
 * that ran dry may want more before it goes on than it has room for.
 */
const STUCK_TIME = 1000;

/** Seconds ahead up to which that is so; with more of them, it only takes its time. */
const STILL_AHEAD = 2;

/** The browser cannot decode what came, or has no room for what it needs for that. */
export class UndecodableError extends Error {
  /** @override */
  name = "UndecodableError";
}

/**
 * What comes does not make longer what can be played: the sound has ended before the pictures, and
 * a browser waits for both; or there is no room for more.
 */
export class StuckError extends Error {
  /** @override */
  name = "StuckError";
  /** Seconds up to which it can be played. */
  moment;

  /** @param {number} moment */
  constructor(moment) {
    super();
    this.moment = moment;
  }
}

/**
 * Seconds that are there to be played from a moment on; below zero where that moment is not there.
 *
 * @param {HTMLVideoElement} video
 * @param {number} moment seconds
 */
export function secondsAhead({ buffered }, moment) {
  for (let at = 0; at < buffered.length; at++) {
    if (buffered.start(at) <= moment && moment <= buffered.end(at)) {
      return buffered.end(at) - moment;
    }
  }
  return -1;
}

/** Finds out that a media element plays no further, though it is fed. */
export class StallWatch {
  #video;
  #now;
  /** Seconds from which on it is shown. */
  #start = 0;
  /** Seconds up to which it can be played, and how many of the bytes had come for that. */
  #grown = { end: 0, bytes: 0 };
  /** Where it stood still when it was last looked at, in seconds, and since when, milliseconds. */
  #still = { at: 0, since: 0 };

  /**
   * @param {HTMLVideoElement} video
   * @param {() => number} now the time in milliseconds
   */
  constructor(video, now = () => performance.now()) {
    this.#video = video;
    this.#now = now;
  }

  /**
   * Something else comes.
   *
   * @param {number} start seconds from which on it is shown
   */
  begin(start) {
    this.#start = start;
    this.#grown = { end: 0, bytes: 0 };
    this.#still = { at: this.#video.currentTime, since: this.#now() };
  }

  /**
   * @param {{ bytes: number, full: boolean }} state bytes that have come since the beginning, and
   *   whether there is no room for more
   * @throws {StuckError} where it plays no further, though enough has come
   * @throws {UndecodableError} where not even its beginning can be played
   */
  check({ bytes, full }) {
    const { buffered, currentTime } = this.#video;
    const end = buffered.length === 0 ? 0 : buffered.end(buffered.length - 1);
    if (end !== this.#grown.end) this.#grown = { end, bytes };
    const ahead = secondsAhead(this.#video, currentTime);
    // It may stand a microsecond behind the end, where nothing is ahead that could be counted.
    const dry = (ahead >= 0 && ahead < STUCK_AHEAD) || this.#stillFor(ahead) > STUCK_TIME;
    const begun = end > this.#start;
    // Before it has begun, much may come that cannot be played yet: the sound may begin later.
    const enough = full || (begun && bytes - this.#grown.bytes > STUCK_BYTES);
    if (!dry || !enough) return;
    if (!begun) {
      throw new UndecodableError("This browser has no room for what is needed to show it");
    }
    throw new StuckError(Math.max(end, currentTime));
  }

  /**
   * Milliseconds for which it has been seen to stand still, though it should play.
   *
   * @param {number} ahead seconds
   */
  #stillFor(ahead) {
    const { currentTime, paused, readyState, HAVE_FUTURE_DATA } = this.#video;
    const waits = readyState < HAVE_FUTURE_DATA && ahead < STILL_AHEAD;
    const now = this.#now();
    if (paused || !waits || currentTime !== this.#still.at) {
      this.#still = { at: currentTime, since: now };
    }
    return now - this.#still.since;
  }
}
