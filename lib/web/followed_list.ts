/** The list of media for the page: at once as far as it is known, and followed. */
import { Changes, deadline, onAbort } from "../base/async.ts";
import { RequestError } from "../base/errors.ts";
import { ListedMedia, type ListPiece } from "../protocol/native/list.ts";
import type { ListEntry } from "../protocol/native/response.ts";

/** Milliseconds for which a list that nobody follows is used to find the entry of a name. */
const LIFETIME = 5_000;

/** Milliseconds after which names are given without the details of all files. */
const PATIENCE = 1_000;

/** Milliseconds in which changes are reported once: of a list, and of one that is not complete. */
const REPORT_INTERVALS = { complete: 250, incomplete: 1_000 };

/** Milliseconds before another attempt to follow, and between lists of a server that cannot be followed. */
const RETRY_INTERVAL = 5_000;
const POLL_INTERVAL = 30_000;

/** Gives the list of media in pieces, and then its changes if that is wanted. */
export type ListSource = (
  options: { follow: boolean },
  signal: AbortSignal,
) => AsyncIterable<ListPiece>;

/** The list of media that a page shows. */
export class FollowedList {
  #source: ListSource;
  #changes = new Changes();
  #list = new ListedMedia();
  /** Time of the latest list, of `performance.now()`. */
  #listed = -Infinity;
  /** Ends the following. */
  #stop: AbortController | undefined;
  /** The list is kept up to date. */
  #isFollowed = false;
  #report: ReturnType<typeof setTimeout> | undefined;

  /** @param source called for each list that is asked for, and once while somebody follows */
  constructor(source: ListSource) {
    this.#source = source;
  }

  /**
   * Lists all media that a page can show. If it takes long to look into the files, further entries are
   * still pending, and those who follow are called back when details have come.
   *
   * @throws what the source throws
   */
  async list(signal: AbortSignal): Promise<readonly ListEntry[]> {
    if (!this.#isFollowed) await this.#ask(signal);
    return this.#list.entries.filter(({ kind }) => kind !== "data");
  }

  /**
   * Finds the entry of a name, in a list that may be a few seconds old.
   *
   * @throws what the source throws
   */
  async find(name: string, signal: AbortSignal): Promise<ListEntry | undefined> {
    const isOld = performance.now() - this.#listed >= LIFETIME;
    if (isOld && !this.#isFollowed) await this.#ask(signal);
    return this.latest(name);
  }

  /** The entry of a name in the latest list, however old. */
  latest(name: string | undefined): ListEntry | undefined {
    const entry = name === undefined ? undefined : this.#list.find(name);
    return entry?.kind === "data" ? undefined : entry;
  }

  /** Calls back when the list has changed, until the signal. */
  follow(onChange: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    const subscription = this.#changes.subscribe(onChange);
    if (this.#stop === undefined) {
      this.#stop = new AbortController();
      this.#run(this.#stop.signal);
    }
    signal.addEventListener("abort", () => {
      subscription[Symbol.dispose]();
      if (this.#changes.subscribers > 0) return;
      this.#stop?.abort();
      this.#stop = undefined;
      clearTimeout(this.#report);
      this.#report = undefined;
    }, { once: true });
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const list = new ListedMedia();
    const { promise: named, resolve } = Promise.withResolvers<void>();
    let isLate = false;
    using _patience = deadline(PATIENCE, () => {
      isLate = true;
      if (list.size > 0) resolve();
    });
    const complete = this.#read({ follow: false }, signal, (piece) => {
      list.add(piece);
      if (!isLate) return;
      resolve();
      this.#notify();
    });
    // Once the names are there, details that do not come are missing, and no failure.
    complete.catch(() => {});
    await Promise.race([named, complete]);
    this.#listed = performance.now();
    if (!this.#isFollowed) this.#list = list;
  }

  async #read(
    options: { follow: boolean },
    signal: AbortSignal,
    onPiece: (piece: ListPiece) => void,
  ): Promise<void> {
    for await (const piece of this.#source(options, signal)) onPiece(piece);
  }

  /** Follows the list until the signal. Never throws. */
  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const list = new ListedMedia();
      let wait = RETRY_INTERVAL;
      try {
        await this.#read({ follow: true }, signal, (piece) => {
          list.add(piece);
          const isBetter = list.isComplete ||
            !this.#list.isComplete && list.size >= this.#list.size;
          if (isBetter) this.#list = list;
          this.#isFollowed = isBetter && piece.follow === true;
          this.#notify();
        });
      } catch (error) {
        // The page gets the reason when it asks for the list.
        const isOlder = error instanceof RequestError && error.code === "unsupported";
        if (isOlder) wait = POLL_INTERVAL;
      }
      this.#isFollowed = false;
      await pause(wait, signal);
    }
  }

  #notify(): void {
    if (this.#changes.subscribers === 0) return;
    const { isComplete } = this.#list;
    this.#report ??= setTimeout(() => {
      this.#report = undefined;
      this.#changes.notify();
    }, REPORT_INTERVALS[isComplete ? "complete" : "incomplete"]);
  }
}

/** Waits, or until the signal. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  using _limit = deadline(milliseconds, resolve);
  using _end = onAbort(signal, resolve);
  await promise;
}
