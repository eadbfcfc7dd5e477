/** Notices that something in some folders has changed. */

/** Folders that are watched at most; each takes a watch of the system. */
const MAX_WATCHED = 1000;

/** Options of {@linkcode FolderWatch}. */
export interface FolderWatchOptions {
  /** Called at each change, and there may be many. */
  onChange: () => void;
  /** Called if the system does not watch them: its watches may be used up. */
  onFailure: (error: Error) => void;
}

/**
 * Watches folders by the events of the system; not what is below them, since the system would follow
 * links out of them.
 */
export class FolderWatch implements Disposable {
  #options: FolderWatchOptions;
  #watcher: Deno.FsWatcher | undefined;
  /** Paths of the watched folders. */
  #folders: readonly string[] = [];

  constructor(options: FolderWatchOptions) {
    this.#options = options;
  }

  /**
   * Watches these folders in place of those before.
   *
   * @returns whether they are watched from now on
   */
  watch(folders: readonly string[]): boolean {
    const isSame = folders.length === this.#folders.length &&
      folders.every((folder, at) => folder === this.#folders[at]);
    if (isSame && this.#watcher !== undefined) return true;
    this[Symbol.dispose]();
    if (folders.length === 0 || folders.length > MAX_WATCHED) return false;
    try {
      this.#watcher = Deno.watchFs([...folders], { recursive: false });
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#options.onFailure(error);
      return false;
    }
    this.#folders = folders;
    this.#read(this.#watcher);
    // A change before it began would not be reported.
    this.#options.onChange();
    return true;
  }

  /** Watches nothing any more. Harmless when repeated. */
  [Symbol.dispose](): void {
    const watcher = this.#watcher;
    this.#watcher = undefined;
    this.#folders = [];
    watcher?.close();
  }

  /** Never throws. */
  async #read(watcher: Deno.FsWatcher): Promise<void> {
    try {
      for await (const { kind } of watcher) {
        // Reading a file is no change of it.
        if (kind !== "access") this.#options.onChange();
      }
    } catch (error) {
      if (this.#watcher !== watcher) return;
      this[Symbol.dispose]();
      this.#options.onFailure(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
