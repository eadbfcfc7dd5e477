/** Indexes of files whose packets are read without FFmpeg, shared by all viewers. */
import { deadline } from "../../../base/async.ts";
import { FormatError, TruncatedError } from "../../../base/errors.ts";
import { type MatroskaOptions, openMatroska } from "../../../containers/matroska/open.ts";
import { openMp4 } from "../../../containers/mp4/open.ts";
import type { OpenPacketFile, PacketFile } from "../../../containers/packet_file.ts";
import type { FileState } from "../file_state.ts";
import { BatchMemory } from "./batch_memory.ts";
import { isSystemError, SharedFile, UnreachableFileError } from "./shared_file.ts";

/** Bytes that the indexes of files without viewers may take together. */
const MAX_MEMORY = 64 * 2 ** 20;

/** Bytes of an index in memory for each byte of it in the file. */
const MEMORY_FACTOR = 4;

/** Bytes that each known file takes at least. */
const MIN_MEMORY = 4096;

/** Milliseconds; a file on a network mount may be slow. */
const OPEN_TIMEOUT = 10_000;

/** Functions that open files, by FFmpeg's first name of the format. */
export type PacketFileOpeners = Readonly<Record<string, OpenPacketFile>>;

/** The formats whose indexes are understood. */
function openersFor(options: MatroskaOptions): PacketFileOpeners {
  return { mov: openMp4, matroska: (bytes) => openMatroska(bytes, options) };
}

/** Options of {@linkcode PacketFiles}. */
export interface PacketFilesOptions extends MatroskaOptions {
  /** @default those of MP4 and Matroska */
  openers?: PacketFileOpeners;
  /** Bytes that the indexes of files without viewers may take together. @default 64 MiB */
  maxMemory?: number;
  /** Milliseconds after which a file that cannot be read is left to FFmpeg. @default 10_000 */
  openTimeout?: number;
}

/** The file of a library that is opened. */
export interface IndexableFile {
  /** Real path. */
  path: string;
  /** Real path of the folder that it has to be in. */
  folder?: string;
  state?: FileState;
  /** @default recognised by the first bytes of the file */
  info?: { format: string };
}

/** A use of a file, which is open until this is disposed. */
export interface OpenPackets extends AsyncDisposable {
  file: PacketFile;
  /** Memory for its packets. */
  memory: BatchMemory;
  /** Says that the packets are not those that FFmpeg copies: it has to read the file from now on. */
  refuse(): void;
}

/** A file in one state, as far as it is known. */
interface Entry {
  bytes: SharedFile;
  /** `undefined` if FFmpeg has to read the file; absent until somebody asks. */
  index?: Promise<PacketFile | undefined>;
  /** FFmpeg has to read the file. */
  isUnindexed: boolean;
  /** Bytes. */
  memory: number;
}

/**
 * The packet files of a library: one index for each state of a file, however many viewers it has. The
 * file is closed with the last viewer; the index is kept for the next ones.
 */
export class PacketFiles {
  #openers: PacketFileOpeners;
  #maxMemory: number;
  #openTimeout: number;
  #memory = new BatchMemory();
  /** By path and state; those used last at the end. */
  #entries = new Map<string, Entry>();

  constructor(options: PacketFilesOptions = {}) {
    const { openers = openersFor(options), maxMemory = MAX_MEMORY } = options;
    this.#openers = openers;
    this.#maxMemory = maxMemory;
    this.#openTimeout = options.openTimeout ?? OPEN_TIMEOUT;
  }

  /** Bytes that all indexes take, about. */
  get memory(): number {
    return this.#entries.values().reduce((sum, { memory }) => sum + memory, 0);
  }

  /** Files that are open. */
  get open(): number {
    return this.#entries.values().filter(({ bytes }) => bytes.users > 0).toArray().length;
  }

  /**
   * Opens a file by its index.
   *
   * @returns `undefined` if FFmpeg has to read it, or to report why it cannot be read
   */
  async use(file: IndexableFile): Promise<OpenPackets | undefined> {
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const opening = this.#use(file);
    let isLate = false;
    using _limit = deadline(this.#openTimeout, () => {
      isLate = true;
      resolve(undefined);
    });
    // A disk that hangs is not waited for; what it gives later is closed.
    opening.then((use) => isLate ? use?.[Symbol.asyncDispose]() : undefined).catch(() => {});
    return await Promise.race([opening, late]);
  }

  async #use({ path, folder, state, info }: IndexableFile): Promise<OpenPackets | undefined> {
    const isOther = info !== undefined && this.#openerOf(info) === undefined;
    if (isOther || state === undefined) return undefined;
    const key = JSON.stringify([path, state.identity, state.stamp]);
    const entry = this.#entries.get(key) ?? {
      ...{ bytes: new SharedFile({ path, folder, state }), isUnindexed: false },
      memory: MIN_MEMORY,
    };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (entry.isUnindexed) return undefined;
    try {
      await using stack = new AsyncDisposableStack();
      stack.use(await entry.bytes.use());
      const file = await (entry.index ??= this.#read(entry, info));
      this.#evict();
      if (file === undefined) return undefined;
      const use = stack.move();
      return {
        file,
        memory: this.#memory,
        refuse: () => void (entry.isUnindexed = true),
        [Symbol.asyncDispose]: () => use.disposeAsync(),
      };
    } catch (error) {
      // The next request tries again.
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      if (error instanceof UnreachableFileError || isSystemError(error)) return undefined;
      throw error;
    }
  }

  #openerOf({ format }: { format: string }): OpenPacketFile | undefined {
    return this.#openers[format.split(",")[0]];
  }

  /** Reads the index of an open file. */
  async #read(
    entry: Entry,
    info: { format: string } | undefined,
  ): Promise<PacketFile | undefined> {
    const opener = this.#openerOf(info ?? { format: await recognise(entry.bytes) });
    const index = opener && await openIndex(entry.bytes, opener);
    entry.isUnindexed = index === undefined;
    if (index !== undefined) {
      entry.memory += Math.max(MEMORY_FACTOR * entry.bytes.bytesRead, index.memory ?? 0);
    }
    return index;
  }

  /** Forgets files without viewers, those used longest ago first. */
  #evict(): void {
    let { memory } = this;
    for (const [key, entry] of this.#entries) {
      if (memory <= this.#maxMemory) return;
      if (entry.bytes.users > 0) continue;
      this.#entries.delete(key);
      memory -= entry.memory;
    }
  }
}

/** First bytes of a Matroska file: the identifier of its header. */
const EBML = "\x1a\x45\xdf\xa3";

/** Name of the first box of MP4 files, behind its size. */
const FILE_TYPE = "ftyp";

/** Recognises a format by the first bytes; empty for others. */
async function recognise(bytes: SharedFile): Promise<string> {
  if (bytes.size < 2 * FILE_TYPE.length) return "";
  const start = String.fromCharCode(...await bytes.read(0, 2 * FILE_TYPE.length));
  return start.startsWith(EBML) ? "matroska" : start.endsWith(FILE_TYPE) ? "mov" : "";
}

/** @returns `undefined` if FFmpeg has to read the file */
async function openIndex(
  bytes: SharedFile,
  opener: OpenPacketFile,
): Promise<PacketFile | undefined> {
  try {
    const index = await opener(bytes);
    // FFmpeg gives part of the packet in which a file ends, and what it can of those behind.
    return "unindexed" in index || index.isTruncated ? undefined : index;
  } catch (error) {
    if (error instanceof FormatError || error instanceof TruncatedError) return undefined;
    throw error;
  }
}
