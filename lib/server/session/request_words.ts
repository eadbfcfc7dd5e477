/** Words other than `get_video` by which scripts request the default video. */
import type { ByteReader } from "../../base/byte_reader.ts";
import { UsageError } from "../../base/errors.ts";
import { asciiOf } from "../../protocol/script/pickle/values.ts";

/** Bytes of the longest word. */
const MAX_WORD_LENGTH = 64;

/** Ends of line that scripts send behind a word. */
const ENDS = ["", "\n", "\r\n"];

/** Bytes that tell the native protocol, TLS and the script protocol apart. */
const MAGIC_LENGTH = 4;

/** Words that scripts may send anyway. */
const KNOWN: readonly string[] = ["get_image", "get_video"];

/**
 * Parses a value of `--classic-request`.
 *
 * @throws {UsageError} unless it is 1 to 64 printable ASCII characters without spaces at its ends
 */
export function parseRequestWord(text: string): string {
  if (KNOWN.includes(text)) {
    throw new UsageError(
      `Cannot use --classic-request "${text}": scripts may send it anyway, expected another word`,
    );
  }
  if (/^[!-~]([ -~]*[!-~])?$/.test(text) && text.length <= MAX_WORD_LENGTH) return text;
  throw new UsageError(
    `Cannot use --classic-request "${text}": expected 1 to ${MAX_WORD_LENGTH} printable ASCII ` +
      "characters, without spaces at the ends",
  );
}

/** The first bytes of a peer. */
export interface FirstBytes {
  /** At least four, unless they are a word. A view that is valid until the next read. */
  bytes: Uint8Array;
  /** Whether they are one of the words. */
  isWord: boolean;
}

/**
 * Waits until the first bytes of a peer show what it speaks. A word may be shorter than the four
 * bytes that tell the protocols apart: whatever has come is compared with the words, and more is
 * waited for only if it is none of them yet.
 *
 * @returns `undefined` if the peer leaves without a byte
 * @throws {TruncatedError} if it leaves before
 */
export async function peekFirstBytes(
  reader: Pick<ByteReader, "peek">,
  words: readonly string[] = [],
): Promise<FirstBytes | undefined> {
  let count = words.length === 0 ? MAGIC_LENGTH : 1;
  while (true) {
    const bytes = await reader.peek(count);
    if (bytes === undefined) return undefined;
    const match = matchWords(bytes, words);
    if (match === "whole") return { bytes, isWord: true };
    if (match === "none" && bytes.byteLength >= MAGIC_LENGTH) return { bytes, isWord: false };
    count = match === "part" ? bytes.byteLength + 1 : MAGIC_LENGTH;
  }
}

/**
 * Compares the first bytes of a peer with words. A word of fewer than four bytes has to be all of
 * them, with or without an end of line, since they could be part of a native message. Longer words
 * never are, because its lengths end with zeros: anything may follow them.
 */
export function matchWords(
  bytes: Uint8Array,
  words: readonly string[],
): "whole" | "part" | "none" {
  const text = asciiOf(bytes.subarray(0, MAX_WORD_LENGTH + 2));
  if (KNOWN.some((command) => text.startsWith(command))) return "none";
  const isWhole = (word: string) =>
    word.length >= MAGIC_LENGTH ? text.startsWith(word) : ENDS.some((end) => text === word + end);
  if (words.some(isWhole)) return "whole";
  return words.some((word) => `${word}\r\n`.startsWith(text)) ? "part" : "none";
}
