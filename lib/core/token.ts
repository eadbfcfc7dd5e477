import { messageOf } from "./errors.ts";
import { Secret } from "./secret.ts";

/** Variable of the environment that holds the token where no file is named. */
export const TOKEN_VARIABLE = "STREAM_TOKEN";

/** Characters that a token may have. */
export const MAX_TOKEN_LENGTH = 4096;

/** Bit of a file's mode: whoever has a name on the machine may read it. */
const READABLE_BY_OTHERS = 0o004;

/** A token out of a file, and what is wrong with the file. */
export interface FoundToken {
  token: Secret;
  /** A sentence for the one who keeps the file. */
  warning?: string;
}

/**
 * Reads the token that a file has in its first line.
 *
 * @throws {Error} where there is none
 */
export async function readToken(path: string): Promise<FoundToken> {
  let text: string;
  let mode: number | null;
  try {
    ({ mode } = await Deno.stat(path));
    text = await Deno.readTextFile(path);
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound ? "no such file" : messageOf(cause);
    throw new Error(
      `Cannot read the token in "${path}": ${reason}, expected a file whose first line is the token`,
      { cause },
    );
  }
  const token = toToken(text.split(/\r?\n/, 1)[0], `the token in "${path}"`, "its first line");
  const isOpen = mode !== null && (mode & READABLE_BY_OTHERS) !== 0;
  if (!isOpen || Deno.build.os === "windows") return { token };
  return { token, warning: `Everybody on this machine can read "${path}": chmod 600 keeps it` };
}

/**
 * Takes the token out of the environment, so that the programs that are started do not inherit it.
 *
 * @throws {Error} where the variable is there and empty
 */
export function takeToken(): Secret | undefined {
  const text = Deno.env.get(TOKEN_VARIABLE);
  if (text === undefined) return undefined;
  Deno.env.delete(TOKEN_VARIABLE);
  return toToken(text, TOKEN_VARIABLE, "it");
}

/** The message names what is wrong, and never the text itself. */
function toToken(text: string, what: string, subject: string): Secret {
  const token = text.trim();
  if (token === "") throw new Error(`Cannot use ${what}: ${subject} is empty, expected the token`);
  if (token.length <= MAX_TOKEN_LENGTH) return new Secret(token);
  throw new Error(
    `Cannot use ${what}: ${subject} has ${token.length} characters, expected at most ` +
      `${MAX_TOKEN_LENGTH}`,
  );
}
