/** Keeps how recent responses started, within a limit of memory. */
import { copyFrame, type StreamDescription } from "../../media/frame.ts";
import type { TimedFrame } from "../../media/source.ts";

/** Bytes counted for an entry besides its key and its frames: about what the objects take. */
const ENTRY_SIZE = 1024;

/** Bytes counted for a frame besides its data. */
const FRAME_SIZE = 256;

/** The start of a response, or all of it. */
export interface CachedStart {
  streams: readonly StreamDescription[];
  /** Differences from the request, one sentence each. */
  notes: readonly string[];
  /** In the order in which they were given, without headroom and tailroom. */
  frames: readonly TimedFrame[];
  /** No frames follow. */
  isWhole: boolean;
}

/** A cached start that stays in memory until it is disposed. */
export interface StoredStart extends Disposable {
  readonly start: CachedStart;
}

/** A start that is being recorded. */
export interface Recording {
  /** It was kept or dropped, or had to make room. */
  readonly isOver: boolean;
  /** Copies the next frame. One that makes the start too large ends the recording. */
  add(frame: TimedFrame): void;
  /** Ends the recording and keeps it. Does nothing if it is over. */
  keep(about: Omit<CachedStart, "frames">): void;
  /** Ends the recording and keeps nothing. Does nothing if it is over. */
  drop(): void;
}

interface Entry {
  key: string;
  /** `refused`: nothing is recorded for the key; `gone`: the entry was removed. */
  state: "recording" | "kept" | "refused" | "gone";
  frames: TimedFrame[];
  start?: CachedStart;
  /** Bytes counted for it. */
  size: number;
  holders: number;
}

/**
 * Cached starts by key, with those being recorded. If they exceed the limit together, the least
 * recently used are removed, except for those that are held.
 */
export class StartStore {
  #limit: number;
  /** Least recently used first. */
  #entries = new Map<string, Entry>();
  #taken = 0;

  /** @param limit bytes; 0 to keep nothing */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes in use. */
  get taken(): number {
    return this.#taken;
  }

  /** Holds the start of a key, which becomes the most recently used. */
  take(key: string): StoredStart | undefined {
    const entry = this.#entries.get(key);
    if (entry?.start === undefined) return undefined;
    this.#touch(entry);
    entry.holders++;
    let isHeld = true;
    return {
      start: entry.start,
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        entry.holders--;
        if (entry.state === "gone") this.#free(entry);
      },
    };
  }

  /**
   * Begins to record the start of a key.
   *
   * @returns `undefined` if it is being recorded, kept or refused, or if there is no room
   */
  record(key: string): Recording | undefined {
    if (this.#entries.has(key)) return undefined;
    const entry = this.#add(key, "recording");
    if (entry === undefined) return undefined;
    return {
      get isOver() {
        return entry.state !== "recording";
      },
      add: (frame) => this.#addFrame(entry, frame),
      keep: (about) => this.#keep(entry, about),
      drop: () => {
        if (entry.state === "recording") this.#remove(entry);
      },
    };
  }

  /** Removes the start of a key, and records no other until this entry is evicted. */
  refuse(key: string): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.#remove(entry);
    this.#add(key, "refused");
  }

  #add(key: string, state: "recording" | "refused"): Entry | undefined {
    const entry: Entry = { key, state, frames: [], size: 0, holders: 0 };
    this.#entries.set(key, entry);
    this.#grow(entry, ENTRY_SIZE + 2 * key.length);
    if (this.#makeRoom(entry)) return entry;
    this.#remove(entry);
    return undefined;
  }

  #addFrame(entry: Entry, frame: TimedFrame): void {
    if (entry.state !== "recording") return;
    const size = frame.data.byteLength + FRAME_SIZE;
    if (entry.size + size > this.#limit / 2) {
      this.refuse(entry.key);
      return;
    }
    this.#grow(entry, size);
    if (this.#makeRoom(entry)) entry.frames.push(copyFrame(frame));
    else this.#remove(entry);
  }

  #keep(entry: Entry, about: Omit<CachedStart, "frames">): void {
    if (entry.state !== "recording") return;
    for (const { extradata } of about.streams) this.#grow(entry, extradata.byteLength);
    if (!this.#makeRoom(entry)) return this.#remove(entry);
    entry.state = "kept";
    entry.start = { ...about, frames: entry.frames };
    this.#touch(entry);
  }

  #grow(entry: Entry, bytes: number): void {
    entry.size += bytes;
    this.#taken += bytes;
  }

  /** Removes other entries until all fit; returns whether they do. */
  #makeRoom(entry: Entry): boolean {
    for (const other of this.#entries.values()) {
      if (this.#taken <= this.#limit) return true;
      if (other !== entry && other.holders === 0) this.#remove(other);
    }
    return this.#taken <= this.#limit;
  }

  #touch(entry: Entry): void {
    if (!this.#entries.delete(entry.key)) return;
    this.#entries.set(entry.key, entry);
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry.key);
    entry.state = "gone";
    this.#free(entry);
  }

  /** Frees the memory of a removed entry unless it is held. */
  #free(entry: Entry): void {
    if (entry.holders > 0) return;
    this.#taken -= entry.size;
    entry.size = 0;
    entry.frames = [];
    entry.start = undefined;
  }
}
