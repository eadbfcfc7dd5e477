/** Decides how early frames may be sent, together with a frame that is due. */
import type { AnyStream } from "../../media/frame.ts";

/**
 * Seconds by which sound may be early, so that the sound up to the next picture goes with this one: a
 * timer, a wake-up and a write for each packet cost more than the packet. Viewers buffer sound.
 */
const SOUND = 0.045;

/** Seconds by which pictures may be early. */
const PICTURE = 0.005;

/**
 * Frames per second of all viewers of files at which waits and writes take most of the time of the
 * server's thread.
 */
const CROWD = 5000;

/**
 * Seconds by which sound and compressed pictures may be early in a crowd: four frames go together at
 * 24 to 30 frames per second. Most players buffer them; a terminal shows them a little unevenly.
 */
const CROWDED = 0.125;

/** Codecs whose pictures scripts show as they arrive. */
const IMMEDIATE: ReadonlySet<string> = new Set(["rawvideo", "mjpeg"]);

/** Measures how many frames are sent per second. */
export class FrameRate {
  /** Frames per second, over the last interval of at least a second. */
  perSecond = 0;
  #count = 0;
  #since = -Infinity;

  /**
   * Counts a frame.
   *
   * @param now seconds, on any clock
   */
  add(now: number): void {
    this.#count++;
    const elapsed = Math.abs(now - this.#since);
    if (elapsed < 1) return;
    this.perSecond = this.#count / elapsed;
    this.#count = 0;
    this.#since = now;
  }
}

/** Gives the seconds, at normal speed, by which a frame of a stream may be early. */
export function earlinessOf(stream: AnyStream | undefined, { perSecond }: FrameRate): number {
  const isImmediate = stream?.type === "video" && IMMEDIATE.has(stream.codec);
  if (perSecond >= CROWD && !isImmediate) return CROWDED;
  return stream?.type === "video" ? PICTURE : SOUND;
}
