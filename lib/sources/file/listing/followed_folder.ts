/** The files of a folder, kept up to date for those who follow it. */
import { Changes } from "../../../base/async.ts";
import { type Clock, MONOTONIC_CLOCK } from "../../../base/clock.ts";
import type { Candidate } from "./file_tree.ts";
import { FolderWatch } from "./folder_watch.ts";

/** A file, and whether it seems to be complete. */
export interface FollowedFile extends Candidate {
  /** It has not changed for a while: what is read of it now may be believed. */
  isSettled: boolean;
}

/** The difference between two looks at a folder. */
export interface FolderChange {
  /** Files that are new, have changed, or have become settled; in the order of names. */
  changed: readonly FollowedFile[];
  /** Names of files that are no longer there. */
  gone: readonly string[];
}

/** A view of a folder that goes on until it is disposed. */
export interface Following extends Disposable {
  /** The files when it began. */
  files: readonly FollowedFile[];
}

/** Milliseconds; none of the defaults has to be changed but in tests. */
export interface FollowTimes {
  /** Between two looks at the folder, at least. @default 500 */
  pause?: number;
  /** Between two looks if the system does not report changes. @default 2_000 */
  poll?: number;
  /** Between two looks if it does: it reports none of other machines on a network mount. @default 30_000 */
  check?: number;
  /** After the last change of a file, until it counts as settled. @default 1_000 */
  settle?: number;
}

/** Options of {@linkcode FollowedFolder}. */
export interface FollowedFolderOptions {
  /**
   * Looks at the folder.
   *
   * @param onFolder called with the path of each folder below
   */
  scan: (onFolder: (path: string) => void) => Promise<Candidate[]>;
  times?: FollowTimes;
  clock?: Clock;
}

/** Of the time between two looks, that a look takes at most. */
const SCAN_SHARE = 1 / 5;

/**
 * Looks at a folder again when something in it has changed, once for all who follow it, and reports
 * the difference. While nobody follows, nothing is watched.
 */
export class FollowedFolder {
  #scan: FollowedFolderOptions["scan"];
  #times: Required<FollowTimes>;
  #clock: Clock;
  #changes = new Changes<[FolderChange]>();
  /** As of the latest look. */
  #files = new Map<string, FollowedFile>();
  /** The first look of those who follow now. */
  #started: Promise<void> | undefined;
  #stop = new AbortController();

  constructor({ scan, times, clock = MONOTONIC_CLOCK }: FollowedFolderOptions) {
    this.#scan = scan;
    this.#times = { pause: 500, poll: 2_000, check: 30_000, settle: 1_000, ...times };
    this.#clock = clock;
  }

  /**
   * Follows the folder until the result is disposed.
   *
   * @param onChange called with each change from then on
   * @throws if the folder cannot be looked at
   */
  async follow(onChange: (change: FolderChange) => void): Promise<Following> {
    // Changes that come before the files are known are those files.
    let notify: (change: FolderChange) => void = () => {};
    const subscription = this.#changes.subscribe((change) => notify(change));
    const leave = () => {
      subscription[Symbol.dispose]();
      if (this.#changes.subscribers > 0) return;
      this.#stop.abort();
      this.#started = undefined;
    };
    try {
      await (this.#started ??= this.#start());
    } catch (error) {
      leave();
      throw error;
    }
    notify = onChange;
    return { files: [...this.#files.values()], [Symbol.dispose]: leave };
  }

  async #start(): Promise<void> {
    const stop = this.#stop = new AbortController();
    const watched = new WatchedFolder(this.#times, this.#clock);
    this.#files = new Map();
    try {
      await this.#look(watched);
    } catch (error) {
      watched[Symbol.dispose]();
      throw error;
    }
    this.#run(watched, stop.signal);
  }

  /** Looks at the folder again and again. Never throws. */
  async #run(watched: WatchedFolder, signal: AbortSignal): Promise<void> {
    using _watched = watched;
    while (await watched.next(signal)) {
      // A folder that is out of reach is empty until a look finds it again.
      const change = await this.#look(watched, () => []);
      if (signal.aborted) return;
      if (change.changed.length + change.gone.length > 0) this.#changes.notify(change);
    }
  }

  /** @param onFailure gives the files if the folder cannot be looked at. @default throws */
  async #look(watched: WatchedFolder, onFailure?: () => Candidate[]): Promise<FolderChange> {
    const folders: string[] = [];
    const began = this.#clock.now();
    const found = await this.#scan((path) => void folders.push(path)).catch(onFailure);
    const now = Date.now();
    const files = new Map(
      found.map((file) => [file.name, { ...file, isSettled: this.#isSettled(file, now) }]),
    );
    const before = this.#files;
    this.#files = files;
    watched.looked({
      folders,
      took: this.#clock.now() - began,
      isSettled: files.values().every(({ isSettled }) => isSettled),
    });
    return {
      changed: files.values().filter((file) => isOther(file, before.get(file.name))).toArray(),
      gone: before.keys().filter((name) => !files.has(name)).toArray(),
    };
  }

  #isSettled({ state: { modified } }: Candidate, now: number): boolean {
    // A time in the future is that of another machine's clock.
    return modified === undefined || modified > now || now - modified >= this.#times.settle;
  }
}

function isOther(file: FollowedFile, before: FollowedFile | undefined): boolean {
  return before === undefined || before.state.stamp !== file.state.stamp ||
    before.state.identity !== file.state.identity || before.isSettled !== file.isSettled;
}

/** Says when it is time to look at a folder again. */
class WatchedFolder implements Disposable {
  #times: Required<FollowTimes>;
  #clock: Clock;
  #watch: FolderWatch;
  #event = new AbortController();
  /** Milliseconds from the latest look to the next one, at least and at most. */
  #pause = 0;
  #limit = 0;
  /** The clock's time of the latest look. */
  #lookedAt = 0;
  #hasFailed = false;

  constructor(times: Required<FollowTimes>, clock: Clock) {
    this.#times = times;
    this.#clock = clock;
    this.#watch = new FolderWatch({
      onChange: () => this.#event.abort(),
      onFailure: () => {
        this.#hasFailed = true;
        this.#event.abort();
      },
    });
  }

  /** Notes what a look has found. */
  looked(
    { folders, took, isSettled }: { folders: readonly string[]; took: number; isSettled: boolean },
  ): void {
    const { pause, poll, check, settle } = this.#times;
    // A watch that has failed once would fail again at each look.
    const isWatched = !this.#hasFailed && this.#watch.watch(folders);
    this.#pause = Math.max(pause, took / SCAN_SHARE);
    this.#limit = Math.max(
      this.#pause,
      Math.min(isWatched ? check : poll, isSettled ? Infinity : settle),
    );
    this.#lookedAt = this.#clock.now();
  }

  /** Waits until the next look is due; false if the signal has ended that. */
  async next(signal: AbortSignal): Promise<boolean> {
    const due = (delay: number) => Math.max(0, this.#lookedAt + delay - this.#clock.now());
    const sleep = (delay: number, end: AbortSignal) =>
      this.#clock.sleep(due(delay), end).catch((error) => {
        if (!end.aborted) throw error;
      });
    await sleep(this.#limit, AbortSignal.any([signal, this.#event.signal]));
    await sleep(this.#pause, signal);
    this.#event = new AbortController();
    return !signal.aborted;
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }
}
