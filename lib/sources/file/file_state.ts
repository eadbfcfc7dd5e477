/** Detects that a file was changed, and identifies its bytes. */
import { constants, type FileHandle, open } from "node:fs/promises";

/** The state of a file at one time. */
export interface FileState {
  /** Bytes. */
  size: number;
  /** Milliseconds since 1970. */
  modified: number | undefined;
  /** Device and inode: the same for all names of a file. */
  identity: string;
  /** Differs if the file, or its permissions, have changed. */
  stamp: string;
}

/** Milliseconds in which two changes may have the same time: more than a tick of the clock. */
const CLOCK_TICK = 20;

/** How a file has changed. */
export interface FileChange {
  /** Bytes are missing that were there. */
  isShorter: boolean;
  /** Predicate of a sentence about the file. */
  what: string;
}

/** Returns the state of a file. */
export function stateOf({ size, mtime, ctime, mode, dev, ino }: Deno.FileInfo): FileState {
  const modified = mtime?.getTime();
  // With the mode, since two changes within a tick of the clock have the same time.
  const stamp = [size, modified, ctime?.getTime(), mode].join(" ");
  return { size, modified, identity: identityOf({ dev, ino }), stamp };
}

/** Device and inode of a file as one text. */
export function identityOf({ dev, ino }: Pick<Deno.FileInfo, "dev" | "ino">): string {
  return `${dev} ${ino}`;
}

/**
 * Compares a file with an earlier state of it.
 *
 * @returns `undefined` if it is unchanged, or gone: its readers still have it open
 */
export async function changeOf(path: string, before: FileState): Promise<FileChange | undefined> {
  let now: FileState;
  try {
    now = stateOf(await Deno.stat(path));
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
  // Readers of the file do not see one that took its place.
  if (now.identity !== before.identity) return { isShorter: false, what: "was replaced" };
  if (now.size < before.size) return { isShorter: true, what: "was cut short" };
  if (now.size > before.size) return { isShorter: false, what: "has grown" };
  if (now.modified === before.modified) return undefined;
  return { isShorter: false, what: "was written to" };
}

/**
 * Whether a file is unchanged, and its last change so long ago that a further one would show. False
 * if it is gone.
 */
export async function isSettled(path: string, before: FileState): Promise<boolean> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(path);
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
  const { identity, stamp } = stateOf(info);
  const changed = info.ctime ?? info.mtime;
  return identity === before.identity && stamp === before.stamp && changed !== null &&
    Date.now() - changed.getTime() > CLOCK_TICK;
}

/** Bytes at the beginning and at the end of a file that are hashed. */
const SAMPLE_SIZE = 64 * 1024;

/** Bytes of the hash in an etag: enough to rule out collisions by chance. */
const HASH_LENGTH = 16;

/** Without blocking: a pipe that took the file's place would wait for a writer. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** Errors of a file that is gone, not readable, or no file any more. FFmpeg reports them, too. */
const OUT_OF_REACH = new Set<unknown>(["ENOENT", "EACCES", "EPERM", "ENOTDIR", "ELOOP", "ENXIO"]);

/**
 * Returns the etag of a file: a hash of its size, its beginning and its end. Copies have the same
 * etag, wherever they are and whenever they were made.
 *
 * @param path of a regular file
 * @param identity that the file must have, see {@linkcode identityOf}: a link may have taken its
 * place
 * @returns letters, digits, `_` and `-`; `undefined` if the file cannot be read or is another
 */
export async function mediaEtag(path: string, identity?: string): Promise<string | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, OPEN_FLAGS);
    const info = await file.stat();
    if (!info.isFile()) return undefined;
    const { size, dev, ino } = info;
    if (identity !== undefined && identityOf({ dev, ino }) !== identity) return undefined;
    const beginning = await readAt(file, 0);
    const end = await readAt(file, Math.max(0, size - SAMPLE_SIZE));
    const prefix = new TextEncoder().encode(`${size} `);
    const whole = await new Blob([prefix, beginning, end]).arrayBuffer();
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
    return hash.subarray(0, HASH_LENGTH).toBase64({ alphabet: "base64url", omitPadding: true });
  } catch (error) {
    if (error instanceof Error && "code" in error && OUT_OF_REACH.has(error.code)) return undefined;
    throw error;
  } finally {
    await file?.close();
  }
}

/** Reads a sample from an offset on; a shorter one if the file ends before. */
async function readAt(file: FileHandle, offset: number): Promise<Uint8Array<ArrayBuffer>> {
  const sample = new Uint8Array(SAMPLE_SIZE);
  let length = 0;
  while (length < SAMPLE_SIZE) {
    const { bytesRead } = await file.read(sample, length, SAMPLE_SIZE - length, offset + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return sample.subarray(0, length);
}
