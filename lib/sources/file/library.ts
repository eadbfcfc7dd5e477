/** The folder of media that is served. */
import { settlesWithin } from "../../base/async.ts";
import {
  MissingProgramError,
  ProcessError,
  RequestError,
  TruncatedError,
} from "../../base/errors.ts";
import { parallel } from "../../base/parallel.ts";
import type { FileHeader } from "../../containers/headers/header.ts";
import { readHeader } from "../../containers/headers/read.ts";
import { readDecoders } from "../../ffmpeg/decoders.ts";
import { memoryLimit } from "../../ffmpeg/sandbox.ts";
import type { FileState } from "./file_state.ts";
import { formatByName, isPattern } from "./formats.ts";
import { type Candidate, FileTree, type TreeVisitor } from "./listing/file_tree.ts";
import {
  type FolderChange,
  FollowedFolder,
  type Following,
  type FollowTimes,
} from "./listing/followed_folder.ts";
import { LikeFiles } from "./listing/like_files.ts";
import { PacketFiles } from "./packets/packet_files.ts";
import { isSystemError, SharedFile, UnreachableFileError } from "./packets/shared_file.ts";
import { FileError, type MediaInfo, PassingError, probe } from "./probe.ts";
import { MARGIN, quickProbe } from "./quick_probe.ts";
import { SubtitleTexts } from "./tracks/subtitles.ts";
import { MAX_SUGGESTED, namesInFolders, nearestName, suggestion } from "./listing/suggestions.ts";
import { TagReader } from "./tags/tag_reader.ts";

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
  /** Reads its packets, if it has an index; with FFmpeg if absent. */
  packets?: PacketFiles;
  /** Reads its subtitles. */
  texts?: SubtitleTexts;
  /** Reads what it says about itself; nothing if absent. */
  tags?: TagReader;
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
  /** Reads the packets of files that have an index. */
  packets?: PacketFiles;
  /** When the folder is looked at again for those who follow it. */
  times?: FollowTimes;
}

/** A file, and what it turned out to be: media, or the reason why it is not served. */
export type Described =
  | { candidate: Candidate; file: MediaFile; problem?: undefined }
  | { candidate: Candidate; file?: undefined; problem: string };

/** A file that has been probed, or is. */
interface Probed {
  /** Of its state. */
  stamp: string;
  info: Promise<MediaInfo>;
  /** The same, once it is there. */
  found?: MediaInfo;
}

/** Largest number of probed files in the cache. */
const MAX_PROBED = 20_000;

/** Files that are looked into at once, however many processors there are: each may take 50 MB. */
const MAX_PROBES = 16;

/** Milliseconds for which descriptions are collected before they are given together. */
const INTERVAL = 100;

/** Milliseconds for which lookups are waited for at the end. */
const LAST_LOOKUPS = 1000;

/** A folder of media, and what is known of its files. */
export class Library implements AsyncDisposable {
  #tree: FileTree;
  #followed: FollowedFolder;
  #otherNames: readonly string[];
  #limits: Pick<MediaFile, "folder" | "maxPixels" | "maxMemory"> = {};
  #packets: PacketFiles;
  #texts = new SubtitleTexts();
  #tags = new TagReader();
  #probeTimeout: number | undefined;
  /** Names of FFmpeg's decoders by codec. */
  #decoders: Promise<ReadonlyMap<string, string>> | undefined;
  #likeFiles = new LikeFiles();
  /** By path. */
  #probed = new Map<string, Probed>();
  /** Those in progress: they may go on for others when nobody waits for them any more. */
  #lookups = new Set<Promise<MediaInfo>>();
  #stop = new AbortController();

  /**
   * @param folder path of the folder; a library without one is empty
   * @throws {Error} if it is no folder or cannot be read
   */
  constructor(folder: string | undefined, options: LibraryOptions = {}) {
    const { otherNames = [], maxPixels, probeTimeout, option = "--media", times } = options;
    this.#otherNames = otherNames;
    this.#probeTimeout = probeTimeout;
    this.#packets = options.packets ?? new PacketFiles();
    this.#tree = new FileTree(folder, option);
    const scan = (onFolder: (path: string) => void) =>
      Array.fromAsync(this.#tree.files({ onFolder }));
    this.#followed = new FollowedFolder({ scan, times });
    if (folder === undefined) return;
    const maxMemory = maxPixels === undefined ? undefined : memoryLimit(maxPixels);
    this.#limits = { folder: this.#tree.root, maxPixels, maxMemory };
  }

  /**
   * Finds a file by name. Folders may be left out if only one file has the rest of its name.
   *
   * @throws {RequestError} `not_found` with names to use instead, `media_error` if it is no media
   */
  async find(name: string): Promise<MediaFile> {
    const candidate = await this.#tree.locate(name);
    if (candidate !== undefined) return await this.#toMedia(candidate);
    const { names, isWhole } = await this.#tree.someNames();
    const inFolders = await this.#thoseThere(namesInFolders(name, names));
    const [only] = inFolders;
    if (isWhole && inFolders.length === 1) return await this.#toMedia(only);
    throw await this.#notFound(name, inFolders.map(({ name }) => name), names);
  }

  /** Whether there is a file of this name, media or not. */
  async has(name: string): Promise<boolean> {
    return await this.#tree.locate(name) !== undefined;
  }

  /**
   * Finds the first file of a kind, in the order of names. SVG is skipped: most drawings are icons of
   * a page, and only some builds of FFmpeg decode them.
   *
   * @throws {RequestError} `not_found` if there is none
   */
  async first(kind: "image" | "video"): Promise<MediaFile> {
    for await (const candidate of this.#tree.files()) {
      const { file } = await this.describe(candidate);
      if (file?.info.kind === kind && file.info.video?.codec !== "svg") return file;
    }
    throw new RequestError("not_found", `Cannot find any ${kind} on this server`);
  }

  /** Lists all media, in the order of names. */
  async list(): Promise<MediaFile[]> {
    const found = new Map<Candidate, MediaFile>();
    const candidates = await this.candidates();
    for await (const results of this.describeAll(candidates)) {
      for (const { candidate, file } of results) if (file) found.set(candidate, file);
    }
    return candidates.map((candidate) => found.get(candidate)).filter((file) => file !== undefined);
  }

  /** The files that may be media, in the order of names. None has been looked into. */
  async candidates(): Promise<Candidate[]> {
    return await Array.fromAsync(this.#tree.files());
  }

  /**
   * Looks at the names of all files.
   *
   * @param onLeftOut called with the name of what may have media and is left out, and the reason
   * @returns number of files that may be media; at most 10,000
   */
  async count(onLeftOut?: TreeVisitor["onLeftOut"]): Promise<number> {
    return (await Array.fromAsync(this.#tree.files({ onLeftOut }))).length;
  }

  /**
   * Looks into files, as many at once as there are processors.
   *
   * @param signal no further file is looked into after it
   * @returns what they are, a few together, in the order in which that is known
   */
  describeAll(
    candidates: readonly Candidate[],
    signal?: AbortSignal,
  ): AsyncGenerator<Described[]> {
    const limit = Math.min(navigator.hardwareConcurrency, MAX_PROBES);
    return parallel(candidates, (candidate) => this.describe(candidate), {
      ...{ limit, interval: INTERVAL, signal },
    });
  }

  /** The description of a file from before; `undefined` if it has to be looked into. */
  known(candidate: Candidate): MediaFile | undefined {
    const { stamp, found } = this.#probed.get(candidate.path) ?? {};
    if (stamp !== candidate.state.stamp || found === undefined) return undefined;
    return this.#toFile(candidate, found);
  }

  /** Looks into a file, unless that is known from before. */
  async describe(candidate: Candidate): Promise<Described> {
    try {
      return { candidate, file: await this.#toMedia(candidate) };
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      const problem = error instanceof FileError ? error.reason : error.message;
      return { candidate, problem };
    }
  }

  /**
   * Watches the folder until the result is disposed.
   *
   * @param onChange called with the files that come, change or go
   */
  async follow(onChange: (change: FolderChange) => void): Promise<Following> {
    return await this.#followed.follow(onChange);
  }

  /** Looks into all files, so that later requests need not wait for that. */
  async warm(signal: AbortSignal): Promise<void> {
    await this.#installedDecoders();
    for await (const _ of this.describeAll(await this.candidates(), signal));
  }

  /** Ends all lookups in progress, with their processes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    // A disk that hangs is not waited for.
    await settlesWithin(Promise.allSettled([...this.#lookups, this.#decoders]), LAST_LOOKUPS);
  }

  async #toMedia(candidate: Candidate): Promise<MediaFile> {
    const { name, path, size, state: { stamp } } = candidate;
    if (size === 0) throw new FileError(name, "it is empty");
    let probed = this.#probed.get(path);
    if (probed?.stamp !== stamp) {
      if (this.#probed.size >= MAX_PROBED) this.#probed.clear();
      const info = this.#describe(candidate);
      probed = { stamp, info };
      this.#probed.set(path, probed);
      this.#lookups.add(info);
      const end = () => this.#lookups.delete(info);
      info.then(end, end);
    }
    try {
      probed.found = await probed.info;
      return this.#toFile(candidate, probed.found);
    } catch (error) {
      // Bad data stays bad until the file changes. Other failures may pass: a timeout on a busy
      // machine, an FFmpeg that was killed or is missing, a permission not yet given.
      const isLasting = error instanceof RequestError && !(error instanceof PassingError);
      if (!isLasting && this.#probed.get(path) === probed) this.#probed.delete(path);
      throw error;
    }
  }

  #toFile({ name, path, size, state }: Candidate, info: MediaInfo): MediaFile {
    const readers = { packets: this.#packets, texts: this.#texts, tags: this.#tags };
    return { name, path, size, state, ...this.#limits, ...readers, info };
  }

  /** Describes a file by its index or its headers, or by ffprobe if they are not enough. */
  async #describe({ name, path, state }: Candidate): Promise<MediaInfo> {
    const options = { ...this.#limits, timeout: this.#probeTimeout, signal: this.#stop.signal };
    const askFfprobe = () => probe(path, name, options);
    const info = await this.#describeByIndex(path, state);
    if (info !== undefined) return info;
    const header = await this.#readHeader(path, state);
    return header === undefined
      ? await askFfprobe()
      : await this.#likeFiles.describe(header, askFfprobe);
  }

  async #readHeader(path: string, state: FileState): Promise<FileHeader | undefined> {
    // The content of such names is not all that counts.
    if (formatByName(path) !== undefined || isPattern(path)) return undefined;
    const { folder, maxPixels = Infinity } = this.#limits;
    const bytes = new SharedFile({ path, folder, state });
    try {
      await using _use = await bytes.use();
      const header = await readHeader(bytes);
      const { width = 0, height = 0 } = header ?? {};
      // Which sizes are refused near the limit depends on the alignment of frames.
      return (width + MARGIN) * (height + MARGIN) > maxPixels ? undefined : header;
    } catch (error) {
      const isLeft = error instanceof UnreachableFileError || error instanceof TruncatedError ||
        isSystemError(error);
      if (isLeft) return undefined;
      throw error;
    }
  }

  async #describeByIndex(path: string, state: FileState): Promise<MediaInfo | undefined> {
    const { folder, maxPixels } = this.#limits;
    await using packets = await this.#packets.use({ path, folder, state });
    const decoders = () => this.#installedDecoders();
    return packets && await quickProbe(packets.file, { decoders, maxPixels });
  }

  /** FFmpeg's decoders, which are read when they are first needed; `undefined` if that fails. */
  async #installedDecoders(): Promise<ReadonlyMap<string, string> | undefined> {
    this.#decoders ??= readDecoders();
    try {
      return await this.#decoders;
    } catch (error) {
      if (!(error instanceof MissingProgramError || error instanceof ProcessError)) throw error;
      // ffprobe tells the reason, and the next file tries again.
      this.#decoders = undefined;
      return undefined;
    }
  }

  async #notFound(
    name: string,
    inFolders: readonly string[],
    names: readonly string[],
  ): Promise<RequestError> {
    const known = [...this.#otherNames, ...names];
    const near = inFolders.length > 0 ? undefined : nearestName(name, known);
    // The names include files that cannot be requested.
    const isThere = near !== undefined && (this.#otherNames.includes(near) || await this.has(near));
    const hint = suggestion(isThere ? [near] : inFolders);
    return new RequestError("not_found", `Cannot find "${name}": no such media, ${hint}`);
  }

  /** The first files of some names, as many as can be suggested and one more. */
  async #thoseThere(names: readonly string[]): Promise<Candidate[]> {
    const found: Candidate[] = [];
    for (const name of names) {
      const candidate = await this.#tree.locate(name);
      if (candidate !== undefined && found.push(candidate) > MAX_SUGGESTED) break;
    }
    return found;
  }
}
