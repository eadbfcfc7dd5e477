/** The files of a folder by their names. */
import { RequestError } from "../../../base/errors.ts";
import { type FileState, stateOf } from "../file_state.ts";
import { isBesideMedia } from "./media_names.ts";

/** A file that has not been looked into. */
export interface Candidate {
  /** Path below the folder, parts separated by `/`. */
  name: string;
  /** Real path of the file. */
  path: string;
  /** Bytes. */
  size: number;
  state: FileState;
}

/** Functions that are called while files are found. */
export interface TreeVisitor {
  /** Called with the path of each folder that is looked into. */
  onFolder?: (path: string) => void;
  /** Called with the name of what may have media, and why it is left out. */
  onLeftOut?: (name: string, reason: string) => void;
}

/** Path in place of that of a folder, if there is none. */
const NO_FOLDER = "";

/** Largest number of files that are found by walking; further ones are found by name. */
const MAX_FILES = 10_000;

/** Files that are looked at at once, at most: one after the other, a folder of thousands takes long. */
const MAX_LOOKS = 64;

/** Levels of folders below the first one. */
const MAX_DEPTH = 16;

/**
 * A folder with its files. Only here a name becomes a path: names are compared with the entries of the
 * folder, level by level, and never joined to a path. Links out of the folder, and anything but
 * regular files, are ignored.
 */
export class FileTree {
  /** Real path of the folder; empty without one. */
  readonly root: string;
  /** Prefix of the real path of everything inside. */
  readonly #inside: string;

  /**
   * @param folder path of the folder; a tree without one is empty
   * @param option the flag or option that names the folder, for errors
   * @throws {Error} if it is no folder or cannot be read
   */
  constructor(folder: string | undefined, option: string) {
    this.root = folder === undefined ? NO_FOLDER : openFolder(folder, option);
    this.#inside = this.root.endsWith("/") ? this.root : `${this.root}/`;
  }

  /** Walks down the folder by the parts of a name, each of which has to equal an entry's name. */
  async locate(name: string): Promise<Candidate | undefined> {
    const parts = name.split("/");
    if (parts.length > MAX_DEPTH + 1) return undefined;
    let folder = this.root;
    for (const [depth, part] of parts.entries()) {
      const entries = await this.#read(folder);
      const entry = entries.find((candidate) => candidate.name === part);
      if (entry === undefined) return undefined;
      const found = await this.#resolve(`${folder}/${entry.name}`, entry);
      if (found === undefined) return undefined;
      const isLast = depth === parts.length - 1;
      if (isLast) return found.info.isFile ? toCandidate(name, found) : undefined;
      if (!found.info.isDirectory) return undefined;
      folder = found.path;
    }
  }

  /** Finds the regular files that may be media, in the order of names. */
  async *files(visitor: TreeVisitor = {}): AsyncGenerator<Candidate> {
    if (this.root === NO_FOLDER) return;
    let count = 0;
    for await (const candidate of this.#walk({ path: this.root, prefix: "", depth: 0 }, visitor)) {
      yield candidate;
      if (++count >= MAX_FILES) return;
    }
  }

  /** Names of files, without a look at them: those of upper folders first, then in order. */
  async someNames(): Promise<{ names: string[]; isWhole: boolean }> {
    const names: string[] = [];
    const folders = [{ path: this.root, prefix: "", depth: 0 }];
    // The array grows while it is iterated.
    for (const { path, prefix, depth } of folders) {
      for (const entry of await this.#read(path)) {
        if (names.length + folders.length > MAX_FILES) return { names, isWhole: false };
        const name = prefix + entry.name;
        if (!entry.isDirectory) names.push(name);
        else if (depth < MAX_DEPTH) {
          folders.push({ path: `${path}/${entry.name}`, prefix: `${name}/`, depth: depth + 1 });
        }
      }
    }
    return { names, isWhole: true };
  }

  async *#walk(at: Folder, visitor: TreeVisitor): AsyncGenerator<Candidate> {
    visitor.onFolder?.(at.path);
    const onFailure = () => visitor.onLeftOut?.(at.prefix, "not readable");
    const entries = (await this.#read(at.path, onFailure))
      .filter(({ name, isDirectory }) => isDirectory || !isBesideMedia(name));
    let first = 0;
    // Few at first, for a search that ends with the first file.
    for (let looks = 1; first < entries.length; looks = Math.min(2 * looks, MAX_LOOKS)) {
      const some = entries.slice(first, first + looks);
      first += some.length;
      const found = await Promise.all(
        some.map((entry) => this.#resolve(`${at.path}/${entry.name}`, entry)),
      );
      for (const [index, resolved] of found.entries()) {
        const entry = some[index];
        const name = at.prefix + entry.name;
        if (resolved === undefined) {
          if (entry.isSymlink) visitor.onLeftOut?.(name, "a link out of the folder, or to nothing");
          continue;
        }
        if (resolved.info.isFile) yield toCandidate(name, resolved);
        // A link to a folder may form a cycle; its files can still be requested by name.
        if (entry.isDirectory && at.depth < MAX_DEPTH) {
          const inside = { path: resolved.path, prefix: `${name}/`, depth: at.depth + 1 };
          yield* this.#walk(inside, visitor);
        }
      }
    }
  }

  /**
   * The visible entries of a folder, in the order of names; none if a subfolder is unreadable.
   *
   * @param onFailure called in that case
   */
  async #read(folder: string, onFailure = () => {}): Promise<Deno.DirEntry[]> {
    if (folder === NO_FOLDER) return [];
    try {
      return await readFolder(folder);
    } catch (cause) {
      if (!isOutOfReach(cause)) throw cause;
      if (folder !== this.root) {
        onFailure();
        return [];
      }
      const reason = "it is gone, or not readable";
      throw new RequestError("not_found", `Cannot look into the media folder: ${reason}`, {
        cause,
      });
    }
  }

  /** Follows an entry if it is a link; `undefined` if that leads out of the folder. */
  async #resolve(path: string, entry: Deno.DirEntry): Promise<Resolved | undefined> {
    try {
      const real = entry.isSymlink ? await Deno.realPath(path) : path;
      if (entry.isSymlink && !real.startsWith(this.#inside)) return undefined;
      return { path: real, info: await Deno.stat(real) };
    } catch (error) {
      if (isOutOfReach(error)) return undefined;
      throw error;
    }
  }
}

/** Real path of a folder. */
function openFolder(folder: string, option: string): string {
  try {
    const root = Deno.realPathSync(folder);
    if (Deno.statSync(root).isDirectory) {
      // Also a folder that may not be read has a path.
      Deno.readDirSync(root);
      return root;
    }
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound ? "no such folder" : "it is not readable";
    throw new Error(`Cannot serve "${folder}": ${reason}, name one with ${option}`, { cause });
  }
  throw new Error(`Cannot serve "${folder}": it is not a folder, name one with ${option}`);
}

/** A folder of the tree. */
interface Folder {
  path: string;
  /** Prefix of the names of its files. */
  prefix: string;
  depth: number;
}

/** An entry whose link has been followed. */
interface Resolved {
  path: string;
  info: Deno.FileInfo;
}

function toCandidate(name: string, { path, info }: Resolved): Candidate {
  return { name, path, size: info.size, state: stateOf(info) };
}

/** Whether an entry is gone, not readable, or a dangling link: it is ignored then. */
function isOutOfReach(error: unknown): boolean {
  const { NotFound, PermissionDenied, FilesystemLoop, NotADirectory } = Deno.errors;
  return [NotFound, PermissionDenied, FilesystemLoop, NotADirectory].some((type) =>
    error instanceof type
  );
}

/** The visible entries of a folder, in the order of names. */
async function readFolder(folder: string): Promise<Deno.DirEntry[]> {
  const entries: Deno.DirEntry[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (!entry.name.startsWith(".")) entries.push(entry);
  }
  return entries.sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}
