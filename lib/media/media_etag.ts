import { constants, type FileHandle, open } from "node:fs/promises";
import { identityOf } from "./file_change.ts";

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
