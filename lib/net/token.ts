import { messageOf } from "../base/errors.ts";
import { MAX_TOKEN_LENGTH, Secret } from "./secret.ts";

/** Variable of the environment that holds the token where no file is named. */
export const TOKEN_VARIABLE = "STREAM_TOKEN";

/** What no text has: control characters, and what stands for bytes that are no UTF-8. */
const NO_TEXT = /[\p{Cc}\uFFFD]/u;

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
  let file: PrivateText;
  try {
    file = await readPrivateText(path);
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound ? "no such file" : messageOf(cause);
    throw new Error(
      `Cannot read the token in "${path}": ${reason}, expected a file whose first line is the token`,
      { cause },
    );
  }
  const [line] = file.text.split(/\r?\n/, 1);
  const token = toToken(line, `the token in "${path}"`, "its first line");
  return { token, warning: file.warning };
}

/**
 * Takes the token out of the environment, so that the programs that are started do not inherit it.
 *
 * @param file a file with the token, where one is named: then whatever the variable holds is dropped
 * @throws {Error} where the variable is there, and is no token
 */
export function takeToken(file?: string): Secret | undefined {
  const text = Deno.env.get(TOKEN_VARIABLE);
  if (text === undefined) return undefined;
  Deno.env.delete(TOKEN_VARIABLE);
  return file === undefined ? toToken(text, TOKEN_VARIABLE, "it") : undefined;
}

/** The message names what is wrong, and never the text itself. */
function toToken(text: string, what: string, subject: string): Secret {
  const token = text.trim();
  if (token === "") throw new Error(`Cannot use ${what}: ${subject} is empty, expected the token`);
  // Other bytes would all be read as the same character, and leave little to guess.
  if (NO_TEXT.test(token)) {
    throw new Error(
      `Cannot use ${what}: ${subject} is no text, expected one in UTF-8, as of openssl rand -hex 32`,
    );
  }
  if (token.length <= MAX_TOKEN_LENGTH) return new Secret(token);
  throw new Error(
    `Cannot use ${what}: ${subject} has ${token.length} characters, expected at most ` +
      `${MAX_TOKEN_LENGTH}`,
  );
}

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
