/** Detects that a file was changed, and identifies its bytes. */
import type { FileHandle } from "node:fs/promises";

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
  /** There are bytes behind those that were there. */
  isLonger: boolean;
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
  const now = await currentState(path);
  if (now === undefined) return undefined;
  // Readers of the file do not see one that took its place.
  const same = { isShorter: false, isLonger: false };
  if (now.identity !== before.identity) return { ...same, what: "was replaced" };
  if (now.size < before.size) return { ...same, isShorter: true, what: "was cut short" };
  if (now.size > before.size) return { ...same, isLonger: true, what: "has grown" };
  if (now.modified === before.modified) return undefined;
  return { ...same, what: "was written to" };
}

/**
 * Whether a file is unchanged, and its last change so long ago that a further one would show. False
 * if it is gone.
 *
 * @param age milliseconds since the last change, at least
 */
export async function isSettled(
  path: string,
  before: FileState,
  age: number = CLOCK_TICK,
): Promise<boolean> {
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
    Date.now() - changed.getTime() > age;
}

/** Bytes at the beginning and at the end of a file that are hashed. */
const SAMPLE_SIZE = 64 * 1024;

/** Bytes of the hash in an etag: enough to rule out collisions by chance. */
const HASH_LENGTH = 16;

/** Errors of a file that is gone, not readable, or no file any more. FFmpeg reports them, too. */
const OUT_OF_REACH = new Set<unknown>(["ENOENT", "EACCES", "EPERM", "ENOTDIR", "ELOOP", "ENXIO"]);

/** Etags that are remembered, and the states of the files that they are for. */
const KNOWN = new Map<string, { state: FileState; etag: string }>();

/**
 * Milliseconds without a change after which an etag is remembered: Deno gives the time at which an
 * inode changed in whole seconds, and that of the bytes can be set.
 */
export const STEADY_AGE = 1000 + CLOCK_TICK;

/** Files whose etags are remembered. */
const MAX_KNOWN = 1000;

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
  const state = await currentState(path);
  if (state === undefined) return undefined;
  if (identity !== undefined && state.identity !== identity) return undefined;
  const known = KNOWN.get(path);
  // Hundreds of viewers may ask for one file at the same time.
  if (known?.state.identity === state.identity && known.state.stamp === state.stamp) {
    return known.etag;
  }
  const etag = await hashFile(path, { identity: state.identity });
  if (etag !== undefined && await isSettled(path, state, STEADY_AGE)) {
    remember(path, { state, etag });
  }
  return etag;
}

/**
 * Returns the etag that a file would have if it had the size of an earlier state: as long as it
 * only grows, that stays the same.
 *
 * @returns `undefined` if the file cannot be read, is another or shorter
 */
export async function etagAsOf(
  path: string,
  { size, identity, stamp }: FileState,
): Promise<string | undefined> {
  const known = KNOWN.get(path);
  if (known?.state.identity === identity && known.state.stamp === stamp) return known.etag;
  return await hashFile(path, { identity, size });
}

/**
 * Whether all that a file had in an earlier state is still in its place, as far as a hash of the
 * beginning and the end of that tells.
 *
 * @param etag as {@linkcode etagAsOf} gave it of that state
 */
export async function stillBegins(
  path: string,
  { size, identity }: FileState,
  etag: string,
): Promise<boolean> {
  return await hashFile(path, { identity, size }) === etag;
}

async function currentState(path: string): Promise<FileState | undefined> {
  try {
    return stateOf(await Deno.stat(path));
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

function remember(path: string, known: { state: FileState; etag: string }): void {
  const [oldest] = KNOWN.keys();
  if (KNOWN.size >= MAX_KNOWN && oldest !== undefined) KNOWN.delete(oldest);
  KNOWN.set(path, known);
}

/** @param expected identity, and the size up to which the file is read, bytes. @default its own size */
async function hashFile(
  path: string,
  expected: { identity: string; size?: number },
): Promise<string | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await openAtOnce(path);
    const info = await file.stat();
    if (!info.isFile()) return undefined;
    const { size = info.size, identity } = expected;
    if (identityOf(info) !== identity || info.size < size) return undefined;
    const length = Math.min(SAMPLE_SIZE, size);
    const beginning = await readAt(file, { offset: 0, length });
    const end = await readAt(file, { offset: size - length, length });
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

/**
 * Opens a file for reading, without blocking: a pipe that took the file's place would wait for a
 * writer. Node's module is loaded with the first file, so that the server listens before.
 */
async function openAtOnce(path: string): Promise<FileHandle> {
  const { constants, open } = await import("node:fs/promises");
  return await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
}

/** Reads a sample; a shorter one if the file ends before. */
async function readAt(
  file: FileHandle,
  { offset, length }: { offset: number; length: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const sample = new Uint8Array(length);
  let read = 0;
  while (read < length) {
    const { bytesRead } = await file.read(sample, read, length - read, offset + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return sample.subarray(0, read);
}
