/** Decides which late frames are dropped, and why frames are late: connection or source. */
import type { Notice } from "../../protocol/native/response.ts";

/** Seconds of lateness after which video frames are dropped. */
const VIDEO_LIMIT = 0.5;

/** Seconds of lateness after which audio frames are dropped, whose gaps can be heard. */
const AUDIO_LIMIT = 1;

/** Seconds of lateness that count as on time; timers fire less late than that. */
const ON_TIME = 0.05;

/** The properties of a frame that a {@linkcode LatePolicy} decides by. */
export interface Candidate {
  streamId: number;
  isVideo: boolean;
  keyframe: boolean;
}

interface StreamState {
  /** Not all frames are keyframes. */
  isMixed: boolean;
  isDropping: boolean;
}

/**
 * Decides which late frames are dropped. Once it drops frames of a stream, it goes on until one is
 * on time, so that frames do not stay just below the limit. In streams with other frames than
 * keyframes, it goes on until a keyframe is below the limit.
 */
export class LatePolicy {
  #streams = new Map<number, StreamState>();

  /** @param lateness seconds */
  drops(frame: Candidate, lateness: number): boolean {
    const { streamId, isVideo, keyframe } = frame;
    const state = this.#streams.get(streamId) ?? { isMixed: false, isDropping: false };
    this.#streams.set(streamId, state);
    state.isMixed ||= !keyframe;
    const limit = isVideo ? VIDEO_LIMIT : AUDIO_LIMIT;
    if (state.isDropping) {
      state.isDropping = !keyframe || lateness > (state.isMixed ? limit : ON_TIME);
    } else {
      state.isDropping = lateness > limit;
    }
    return state.isDropping;
  }

  /** Stops dropping frames of a stream, the latest one included. */
  keep(streamId: number): void {
    const state = this.#streams.get(streamId);
    if (state !== undefined) state.isDropping = false;
  }

  /** Starts again, as after a seek. */
  reset(): void {
    this.#streams.clear();
  }
}

/** Share of the time spent on writing above which the connection is the reason. */
const CONNECTION_SHARE = 0.5;

/** Seconds of lateness below which a measurement starts again. */
const IN_TIME = 0.1;

/** Percent of the needed speed at which a source is fast enough. */
const FAST_ENOUGH = 95;

/** A measurement since the latest frame that was in time. */
interface Span {
  /** Seconds, on any clock. */
  since: number;
  /** Seconds; due time of the first frame. */
  due: number;
  /** Bytes of all frames, dropped ones included. */
  offered: number;
  /** Bytes. */
  sent: number;
  /** Seconds spent on writing. */
  writing: number;
}

/** Measures why the frames of a file are late. */
export class ThroughputMonitor {
  #speed: number;
  #span: Span | undefined;
  /** Seconds; since frames are dropped, being in time does not start the measurement again. */
  #heldSince: number | undefined;

  /** @param speed playing speed, above 0 */
  constructor(speed: number) {
    this.#speed = speed;
  }

  /**
   * Records a frame that is about to be sent or dropped.
   *
   * @param frame due time and lateness in seconds, size in bytes
   * @param now seconds
   */
  offer(frame: { due: number; lateness: number; size: number }, now: number): void {
    const { due, lateness, size } = frame;
    const isInTime = lateness < IN_TIME && this.#heldSince === undefined;
    if (this.#span === undefined || isInTime) {
      this.#span = { since: now, due, offered: 0, sent: 0, writing: 0 };
    }
    this.#span.offered += size;
  }

  /**
   * Records a frame that was sent.
   *
   * @param size bytes
   * @param seconds that writing it took
   */
  sent(size: number, seconds: number): void {
    if (this.#span === undefined) return;
    this.#span.sent += size;
    this.#span.writing += seconds;
  }

  /** Goes on with this measurement, since frames that are in time are so because of drops. */
  hold(now: number): void {
    this.#heldSince ??= now;
  }

  /** Seconds since the first {@linkcode ThroughputMonitor.hold}; 0 before it. */
  heldFor(now: number): number {
    return this.#heldSince === undefined ? 0 : now - this.#heldSince;
  }

  /** Starts again, as after a seek. */
  reset(): void {
    this.#span = undefined;
    this.#heldSince = undefined;
  }

  /** Whether frames are late because of the connection, and not because of their source. */
  isConnectionSlow(now: number): boolean {
    if (this.#span === undefined) return false;
    return this.#span.writing >= (now - this.#span.since) * CONNECTION_SHARE;
  }

  /**
   * Explains why frames are late.
   *
   * @param frame the one that was offered last
   * @param now seconds
   * @returns `undefined` if the measurement does not show that
   */
  explain({ due, size }: { due: number; size: number }, now: number): Notice | undefined {
    if (this.#span === undefined) return undefined;
    const elapsed = now - this.#span.since;
    const played = (due - this.#span.due) / this.#speed;
    if (played <= 0) return undefined;
    if (this.isConnectionSlow(now)) {
      return slowConnection({
        needed: Math.round((this.#span.offered - size) / played),
        achieved: Math.round(this.#span.sent / elapsed),
      });
    }
    const share = Math.floor(100 * played / elapsed);
    if (share >= FAST_ENOUGH) return undefined;
    return {
      code: "slow_source",
      message: `The server makes these frames at ${share} % of the speed they are needed at: ` +
        "ask for a smaller size, or for copy",
    };
  }
}

/** Seconds of a backlog after which the throughput of a connection is known. */
const LIVE_SPAN = 1;

/** Totals of a live response at one time. */
export interface LiveProgress {
  /** Seconds, on any clock. */
  now: number;
  /** Bytes that the source has offered. */
  offered: number;
  /** Bytes that were sent. */
  sent: number;
}

/** Measures the throughput of a connection while frames of a live source wait for it. */
export class LiveThroughputMonitor {
  #start: LiveProgress | undefined;
  #isExplained = false;

  /**
   * Records a frame that is about to be sent.
   *
   * @param progress before the frame
   * @param isLatest whether no other frame waits behind it, so that the measurement starts again
   */
  offer(progress: LiveProgress, isLatest: boolean): void {
    if (isLatest || this.#start === undefined) this.#start = progress;
  }

  /** Explains, once, that the connection is too slow; `undefined` if it is not known to be. */
  explain({ now, offered, sent }: LiveProgress): Notice | undefined {
    if (this.#isExplained || this.#start === undefined) return undefined;
    const seconds = now - this.#start.now;
    if (seconds < LIVE_SPAN) return undefined;
    const needed = Math.round((offered - this.#start.offered) / seconds);
    const achieved = Math.round((sent - this.#start.sent) / seconds);
    if (achieved >= needed) return undefined;
    this.#isExplained = true;
    return slowConnection({ needed, achieved });
  }
}

/** @param rates bytes per second */
function slowConnection({ needed, achieved }: { needed: number; achieved: number }): Notice {
  return {
    code: "slow_link",
    message: `The link takes ${formatRate(achieved)} and these frames need ` +
      `${formatRate(needed)}: ask for a smaller size, or for copy, h264 or mjpeg`,
    needed,
    achieved,
  };
}

/** Formats bytes per second, as in `41 MB/s`. */
function formatRate(bytes: number): string {
  const [unit, name] = bytes >= 1e6 ? [1e6, "MB"] : [1e3, "kB"];
  const amount = bytes / unit;
  return `${amount < 10 ? amount.toFixed(1) : Math.round(amount)} ${name}/s`;
}
