/** The folder of media that is served. */
import { RequestError } from "../../base/errors.ts";
import { nearest } from "../../base/suggest.ts";
import { memoryLimit } from "../../ffmpeg/sandbox.ts";
import { type FileState, stateOf } from "./file_state.ts";
import { type MediaInfo, PassingError, probe } from "./probe.ts";

/** A file of the library, known to be media. */
export interface MediaFile {
  /** Path below the library's folder, parts separated by `/`. */
  name: string;
  /** Real path of the file. Never sent to a peer. */
  path: string;
  /** Real path of the folder that it has to be in when it is opened. */
  folder?: string;
  /** Bytes. */
  size: number;
  /** Its state when it was found; absent if changes do not matter. */
  state?: FileState;
  info: MediaInfo;
  /** Largest number of pixels to decode; FFmpeg's default if absent. */
  maxPixels?: number;
  /** Bytes of memory that FFmpeg may take for it; without a limit if absent. */
  maxMemory?: number;
}

/** Options of {@linkcode Library}. */
export interface LibraryOptions {
  /** Further names to suggest. */
  otherNames?: readonly string[];
  /** Largest number of pixels of a served file. */
  maxPixels?: number;
  /** Milliseconds for probing a file. @default 20_000 */
  probeTimeout?: number;
  /** The flag or option that names the folder, for errors. @default "--media" */
  option?: string;
}

/** A file that has not been probed. */
interface Candidate {
  name: string;
  path: string;
  size: number;
  state: FileState;
}

/** Path in place of that of a folder, if there is none. */
const NO_FOLDER = "";

/** Largest number of files in a list; further ones can still be requested by name. */
const MAX_FILES = 10_000;

/** Levels of folders below the library's. */
const MAX_DEPTH = 16;

/** Largest number of names to find the nearest one among. */
const MAX_COMPARED = 1000;

/** Probes that run at once while listing. */
const PARALLEL_PROBES = 2;

/** Largest number of probed files in the cache. */
const MAX_PROBED = 20_000;

/**
 * A folder of media. Only here a name becomes a path: names are compared with the entries of the
 * folder, level by level, and never joined to a path. Links out of the folder, and anything but
 * regular files, are ignored.
 */
export class Library {
  #root = NO_FOLDER;
  /** Prefix of the real path of everything inside. */
  #inside = NO_FOLDER;
  #otherNames: readonly string[];
  #limits: Pick<MediaFile, "folder" | "maxPixels" | "maxMemory"> = {};
  #probeTimeout: number | undefined;
  #probed = new Map<string, { stamp: string; info: Promise<MediaInfo> }>();

  /**
   * @param folder path of the folder; a library without one is empty
   * @throws {Error} if it is no folder or cannot be read
   */
  constructor(folder: string | undefined, options: LibraryOptions = {}) {
    const { otherNames = [], maxPixels, probeTimeout, option = "--media" } = options;
    this.#otherNames = otherNames;
    this.#probeTimeout = probeTimeout;
    if (folder === undefined) return;
    try {
      this.#root = Deno.realPathSync(folder);
      this.#inside = this.#root.endsWith("/") ? this.#root : `${this.#root}/`;
      const maxMemory = maxPixels === undefined ? undefined : memoryLimit(maxPixels);
      this.#limits = { folder: this.#root, maxPixels, maxMemory };
      if (Deno.statSync(this.#root).isDirectory) return;
    } catch (cause) {
      const reason = cause instanceof Deno.errors.NotFound
        ? "no such folder"
        : "it is not readable";
      throw new Error(`Cannot serve "${folder}": ${reason}, name one with ${option}`, { cause });
    }
    throw new Error(`Cannot serve "${folder}": it is not a folder, name one with ${option}`);
  }

  /**
   * Finds a file by name.
   *
   * @throws {RequestError} `not_found` with the nearest name, `media_error` if it is no media
   */
  async find(name: string): Promise<MediaFile> {
    const candidate = await this.#locate(name);
    if (candidate === undefined) throw await this.#notFound(name);
    return await this.#toMedia(candidate);
  }

  /** Whether there is a file of this name, media or not. */
  async has(name: string): Promise<boolean> {
    return await this.#locate(name) !== undefined;
  }

  /**
   * Finds the first file of a kind, in the order of names. SVG is skipped: most drawings are icons of
   * a page, and only some builds of FFmpeg decode them.
   *
   * @throws {RequestError} `not_found` if there is none
   */
  async first(kind: "image" | "video"): Promise<MediaFile> {
    for await (const candidate of this.#files()) {
      const file = await this.#tryMedia(candidate);
      if (file?.info.kind === kind && file.info.video?.codec !== "svg") return file;
    }
    throw new RequestError("not_found", `Cannot find any ${kind} on this server`);
  }

  /** Lists all media, in the order of names. */
  async list(): Promise<MediaFile[]> {
    const candidates = await this.#candidates();
    const files: (MediaFile | undefined)[] = [];
    let next = 0;
    const work = async () => {
      while (next < candidates.length) {
        const at = next++;
        files[at] = await this.#tryMedia(candidates[at]);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_PROBES }, work));
    return files.filter((file) => file !== undefined);
  }

  /** Probes all files, one at a time, so that later requests need not wait for that. */
  async warm(signal: AbortSignal): Promise<void> {
    for (const candidate of await this.#candidates()) {
      if (signal.aborted) return;
      await this.#tryMedia(candidate);
    }
  }

  /** Walks down the folder by the parts of a name, each of which has to equal an entry's name. */
  async #locate(name: string): Promise<Candidate | undefined> {
    const parts = name.split("/");
    if (parts.length > MAX_DEPTH + 1) return undefined;
    let folder = this.#root;
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

  /** All regular files, in the order of names. */
  async #candidates(): Promise<Candidate[]> {
    return await Array.fromAsync(this.#files());
  }

  async *#files(): AsyncGenerator<Candidate> {
    let count = 0;
    for await (const candidate of this.#walk({ path: this.#root, prefix: "", depth: 0 })) {
      yield candidate;
      if (++count >= MAX_FILES) return;
    }
  }

  /** Regular files below a folder, in the order of names. */
  async *#walk(at: Folder): AsyncGenerator<Candidate> {
    for (const entry of await this.#read(at.path)) {
      const resolved = await this.#resolve(`${at.path}/${entry.name}`, entry);
      if (resolved === undefined) continue;
      const name = at.prefix + entry.name;
      if (resolved.info.isFile) yield toCandidate(name, resolved);
      // A link to a folder may form a cycle; its files can still be requested by name.
      if (entry.isDirectory && at.depth < MAX_DEPTH) {
        const inside = { path: resolved.path, prefix: `${name}/`, depth: at.depth + 1 };
        yield* this.#walk(inside);
      }
    }
  }

  /** The visible entries of a folder, in the order of names; none if a subfolder is unreadable. */
  async #read(folder: string): Promise<Deno.DirEntry[]> {
    if (folder === NO_FOLDER) return [];
    try {
      return await readFolder(folder);
    } catch (cause) {
      if (!isOutOfReach(cause)) throw cause;
      if (folder !== this.#root) return [];
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

  async #tryMedia(candidate: Candidate): Promise<MediaFile | undefined> {
    try {
      return await this.#toMedia(candidate);
    } catch (error) {
      if (error instanceof RequestError) return undefined;
      throw error;
    }
  }

  async #toMedia({ name, path, size, state }: Candidate): Promise<MediaFile> {
    if (size === 0) throw new RequestError("media_error", `Cannot read "${name}": it is empty`);
    const probed = this.#probed.get(path);
    const limits = this.#limits;
    const found = { name, path, size, state, ...limits };
    const { stamp } = state;
    if (probed?.stamp === stamp) return { ...found, info: await probed.info };
    if (this.#probed.size >= MAX_PROBED) this.#probed.clear();
    const info = probe(path, name, { ...limits, timeout: this.#probeTimeout });
    this.#probed.set(path, { stamp, info });
    try {
      return { ...found, info: await info };
    } catch (error) {
      // Bad data stays bad until the file changes. Other failures may pass: a timeout on a busy
      // machine, an FFmpeg that was killed or is missing, a permission not yet given.
      const isLasting = error instanceof RequestError && !(error instanceof PassingError);
      if (!isLasting && this.#probed.get(path)?.info === info) this.#probed.delete(path);
      throw error;
    }
  }

  async #notFound(name: string): Promise<RequestError> {
    const near = nearest(name, [...this.#otherNames, ...await this.#someNames()]);
    // The names include files that cannot be requested.
    const isThere = near !== undefined && (this.#otherNames.includes(near) || await this.has(near));
    const hint = isThere ? `did you mean "${near}"?` : "see the list of media";
    return new RequestError("not_found", `Cannot find "${name}": no such media, ${hint}`);
  }

  /** Names to suggest, without probing: those of upper folders first, then in order. */
  async #someNames(): Promise<string[]> {
    const names: string[] = [];
    const folders = [{ path: this.#root, prefix: "", depth: 0 }];
    // The array grows while it is iterated.
    for (const { path, prefix, depth } of folders) {
      for (const entry of await this.#read(path)) {
        if (names.length + folders.length > MAX_COMPARED) return names;
        const name = prefix + entry.name;
        if (!entry.isDirectory) names.push(name);
        else if (depth < MAX_DEPTH) {
          folders.push({ path: `${path}/${entry.name}`, prefix: `${name}/`, depth: depth + 1 });
        }
      }
    }
    return names;
  }
}

/** A folder of the library. */
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
