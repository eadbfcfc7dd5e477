/** The list of media piece by piece: names at once, details as they come, and changes. */
import { onAbort } from "../../base/async.ts";
import type { ListPiece } from "../../protocol/native/list.ts";
import type { MediaRequest } from "../../protocol/native/request.ts";
import type { ListEntry } from "../../protocol/native/response.ts";
import type { FollowedFile } from "../../sources/file/listing/followed_folder.ts";
import {
  describedEntry,
  type ListContext,
  liveEntries,
  pendingEntry,
  wholeEntry,
} from "./entries.ts";

/** Entries of one message, at most. */
const MAX_ENTRIES = 500;

/** Changed files that are looked into before anything is said of them; of more, the names come first. */
const FEW = 16;

/** Options of {@linkcode listPieces}. */
export type ListPiecesOptions = Pick<MediaRequest, "data" | "follow"> & {
  /** Ends the list: the iteration ends early. */
  signal: AbortSignal;
};

/**
 * Lists all media: first the names, then what the files are, in the order in which that is known. Files
 * with a name of media that cannot be read are listed with the reason.
 *
 * @returns pieces of the list; all but the last of them have `more`. If it is followed, changes follow
 * @throws {RequestError} `not_found` if the folder cannot be looked into
 */
export async function* listPieces(
  context: ListContext,
  { data, follow = false, signal }: ListPiecesOptions,
): AsyncGenerator<ListPiece> {
  const list = new MediaList(context, data);
  using _following = follow ? await list.follow() : undefined;
  if (!follow) await list.read();
  const flag = follow ? { follow } : {};
  const namesFirst = { few: 0, signal };
  for await (const piece of list.changes(namesFirst)) yield { ...piece, more: true, ...flag };
  if (signal.aborted) return;
  yield { entries: [], ...flag };
  while (follow && await list.changed(signal)) {
    for await (const piece of list.changes({ few: FEW, signal })) yield { ...piece, ...flag };
  }
}

/** The media as it is, and the names of which a client does not know that yet. */
class MediaList {
  #context: ListContext;
  #data: MediaRequest["data"];
  #files = new Map<string, FollowedFile>();
  /** Entries of live sources, by name, as they were sent. */
  #live = new Map<string, ListEntry>();
  /** Names that were sent. */
  #listed = new Set<string>();
  /** Names of files that have changed. */
  #changed = new Set<string>();
  #isLiveChanged = true;
  #change = Promise.withResolvers<void>();

  constructor(context: ListContext, data: MediaRequest["data"]) {
    this.#context = context;
    this.#data = data;
  }

  /** Reads the names of all files once. */
  async read(): Promise<void> {
    const files = await this.#context.library.candidates();
    this.#add(files.map((file) => ({ ...file, isSettled: true })));
  }

  /** Reads the names of all files, and follows their changes until the result is disposed. */
  async follow(): Promise<Disposable> {
    using stack = new DisposableStack();
    const { library, live } = this.#context;
    stack.use(live.changes.subscribe(() => {
      this.#isLiveChanged = true;
      this.#change.resolve();
    }));
    const following = stack.use(
      await library.follow(({ changed, gone }) => {
        this.#add(changed);
        for (const name of gone) {
          this.#files.delete(name);
          this.#changed.add(name);
        }
        this.#change.resolve();
      }),
    );
    this.#add(following.files);
    return stack.move();
  }

  /** Waits for a change; false if the signal has ended that. */
  async changed(signal: AbortSignal): Promise<boolean> {
    using _stop = onAbort(signal, () => this.#change.resolve());
    await this.#change.promise;
    return !signal.aborted;
  }

  /**
   * Gives what the client does not know yet.
   *
   * @param few files of which nothing is said before they are looked into, if there are no more
   */
  async *changes(
    { few, signal }: { few: number; signal: AbortSignal },
  ): AsyncGenerator<ListPiece> {
    this.#change = Promise.withResolvers();
    const before = this.#live;
    if (this.#isLiveChanged) this.#readLive();
    // Live sources come first, and a file of such a name is not listed.
    const others = [...before.keys(), ...this.#changed].filter((name) => !this.#live.has(name));
    const sources = this.#live.values().filter((entry) => !isSame(entry, before.get(entry.name)));
    const { entries, removed, unknown } = this.#look(new Set(others));
    this.#changed.clear();
    const later = new Set(unknown.length <= few ? unknown.map(({ name }) => name) : []);
    const now = entries.filter(({ name }) => !later.has(name));
    yield* this.#inPieces([...sources, ...now], removed);
    const { library } = this.#context;
    for await (const results of library.describeAll(unknown, signal)) {
      // Files that have changed meanwhile are looked at again.
      const current = results.filter(({ candidate: file }) =>
        this.#files.get(file.name) === file && !this.#live.has(file.name)
      );
      const entries = current.map(describedEntry).filter((entry) => entry !== undefined);
      const names = new Set(entries.map(({ name }) => name));
      const removed = current.map(({ candidate: { name } }) => name)
        .filter((name) => !names.has(name) && this.#listed.has(name));
      yield* this.#inPieces(entries, removed);
    }
  }

  #add(files: readonly FollowedFile[]): void {
    for (const file of files) {
      this.#files.set(file.name, file);
      this.#changed.add(file.name);
    }
  }

  #readLive(): void {
    this.#isLiveChanged = false;
    const entries = liveEntries(this.#context.live, this.#data);
    this.#live = new Map(entries.map((entry) => [entry.name, entry]));
  }

  /** Sorts names out: those whose entries are known, those that are gone, those to look into. */
  #look(names: ReadonlySet<string>) {
    const entries: ListEntry[] = [];
    const removed: string[] = [];
    const unknown: FollowedFile[] = [];
    for (const name of names) {
      const file = this.#files.get(name);
      const known = file && this.#context.library.known(file);
      const entry = known ? wholeEntry(known) : file && pendingEntry(file);
      if (entry !== undefined) entries.push(entry);
      else if (this.#listed.has(name)) removed.push(name);
      // A file that is being written would seem to be damaged.
      if (file?.isSettled && known === undefined) unknown.push(file);
    }
    return { entries, removed, unknown };
  }

  *#inPieces(entries: readonly ListEntry[], removed: readonly string[]): Generator<ListPiece> {
    for (const name of removed) this.#listed.delete(name);
    for (const { name } of entries) this.#listed.add(name);
    if (removed.length > 0) yield { entries: [], removed };
    for (let at = 0; at < entries.length; at += MAX_ENTRIES) {
      yield { entries: entries.slice(at, at + MAX_ENTRIES) };
    }
  }
}

function isSame(entry: ListEntry, before: ListEntry | undefined): boolean {
  return JSON.stringify(entry) === JSON.stringify(before);
}
