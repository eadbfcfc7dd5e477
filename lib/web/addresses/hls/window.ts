/** The newest segments of HLS, in memory. */
import type { Playlist } from "./playlist.ts";
import { SEGMENT_LENGTH, type SegmentedPart } from "./segmenter.ts";

/** Segments in the playlist. */
const LISTED = 6;

/** Segments behind those of the playlist, for readers who have an older one. */
const KEPT = 3;

/** Seconds of segments with which a playlist begins, unless it ends before. */
const READY = 2.5;

/** Bytes of all segments; if they are larger, there are fewer. */
const MAX_SIZE = 32 << 20;

interface KeptSegment {
  file: string;
  init: string;
  bytes: Uint8Array<ArrayBuffer>;
  duration: number;
}

/** Options of {@linkcode SegmentWindow}. */
export interface SegmentWindowOptions {
  /** Number of the first segment. @default grows with the time of day */
  first?: number;
}

/** Keeps the newest segments, and lists them. */
export class SegmentWindow {
  #segments: KeptSegment[] = [];
  #inits = new Map<string, Uint8Array<ArrayBuffer>>();
  #init = "";
  /** Number of the next segment. */
  #next: number;
  #discontinuities = 0;
  #longest = 0;
  #isEnded = false;

  /** The first number is behind those of any earlier window of the same address. */
  constructor(
    { first = Math.floor(Date.now() / 1000 / SEGMENT_LENGTH) }: SegmentWindowOptions = {},
  ) {
    this.#next = first;
  }

  get isEmpty(): boolean {
    return this.#segments.length === 0;
  }

  /** Whether there are enough segments for players to begin with. */
  get isReady(): boolean {
    const length = this.#segments.reduce((sum, { duration }) => sum + duration, 0);
    return length >= READY || this.#isEnded && !this.isEmpty;
  }

  add(part: SegmentedPart): void {
    if (part.kind === "init") {
      this.#init = `live-${this.#next}.mp4`;
      this.#inits.set(this.#init, part.bytes);
      return;
    }
    const { bytes, duration } = part;
    this.#segments.push({ file: `live-${this.#next}.m4s`, init: this.#init, bytes, duration });
    this.#next++;
    this.#longest = Math.max(this.#longest, duration);
    while (this.#isFull()) this.#dropOldest();
  }

  /** Notes that no more segments follow. */
  end(): void {
    this.#isEnded = true;
  }

  /** The playlist of the newest segments. */
  list(): Omit<Playlist, "query"> {
    const segments = this.#segments.slice(-LISTED);
    const hidden = this.#segments.slice(0, -LISTED);
    const before = hidden.filter(({ init }, at) => init !== this.#segments[at + 1].init).length;
    return {
      segments,
      sequence: this.#next - segments.length,
      discontinuities: this.#discontinuities + before,
      longest: this.#longest,
      isEnded: this.#isEnded,
    };
  }

  /** A segment, or what decoders need before it. */
  file(name: string): Uint8Array<ArrayBuffer> | undefined {
    return this.#inits.get(name) ?? this.#segments.find(({ file }) => file === name)?.bytes;
  }

  #isFull(): boolean {
    const size = this.#segments.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
    return this.#segments.length > LISTED + KEPT || this.#segments.length > 1 && size > MAX_SIZE;
  }

  #dropOldest(): void {
    const [{ init }] = this.#segments.splice(0, 1);
    if (this.#segments[0].init === init) return;
    this.#inits.delete(init);
    this.#discontinuities++;
  }
}
