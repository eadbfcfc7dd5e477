import { RequestError } from "../../base/errors.ts";
import { nearest } from "../../base/suggest.ts";
import { memoryLimit } from "../../ffmpeg/sandbox.ts";
import { type FileState, stateOf } from "./file_state.ts";
import { type MediaInfo, PassingError, probe } from "./probe.ts";

/** A file of the library, known to be media. */
export interface MediaFile {
  /** Path below the library's folder, parts separated by `/`. */
  name: string;
  /** Where FFmpeg finds it. Never sent to a peer. */
  path: string;
  /** Real path of the folder in which it has to lie, still when it is opened. */
  folder?: string;
  /** Bytes. */
  size: number;
  /** What it was when it was found; absent where nobody looks for changes. */
  state?: FileState;
  info: MediaInfo;
  /** Pixels of a picture that may be decoded; as FFmpeg has it where absent. */
  maxPixels?: number;
  /** Bytes of memory that FFmpeg may take for it; as many as there are where absent. */
  maxMemory?: number;
}

/** Options of {@linkcode Library}. */
export interface LibraryOptions {
  /** What can be asked for besides, to hint at. */
  otherNames?: readonly string[];
  /** Pixels of the largest picture that is taken. */
  maxPixels?: number;
  /** Milliseconds in which FFmpeg has to say what a file is; 20 s unless told. */
  probeTimeout?: number;
}

/** A file that may or may not be media: found, not looked into. */
interface Candidate {
  name: string;
  path: string;
  size: number;
  state: FileState;
}

/** Files that a library lists at the most; further ones can still be asked for by name. */
const MAX_FILES = 10_000;

/** Folders within folders that are looked into. */
const MAX_DEPTH = 16;

/** Names that are compared with one that is not there, to hint at the nearest. */
const MAX_COMPARED = 1000;

/** Probes that run at once while listing. */
const PARALLEL_PROBES = 2;

/** What is remembered of probed files at the most. */
const MAX_REMEMBERED = 20_000;

/**
 * A folder of media, and the only place where a name becomes a path.
 *
 * Names are compared with what the folder holds, level by level, and never joined to a path.
 * Links that lead out of the folder, and anything but regular files, are as if not there.
 */
export class Library {
  #root: string;
  /** What the real path of everything inside begins with. */
  #inside: string;
  #otherNames: readonly string[];
  #limits: Pick<MediaFile, "folder" | "maxPixels" | "maxMemory">;
  #probeTimeout: number | undefined;
  #probed = new Map<string, { stamp: string; info: Promise<MediaInfo> }>();

  /**
   * @param folder path of the folder
   * @throws {Error} where it is no folder, or cannot be read
   */
  constructor(folder: string, { otherNames = [], maxPixels, probeTimeout }: LibraryOptions = {}) {
    this.#otherNames = otherNames;
    this.#probeTimeout = probeTimeout;
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
      throw new Error(`Cannot serve "${folder}": ${reason}, name one with --media`, { cause });
    }
    throw new Error(`Cannot serve "${folder}": it is not a folder, name one with --media`);
  }

  /**
   * Finds a file by name.
   *
   * @throws {RequestError} `not_found` with the nearest name, `media_error` where it is no media
   */
  async find(name: string): Promise<MediaFile> {
    const candidate = await this.#locate(name);
    if (candidate === undefined) throw await this.#notFound(name);
    return await this.#toMedia(candidate);
  }

  /** Whether there is a file of this name, be it media or not. */
  async has(name: string): Promise<boolean> {
    return await this.#locate(name) !== undefined;
  }

  /**
   * Finds the first file of a kind, in the order of names. Drawings (SVG) are left to requests by
   * name: they are mostly a page's icons, and FFmpeg draws them only where it was built to.
   *
   * @throws {RequestError} `not_found` where there is none
   */
  async first(kind: "image" | "video"): Promise<MediaFile> {
    for await (const candidate of this.#files()) {
      const file = await this.#tryMedia(candidate);
      if (file?.info.kind === kind && file.info.video?.codec !== "svg") return file;
    }
    throw new RequestError("not_found", `Cannot find any ${kind} on this server`);
  }

  /** All files that FFmpeg takes for media, in the order of names. */
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

  /**
   * Looks into all files, one at a time, so that whoever asks for one later need not wait for it.
   */
  async warm(signal: AbortSignal): Promise<void> {
    for (const candidate of await this.#candidates()) {
      if (signal.aborted) return;
      await this.#tryMedia(candidate);
    }
  }

  /** Walks down the folder by the parts of a name; each has to be an entry's very name. */
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
    for await (const candidate of this.#walk({ folder: this.#root, prefix: "", depth: 0 })) {
      yield candidate;
      if (++count >= MAX_FILES) return;
    }
  }

  /** Regular files, in the order of names, looked at one by one. */
  async *#walk(at: Place): AsyncGenerator<Candidate> {
    for (const entry of await this.#read(at.folder)) {
      const resolved = await this.#resolve(`${at.folder}/${entry.name}`, entry);
      if (resolved === undefined) continue;
      const name = at.prefix + entry.name;
      if (resolved.info.isFile) yield toCandidate(name, resolved);
      // A link to a folder could lead in circles; what it holds can still be asked for by name.
      if (entry.isDirectory && at.depth < MAX_DEPTH) {
        const inside = { folder: resolved.path, prefix: `${name}/`, depth: at.depth + 1 };
        yield* this.#walk(inside);
      }
    }
  }

  /** The visible entries of a folder, in the order of names; none of a sub-folder out of reach. */
  async #read(folder: string): Promise<Deno.DirEntry[]> {
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

  /** Follows an entry's link, if it is one and stays within the folder. */
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
    const known = this.#probed.get(path);
    const limits = this.#limits;
    const found = { name, path, size, state, ...limits };
    const { stamp } = state;
    if (known?.stamp === stamp) return { ...found, info: await known.info };
    if (this.#probed.size >= MAX_REMEMBERED) this.#probed.clear();
    const info = probe(path, name, { ...limits, timeout: this.#probeTimeout });
    this.#probed.set(path, { stamp, info });
    try {
      return { ...found, info: await info };
    } catch (error) {
      // What is wrong with the data stays so until the file changes. Anything else may be over the
      // next time: a deadline on a busy machine, a killed or missing FFmpeg, a right not yet given.
      const isLasting = error instanceof RequestError && !(error instanceof PassingError);
      if (!isLasting && this.#probed.get(path)?.info === info) this.#probed.delete(path);
      throw error;
    }
  }

  async #notFound(name: string): Promise<RequestError> {
    const near = nearest(name, [...this.#otherNames, ...await this.#someNames()]);
    // Names are taken as they stand; the one that is told has to be there for this peer, too.
    const isThere = near !== undefined && (this.#otherNames.includes(near) || await this.has(near));
    const hint = isThere ? `did you mean "${near}"?` : "--list shows what there is";
    return new RequestError("not_found", `Cannot find "${name}": no such media, ${hint}`);
  }

  /** Names to hint at, without a look at each file: of folders further up first, then in order. */
  async #someNames(): Promise<string[]> {
    const names: string[] = [];
    const folders = [{ path: this.#root, prefix: "", depth: 0 }];
    // The list grows while it is walked through.
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

/** A folder within the library's. */
interface Place {
  folder: string;
  /** What the names of what is in it begin with. */
  prefix: string;
  depth: number;
}

/** An entry with its link followed. */
interface Resolved {
  path: string;
  info: Deno.FileInfo;
}

function toCandidate(name: string, { path, info }: Resolved): Candidate {
  return { name, path, size: info.size, state: stateOf(info) };
}

/** Gone since it was listed, a dangling link, or not ours to look at: as if not there. */
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
