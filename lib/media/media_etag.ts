import { stateOf } from "./file_change.ts";

/** Bytes at the beginning and at the end of a file that stand for all of it. */
const SAMPLE = 64 * 1024;

/** Bytes of the hash that are told: enough for files never to be mixed up by chance. */
const HASH_LENGTH = 16;

/**
 * Gives what stands for the bytes of a file: a hash of its size, its beginning and its end. Copies
 * have the same one, wherever they lie and whenever they were made.
 *
 * @param path of a regular file
 * @param identity which file it has to be, as {@linkcode stateOf} tells it: a link that has taken
 * its place meanwhile leads nowhere
 * @returns letters, digits, `_` and `-`; `undefined` where the file cannot be read, or is another
 */
export async function mediaEtag(path: string, identity?: string): Promise<string | undefined> {
  try {
    using file = await Deno.open(path);
    const info = await file.stat();
    if (identity !== undefined && stateOf(info).identity !== identity) return undefined;
    const { size } = info;
    const head = await readAt(file, 0);
    const tail = await readAt(file, Math.max(0, size - SAMPLE));
    const about = new TextEncoder().encode(`${size} `);
    const whole = await new Blob([about, head, tail]).arrayBuffer();
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
    return hash.subarray(0, HASH_LENGTH).toBase64({ alphabet: "base64url", omitPadding: true });
  } catch (error) {
    // Gone, or shut away: FFmpeg is about to say so, too.
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof Deno.errors.PermissionDenied) return undefined;
    throw error;
  }
}

/** Reads a sample from a place on; less of it where the file ends before. */
async function readAt(file: Deno.FsFile, offset: number): Promise<Uint8Array<ArrayBuffer>> {
  await file.seek(offset, Deno.SeekMode.Start);
  const sample = new Uint8Array(SAMPLE);
  let length = 0;
  while (length < SAMPLE) {
    const count = await file.read(sample.subarray(length));
    if (count === null) break;
    length += count;
  }
  return sample.subarray(0, length);
}
