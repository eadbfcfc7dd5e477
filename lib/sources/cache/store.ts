/** How recent answers began, as much of it as has room in some memory. Pure. */
import type { StreamDescription } from "../../media/frame.ts";
import type { TimedFrame } from "../../media/source.ts";

/** Bytes that are counted for an entry besides its key and its frames: about what objects take. */
const ENTRY_SIZE = 1024;

/** Bytes that are counted for a frame besides its data. */
const FRAME_SIZE = 256;

/** The beginning of an answer, or all of it. */
export interface CachedStart {
  streams: readonly StreamDescription[];
  /** What is other than was asked for, one sentence each. */
  notes: readonly string[];
  /** In the order in which they were given. Their memory has no room around the data. */
  frames: readonly TimedFrame[];
  /** Nothing follows. */
  isWhole: boolean;
}

/** A head that stays in memory until it is disposed of. */
export interface StoredStart extends Disposable {
  readonly head: CachedStart;
}

/** What is known of one key. */
interface Entry {
  key: string;
  /** `refused`: what the key stands for is not to be recorded; `gone`: there is no such entry. */
  state: "recording" | "kept" | "refused" | "gone";
  frames: TimedFrame[];
  head?: CachedStart;
  /** Bytes that are counted for it. */
  size: number;
  /** Those who hold it. */
  holders: number;
}

/**
 * Heads by their keys, and those that are being recorded. All of them together take no more than
 * the limit: what was not used for the longest time goes first, and what is held goes never.
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

  /** Bytes that are taken now. */
  get taken(): number {
    return this.#taken;
  }

  /** Gives what is kept under a key, as something that was used just now. */
  take(key: string): StoredStart | undefined {
    const entry = this.#entries.get(key);
    if (entry?.head === undefined) return undefined;
    this.#touch(entry);
    entry.holders++;
    let isHeld = true;
    return {
      head: entry.head,
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        entry.holders--;
        if (entry.state === "gone") this.#free(entry);
      },
    };
  }

  /**
   * Begins to record what a key stands for.
   *
   * @returns `undefined` where it is being recorded, kept or not to be recorded, and where there is
   * no room
   */
  record(key: string): Recording | undefined {
    if (this.#entries.has(key)) return undefined;
    const entry = this.#add(key, "recording");
    if (entry === undefined) return undefined;
    return new Recording({
      isOver: () => entry.state !== "recording",
      add: (frame) => this.#addFrame(entry, frame),
      keep: (about) => this.#keep(entry, about),
      drop: () => {
        if (entry.state === "recording") this.#remove(entry);
      },
    });
  }

  /** Forgets what is kept under a key, and records it no more while that is remembered. */
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
    if (this.#makeRoom(entry)) entry.frames.push({ ...frame, data: frame.data.slice() });
    else this.#remove(entry);
  }

  #keep(entry: Entry, about: Omit<CachedStart, "frames">): void {
    if (entry.state !== "recording") return;
    for (const { extradata } of about.streams) this.#grow(entry, extradata.byteLength);
    if (!this.#makeRoom(entry)) return this.#remove(entry);
    entry.state = "kept";
    entry.head = { ...about, frames: entry.frames };
    this.#touch(entry);
  }

  #grow(entry: Entry, bytes: number): void {
    entry.size += bytes;
    this.#taken += bytes;
  }

  /** Lets others go until all fits; whether it does. */
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

  /** Gives the memory of an entry back that is gone, as soon as nobody holds it. */
  #free(entry: Entry): void {
    if (entry.holders > 0) return;
    this.#taken -= entry.size;
    entry.size = 0;
    entry.frames = [];
    entry.head = undefined;
  }
}

/** What a recording does in its cache. */
interface RecordingActions {
  isOver: () => boolean;
  add: (frame: TimedFrame) => void;
  keep: (about: Omit<CachedStart, "frames">) => void;
  drop: () => void;
}

/** A head that is being recorded. */
export class Recording {
  #actions: RecordingActions;

  constructor(actions: RecordingActions) {
    this.#actions = actions;
  }

  /** Whether there is nothing more to record: it is kept, was dropped, or had to make room. */
  get isOver(): boolean {
    return this.#actions.isOver();
  }

  /** Takes a copy of the next frame. One that makes the head too large ends the recording. */
  add(frame: TimedFrame): void {
    this.#actions.add(frame);
  }

  /** Ends it, and keeps it. Does nothing where it is over. */
  keep(about: Omit<CachedStart, "frames">): void {
    this.#actions.keep(about);
  }

  /** Ends it, and keeps nothing. Does nothing where it is over. */
  drop(): void {
    this.#actions.drop();
  }
}
