/** A file of the library that several viewers read by few descriptors. */
import { constants, type FileHandle, open } from "node:fs/promises";
import { settlesWithin } from "../../../base/async.ts";
import { messageOf, TruncatedError } from "../../../base/errors.ts";
import type { FileBytes } from "../../../containers/packet_file.ts";
import { ReadQueue } from "./read_queue.ts";
import { type FileState, identityOf, stateOf } from "../file_state.ts";

/** Without blocking: a pipe that took the file's place would wait for a writer. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** The file to open, and the folder that it has to be in. */
export interface FileLocation {
  /** Real path of the file. */
  path: string;
  /** Real path of the folder that it has to be in. @default anywhere */
  folder?: string;
  /** The state that it has to be in. */
  state: FileState;
}

/** The file is not the one that was found in the library, or cannot be read. */
export class UnreachableFileError extends Error {
  override name = "UnreachableFileError";
}

/**
 * The bytes of a file, read by few descriptors, which are open while somebody uses it.
 *
 * The file is checked once it is open, as the sandbox of FFmpeg does: it has to be the regular file
 * that was found, and a path inside the folder has to lead to it. A link that is swapped in at any
 * time leads nowhere.
 */
export class SharedFile implements FileBytes {
  readonly size: number;
  /** Bytes that were read so far. */
  bytesRead = 0;
  #location: FileLocation;
  #users = 0;
  #opening: Promise<Descriptors> | undefined;

  constructor(location: FileLocation) {
    this.#location = location;
    this.size = location.state.size;
  }

  /** Users of the descriptors. */
  get users(): number {
    return this.#users;
  }

  /**
   * Opens the file unless it is open, until the result is disposed.
   *
   * @throws {UnreachableFileError} if it has changed, left the folder, or cannot be read
   */
  async use(): Promise<AsyncDisposable> {
    this.#users++;
    const opening = this.#opening ??= Descriptors.open(this.#location);
    try {
      await opening;
    } catch (error) {
      this.#users--;
      if (this.#opening === opening) this.#opening = undefined;
      throw error;
    }
    let isUsed = true;
    return {
      [Symbol.asyncDispose]: async () => {
        if (!isUsed) return;
        isUsed = false;
        await this.#leave();
      },
    };
  }

  async read(
    offset: number,
    length: number,
    memory = new Uint8Array(length),
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#opening === undefined) throw new Error("Cannot read a file: it is not open");
    const left = Math.max(0, this.size - offset);
    if (length > left) throw new TruncatedError(length, left);
    const descriptors = await this.#opening;
    const bytes = memory.subarray(0, length);
    let at = 0;
    while (at < length) {
      const bytesRead = await descriptors.read(bytes.subarray(at), offset + at);
      if (bytesRead === 0) throw new TruncatedError(length, at);
      at += bytesRead;
    }
    this.bytesRead += length;
    return bytes;
  }

  async #leave(): Promise<void> {
    if (--this.#users > 0) return;
    const opening = this.#opening;
    this.#opening = undefined;
    await (await opening)?.[Symbol.asyncDispose]();
  }
}

/** Reads of all files. */
const READS = new ReadQueue();

/** Descriptors of one file, at most. */
const MAX_DESCRIPTORS = 4;

/**
 * Limit of further descriptors, for all files together; the first of each file is not counted. Systems
 * often allow 1024.
 */
const MAX_FURTHER = 64;

/** Further descriptors that are open. */
let further = 0;

/** Milliseconds that closing waits for a descriptor that is being opened. */
const LAST_OPEN = 1000;

/**
 * The descriptors of a file. Deno reads one part by each of them in a turn of its event loop, so that
 * hundreds of viewers would wait for each other: another one is opened when all are in use.
 */
class Descriptors implements AsyncDisposable {
  readonly #speed = { isSlow: false };
  #location: FileLocation;
  #all: { handle: FileHandle; reads: number }[];
  #opening: Promise<void> | undefined;
  /**
   * No more are opened: nobody reads, or one could not be opened, as when the path leads to another
   * file by now, or the file grows.
   */
  #isComplete = false;

  private constructor(location: FileLocation, first: FileHandle) {
    this.#location = location;
    this.#all = [{ handle: first, reads: 0 }];
  }

  /** @throws {UnreachableFileError} if the file has changed, left the folder, or cannot be read */
  static async open(location: FileLocation): Promise<Descriptors> {
    return new Descriptors(location, await openChecked(location));
  }

  /**
   * Reads a part of the file, without a position that others share.
   *
   * @returns number of bytes; 0 at the end
   */
  read(target: Uint8Array, position: number): Promise<number> {
    return READS.run(() => this.#read(target, position), this.#speed);
  }

  async #read(target: Uint8Array, position: number): Promise<number> {
    const least = this.#all.reduce((least, next) => next.reads < least.reads ? next : least);
    if (least.reads > 0) this.#openNext();
    least.reads++;
    try {
      return (await least.handle.read(target, 0, target.byteLength, position)).bytesRead;
    } finally {
      least.reads--;
    }
  }

  #openNext(): void {
    const isFull = this.#all.length >= MAX_DESCRIPTORS || further >= MAX_FURTHER;
    if (isFull || this.#isComplete || this.#opening !== undefined) return;
    further++;
    this.#opening = this.#open().finally(() => this.#opening = undefined);
  }

  async #open(): Promise<void> {
    const handle = await openChecked(this.#location).catch(() => undefined);
    if (handle !== undefined && !this.#isComplete) {
      this.#all.push({ handle, reads: 0 });
      return;
    }
    this.#isComplete = true;
    further--;
    await handle?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isComplete = true;
    further -= this.#all.length - 1;
    await Promise.all(this.#all.map(({ handle }) => handle.close()));
    // A disk that hangs is not waited for.
    if (this.#opening !== undefined) await settlesWithin(this.#opening, LAST_OPEN);
  }
}

/** Opens a file and checks that it is the one that was found, and still inside the folder. */
async function openChecked({ path, folder, state }: FileLocation): Promise<FileHandle> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, OPEN_FLAGS);
    const info = await handle.stat();
    if (!info.isFile()) throw refusal(path, "it is no file");
    if (identityOf(info) !== state.identity) throw refusal(path, "it was replaced");
    const real = await Deno.realPath(path);
    if (folder !== undefined && !isInside(real, folder)) throw refusal(path, "it left the folder");
    // The path may lead elsewhere by now, but then to another file than the open one.
    const { identity, stamp } = stateOf(await Deno.stat(real));
    if (identity !== state.identity) throw refusal(path, "it left the folder");
    if (stamp !== state.stamp) throw refusal(path, "it has changed");
    return handle;
  } catch (cause) {
    await handle?.close();
    if (!isSystemError(cause)) throw cause;
    throw new UnreachableFileError(`Cannot read "${path}": ${messageOf(cause)}`, { cause });
  }
}

function refusal(path: string, reason: string): UnreachableFileError {
  return new UnreachableFileError(`Cannot read "${path}": ${reason}`);
}

function isInside(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}

/** Whether the operating system reported an error, such as that of a disk. */
export function isSystemError(error: unknown): error is Error {
  return error instanceof Error && ("code" in error || isDenoError(error));
}

function isDenoError(error: Error): boolean {
  return Object.values(Deno.errors).some((type) => error instanceof type);
}
