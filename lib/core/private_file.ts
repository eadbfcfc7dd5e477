/** Bit of a file's mode: whoever has a name on the machine may read it. */
const READABLE_BY_OTHERS = 0o004;

/** The text of a file that its owner should have alone. */
export interface PrivateText {
  text: string;
  /** A sentence for the owner, where everybody can read it. */
  warning?: string;
}

/**
 * Reads a file that holds a secret.
 *
 * @throws {Error} the system's, where it cannot be read
 */
export async function readPrivateText(path: string): Promise<PrivateText> {
  const { mode } = await Deno.stat(path);
  const text = await Deno.readTextFile(path);
  const isOpen = mode !== null && (mode & READABLE_BY_OTHERS) !== 0;
  if (!isOpen || Deno.build.os === "windows") return { text };
  return { text, warning: `Everybody on this machine can read "${path}": chmod 600 keeps it` };
}
