/** Notices that a file was changed while it was being read. */

/** What tells one state of a file from another. */
export interface FileState {
  /** Bytes. */
  size: number;
  /** Milliseconds since 1970. */
  modified: number | undefined;
  /** Which file of the system's it is, whatever its name. */
  identity: string;
}

/** How a file is other than it was. */
export interface FileChange {
  /** Bytes are missing that were there. */
  isShorter: boolean;
  /** What happened, as the rest of a sentence about the file. */
  what: string;
}

/** The state of a file, from what the system tells of it. */
export function stateOf({ size, mtime, dev, ino }: Deno.FileInfo): FileState {
  return { size, modified: mtime?.getTime(), identity: identityOf({ dev, ino }) };
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
