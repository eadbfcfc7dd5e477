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
