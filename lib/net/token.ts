/** Reads tokens and other secrets from files and the environment. */
import { messageOf } from "../base/errors.ts";
import { MAX_TOKEN_LENGTH, Secret } from "./secret.ts";

/** Environment variable with the token. */
export const TOKEN_VARIABLE = "STREAM_TOKEN";

/** Control characters, and the replacement for bytes that are not UTF-8. */
const NO_TEXT = /[\p{Cc}\uFFFD]/u;

/** A token from a file. */
export interface FoundToken {
  token: Secret;
  /** A sentence if the file is readable by everybody. */
  warning?: string;
}

/**
 * Reads a token from the first line of a file.
 *
 * @throws {Error} if there is none
 */
export async function readToken(path: string): Promise<FoundToken> {
  const expected = "a file whose first line is the token";
  const file = await readPrivateText(path, { what: "token", expected });
  const [line] = file.text.split(/\r?\n/, 1);
  const token = toToken(line, `the token in "${path}"`, "its first line");
  return { token, warning: file.warning };
}

/**
 * Removes the token from the environment, so that child processes do not inherit it.
 *
 * @param file path of the token file, if one is given; it takes precedence over the variable
 * @throws {Error} if the variable is set and is not a token
 */
export function takeToken(file?: string): Secret | undefined {
  const text = Deno.env.get(TOKEN_VARIABLE);
  if (text === undefined) return undefined;
  Deno.env.delete(TOKEN_VARIABLE);
  return file === undefined ? toToken(text, TOKEN_VARIABLE, "it") : undefined;
}

/**
 * Checks a token.
 *
 * @param what names it, for the error, and `subject` is what holds it
 * @throws {Error} that does not quote the text
 */
export function toToken(text: string, what: string, subject: string): Secret {
  const token = text.trim();
  if (token === "") throw new Error(`Cannot use ${what}: ${subject} is empty, expected the token`);
  // All bytes that are not UTF-8 are read as the same character, which makes a token easy to guess.
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

/** Mode bit of files that every user of the machine may read. */
const READABLE_BY_OTHERS = 0o004;

/** Text of a file that only its owner should read. */
export interface PrivateText {
  text: string;
  /** A sentence if the file is readable by everybody. */
  warning?: string;
}

/**
 * Reads a file that holds a secret.
 *
 * @param options for the error: what the file holds, and what is expected
 * @throws {Error} if it cannot be read
 */
export async function readPrivateText(
  path: string,
  { what, expected }: { what: string; expected: string },
): Promise<PrivateText> {
  try {
    const { mode } = await Deno.stat(path);
    const text = await Deno.readTextFile(path);
    const isOpen = mode !== null && (mode & READABLE_BY_OTHERS) !== 0;
    if (!isOpen || Deno.build.os === "windows") return { text };
    return { text, warning: `Everybody on this machine can read "${path}": chmod 600 keeps it` };
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound ? "no such file" : messageOf(cause);
    throw new Error(`Cannot read the ${what} in "${path}": ${reason}, expected ${expected}`, {
      cause,
    });
  }
}
