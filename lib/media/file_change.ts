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
