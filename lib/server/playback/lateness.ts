/** Finds out why frames come late: because of the link, or because of their source. Pure. */
import type { Notice } from "../../protocol/native/response.ts";

/** Which frames are left out where a viewer would rather have real time than every frame. Pure. */

/** Seconds by which pictures may be late before they are left out. */
const PICTURES_LATE = 0.5;

/** The same for sound, whose gaps are heard. */
const SOUND_LATE = 1;

/** Seconds up to which a frame counts as due now: more than timers are late by. */
const DUE = 0.05;

/** What has to be known of a frame. */
export interface Candidate {
  streamId: number;
  isPicture: boolean;
  keyframe: boolean;
}

/** What is known of a stream. */
interface StreamState {
  /** Frames of it cannot all be decoded by themselves. */
  isMixed: boolean;
  isLeaving: boolean;
}

/**
 * Decides for each frame whether it is left out because it is late. A stream that has begun to
 * leave frames out goes on until one is due again, so that what is sent is in time, and not always
 * just short of the limit; where frames build upon each other, that is a keyframe.
 */
export class LatePolicy {
  #streams = new Map<number, StreamState>();

  /** @param lateness seconds by which the frame is late */
  leavesOut(frame: Candidate, lateness: number): boolean {
    const { streamId, isPicture, keyframe } = frame;
    const state = this.#streams.get(streamId) ?? { isMixed: false, isLeaving: false };
    this.#streams.set(streamId, state);
    state.isMixed ||= !keyframe;
    const limit = isPicture ? PICTURES_LATE : SOUND_LATE;
    if (state.isLeaving) state.isLeaving = !keyframe || lateness > (state.isMixed ? limit : DUE);
    else state.isLeaving = lateness > limit;
    return state.isLeaving;
  }

  /** Takes back that a stream's frames are left out from the last one on: it is sent after all. */
  keep(streamId: number): void {
    const state = this.#streams.get(streamId);
    if (state !== undefined) state.isLeaving = false;
  }

  /** Begins anew, as after a seek. */
  reset(): void {
    this.#streams.clear();
  }
}

/** Part of the time spent on writing from which on the link is to blame. */
const LINK_SHARE = 0.5;

/** Seconds of lateness that count as being in time. */
const IN_TIME = 0.1;

/** Percent of the speed at which a source counts as quick enough. */
const FAST_ENOUGH = 95;

/** What has happened since the last frame that was in time. */
interface Span {
  /** Seconds, on any clock. */
  since: number;
  /** Seconds, at which the first frame was due. */
  due: number;
  /** Bytes of all frames, also of those that were left out. */
  offered: number;
  /** Bytes. */
  sent: number;
  /** Seconds that were spent on writing. */
  writing: number;
}

/** Watches the frames of one request that is played at some speed. */
export class ThroughputMonitor {
  #speed: number;
  #span: Span | undefined;
  /** Since when frames have been left out, seconds; what is in time since then is so for that. */
  #heldSince: number | undefined;

  /** @param speed playing speed, above 0 */
  constructor(speed: number) {
    this.#speed = speed;
  }

  /**
   * Takes note of a frame that is about to be sent or left out.
   *
   * @param frame when it is due and by how much it is late, seconds, and its bytes
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
   * Takes note of a frame that was sent.
   *
   * @param size bytes
   * @param seconds that the writing took
   */
  sent(size: number, seconds: number): void {
    if (this.#span === undefined) return;
    this.#span.sent += size;
    this.#span.writing += seconds;
  }

  /** Takes note that frames are left out: from here on, being in time means nothing. */
  hold(now: number): void {
    this.#heldSince ??= now;
  }

  /** Seconds since frames were left out first; 0 where none were. */
  heldFor(now: number): number {
    return this.#heldSince === undefined ? 0 : now - this.#heldSince;
  }

  /** Begins anew, as after a seek. */
  reset(): void {
    this.#span = undefined;
    this.#heldSince = undefined;
  }

  /** Whether frames are late because of the link, and not because they come late themselves. */
  isConnectionSlow(now: number): boolean {
    if (this.#span === undefined) return false;
    return this.#span.writing >= (now - this.#span.since) * LINK_SHARE;
  }

  /**
   * Tells why frames are late, as far as that can be told.
   *
   * @param frame the one that was offered last
   * @param now seconds
   */
  explain({ due, size }: { due: number; size: number }, now: number): Notice | undefined {
    if (this.#span === undefined) return undefined;
    const elapsed = now - this.#span.since;
    const played = (due - this.#span.due) / this.#speed;
    if (played <= 0) return undefined;
    if (!this.isConnectionSlow(now)) {
      const share = Math.floor(100 * played / elapsed);
      if (share >= FAST_ENOUGH) return undefined;
      return {
        code: "slow_source",
        message: `The server makes these frames at ${share} % of the speed they are needed at: ` +
          "ask for a smaller size, or for copy",
      };
    }
    const needed = Math.round((this.#span.offered - size) / played);
    const achieved = Math.round(this.#span.sent / elapsed);
    return {
      code: "slow_link",
      message: `The link takes ${formatRate(achieved)} and these frames need ` +
        `${formatRate(needed)}: ask for a smaller size, or for copy, h264 or mjpeg`,
      needed,
      achieved,
    };
  }
}

/** Writes a rate for people: `41 MB/s`. */
export function formatRate(bytes: number): string {
  const [unit, name] = bytes >= 1e6 ? [1e6, "MB"] : [1e3, "kB"];
  const amount = bytes / unit;
  return `${amount < 10 ? amount.toFixed(1) : Math.round(amount)} ${name}/s`;
}
