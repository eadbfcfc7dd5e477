/** Which packets before the moment that was asked for are worth sending. Pure. */

/** What has to be known of a packet. */
export interface Packet {
  keyframe: boolean;
}

/** Seconds before the moment in which packets of sound set the decoder up. */
const SOUND_WARM_UP = 0.1;

/**
 * Leaves out what comes before the last keyframe at or before 0: nothing that is shown needs it.
 */
export class PicturePreroll<T extends Packet> {
  #held: T[] = [];
  #begun = false;

  /**
   * Takes a packet, in the order of decoding.
   *
   * @param moment seconds at which it is shown
   * @returns the packets that are to be sent now
   */
  add(packet: T, moment: number): T[] {
    if (this.#begun) return [packet];
    if (packet.keyframe && moment <= 0) this.#held = [];
    this.#held.push(packet);
    if (moment < 0) return [];
    // A keyframe at 0 may be followed by pictures before it, but not by a better keyframe.
    return this.end();
  }

  /** Gives what is still held back at the end. */
  end(): T[] {
    this.#begun = true;
    return this.#held.splice(0);
  }
}

/** Leaves out sound that ends so long before 0 that no decoder profits from it. */
export class SoundPreroll<T extends Packet> {
  #held: T | undefined;

  /**
   * Takes a packet, in the order of time.
   *
   * @param moment seconds at which it begins, and the one before it ends
   * @returns the packets that are to be sent now
   */
  add(packet: T, moment: number): T[] {
    const before = moment > -SOUND_WARM_UP ? this.end() : [];
    if (moment >= 0) return [...before, packet];
    this.#held = packet;
    return before;
  }

  /** Gives what is still held back at the end. */
  end(): T[] {
    const held = this.#held;
    this.#held = undefined;
    return held === undefined ? [] : [held];
  }
}
