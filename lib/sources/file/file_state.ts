import { constants, type FileHandle, open } from "node:fs/promises";

/** Notices that a file was changed while it was being read. */

/** What tells one state of a file from another. */
export interface FileState {
  /** Bytes. */
  size: number;
  /** Milliseconds since 1970. */
  modified: number | undefined;
  /** Which file of the system's it is, whatever its name. */
  identity: string;
  /** Differs once the file, or who may read it, has changed. */
  stamp: string;
}

/** Milliseconds within which two changes of a file may have one time: more than a clock's tick. */
const ONE_TIME = 20;

/** How a file is other than it was. */
export interface FileChange {
  /** Bytes are missing that were there. */
  isShorter: boolean;
  /** What happened, as the rest of a sentence about the file. */
  what: string;
}

/** The state of a file, from what the system tells of it. */
export function stateOf({ size, mtime, ctime, mode, dev, ino }: Deno.FileInfo): FileState {
  const modified = mtime?.getTime();
  // The mode beside the time of its change: two changes within a tick of the clock have one time.
  const stamp = [size, modified, ctime?.getTime(), mode].join(" ");
  return { size, modified, identity: identityOf({ dev, ino }), stamp };
}

/** Which file of the system's it is, whatever its name. */
export function identityOf({ dev, ino }: Pick<Deno.FileInfo, "dev" | "ino">): string {
  return `${dev} ${ino}`;
}

/**
 * Tells how a file has changed.
 *
 * @returns `undefined` where it has not; also where it is gone: what reads it has it open still
 */
export async function changeOf(path: string, before: FileState): Promise<FileChange | undefined> {
  let now: FileState;
  try {
    now = stateOf(await Deno.stat(path));
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
  // Of one that took its place, whoever has the old one open sees nothing.
  if (now.identity !== before.identity) return { isShorter: false, what: "was replaced" };
  if (now.size < before.size) return { isShorter: true, what: "was cut short" };
  if (now.size > before.size) return { isShorter: false, what: "has grown" };
  if (now.modified === before.modified) return undefined;
  return { isShorter: false, what: "was written to" };
}

/**
 * Whether a file is what it was, and has been for so long that its state would be another if it had
 * been written to since. False where it is gone.
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
    Date.now() - changed.getTime() > ONE_TIME;
}

/** Bytes at the beginning and at the end of a file that stand for all of it. */
const SAMPLE = 64 * 1024;

/** Bytes of the hash that are told: enough for files never to be mixed up by chance. */
const HASH_LENGTH = 16;

/** A pipe that has taken the file's place is opened, too, but nothing waits for who writes to it. */
const OPENING = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** Gone, or shut away, or no file any more: FFmpeg is about to say so, too. */
const OUT_OF_REACH = new Set<unknown>(["ENOENT", "EACCES", "EPERM", "ENOTDIR", "ELOOP", "ENXIO"]);

/**
 * Gives what stands for the bytes of a file: a hash of its size, its beginning and its end. Copies
 * have the same one, wherever they lie and whenever they were made.
 *
 * @param path of a regular file
 * @param identity which file it has to be, as {@linkcode identityOf} tells it: a link that has taken
 * its place meanwhile leads nowhere
 * @returns letters, digits, `_` and `-`; `undefined` where the file cannot be read, or is another
 */
export async function mediaEtag(path: string, identity?: string): Promise<string | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, OPENING);
    const info = await file.stat();
    if (!info.isFile()) return undefined;
    const { size, dev, ino } = info;
    if (identity !== undefined && identityOf({ dev, ino }) !== identity) return undefined;
    const head = await readAt(file, 0);
    const tail = await readAt(file, Math.max(0, size - SAMPLE));
    const about = new TextEncoder().encode(`${size} `);
    const whole = await new Blob([about, head, tail]).arrayBuffer();
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
    return hash.subarray(0, HASH_LENGTH).toBase64({ alphabet: "base64url", omitPadding: true });
  } catch (error) {
    if (error instanceof Error && "code" in error && OUT_OF_REACH.has(error.code)) return undefined;
    throw error;
  } finally {
    await file?.close();
  }
}

/** Reads a sample from a place on; less of it where the file ends before. */
async function readAt(file: FileHandle, offset: number): Promise<Uint8Array<ArrayBuffer>> {
  const sample = new Uint8Array(SAMPLE);
  let length = 0;
  while (length < SAMPLE) {
    const { bytesRead } = await file.read(sample, length, SAMPLE - length, offset + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return sample.subarray(0, length);
}
