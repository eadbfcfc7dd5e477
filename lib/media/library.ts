import { RequestError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { type MediaInfo, probe } from "./probe.ts";

/** A file of the library, known to be media. */
export interface MediaFile {
  /** Path below the library's folder, parts separated by `/`. */
  name: string;
  /** Where FFmpeg finds it. Never sent to a peer. */
  path: string;
  /** Bytes. */
  size: number;
  info: MediaInfo;
}

/** A file that may or may not be media: found, not looked into. */
interface Candidate {
  name: string;
  path: string;
  size: number;
  /** Milliseconds since the epoch; with the size, tells a changed file. */
  modified: number;
}

/** Files that a library lists at the most; further ones can still be asked for by name. */
const MAX_FILES = 10_000;

/** Folders within folders that are looked into. */
const MAX_DEPTH = 16;

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
  #probed = new Map<string, { stamp: string; info: Promise<MediaInfo> }>();

  /**
   * @param folder path of the folder
   * @throws {Error} where it is no folder, or cannot be read
   */
  constructor(folder: string) {
    try {
      this.#root = Deno.realPathSync(folder);
      this.#inside = this.#root.endsWith("/") ? this.#root : `${this.#root}/`;
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

  /**
   * Finds the first file of a kind, in the order of names.
   *
   * @throws {RequestError} `not_found` where there is none
   */
  async first(kind: "image" | "video"): Promise<MediaFile> {
    for (const candidate of await this.#candidates()) {
      const file = await this.#tryMedia(candidate);
      if (file?.info.kind === kind) return file;
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
      const entries = await readFolder(folder);
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
    const found: Candidate[] = [];
    await this.#collect({ folder: this.#root, prefix: "", depth: 0 }, found);
    return found;
  }

  async #collect(
    at: { folder: string; prefix: string; depth: number },
    found: Candidate[],
  ): Promise<void> {
    for (const entry of await readFolder(at.folder)) {
      if (found.length >= MAX_FILES) return;
      const resolved = await this.#resolve(`${at.folder}/${entry.name}`, entry);
      if (resolved === undefined) continue;
      const name = at.prefix + entry.name;
      if (resolved.info.isFile) found.push(toCandidate(name, resolved));
      // A link to a folder could lead in circles; what it holds can still be asked for by name.
      if (entry.isDirectory && at.depth < MAX_DEPTH) {
        const inside = { folder: resolved.path, prefix: `${name}/`, depth: at.depth + 1 };
        await this.#collect(inside, found);
      }
    }
  }

  /** Follows an entry's link, if it is one and stays within the folder. */
  async #resolve(path: string, entry: Deno.DirEntry): Promise<Resolved | undefined> {
    try {
      const real = entry.isSymlink ? await Deno.realPath(path) : path;
      if (entry.isSymlink && !real.startsWith(this.#inside)) return undefined;
      return { path: real, info: await Deno.stat(real) };
    } catch (error) {
      // Gone since it was listed, a dangling link, or not ours to look at: as if not there.
      if (error instanceof Deno.errors.NotFound) return undefined;
      if (error instanceof Deno.errors.PermissionDenied) return undefined;
      if (error instanceof Deno.errors.FilesystemLoop) return undefined;
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

  async #toMedia({ name, path, size, modified }: Candidate): Promise<MediaFile> {
    if (size === 0) throw new RequestError("media_error", `Cannot read "${name}": it is empty`);
    const stamp = `${size} ${modified}`;
    const known = this.#probed.get(path);
    if (known?.stamp === stamp) return { name, path, size, info: await known.info };
    if (this.#probed.size >= MAX_REMEMBERED) this.#probed.clear();
    const info = probe(path, name);
    this.#probed.set(path, { stamp, info });
    try {
      return { name, path, size, info: await info };
    } catch (error) {
      // A refusal is a fact about the file; anything else, such as no FFmpeg, may pass.
      if (!(error instanceof RequestError)) this.#probed.delete(path);
      throw error;
    }
  }

  async #notFound(name: string): Promise<RequestError> {
    const names = (await this.#candidates()).map((candidate) => candidate.name);
    const near = nearest(name, names);
    const hint = near === undefined ? "--list shows what there is" : `did you mean "${near}"?`;
    return new RequestError("not_found", `Cannot find "${name}": no such media, ${hint}`);
  }
}

/** An entry with its link followed. */
interface Resolved {
  path: string;
  info: Deno.FileInfo;
}

function toCandidate(name: string, { path, info }: Resolved): Candidate {
  return { name, path, size: info.size, modified: info.mtime?.getTime() ?? 0 };
}

/** The visible entries of a folder, in the order of names. */
async function readFolder(folder: string): Promise<Deno.DirEntry[]> {
  const entries: Deno.DirEntry[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (!entry.name.startsWith(".")) entries.push(entry);
  }
  return entries.sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}
