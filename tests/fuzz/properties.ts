/** Checks that hold for all parsers of untrusted input. */
import { FormatError, RequestError, TruncatedError } from "../../lib/base/errors.ts";
import type { Outcome } from "./target.ts";

/** Characters of a refusal. */
const MAX_MESSAGE = 600;

/**
 * Calls a parser, and checks that it gives a value or a proper refusal.
 *
 * @returns the value; `undefined` for a refusal
 * @throws {Error} if it fails in another way
 */
export function readOrRefuse<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    checkRefusal(error);
    return undefined;
  }
}

/**
 * Checks that an error is a refusal of input with a reason.
 *
 * @throws {Error} otherwise
 */
export function checkRefusal(error: unknown): void {
  const isRefusal = error instanceof FormatError || error instanceof RequestError ||
    error instanceof TruncatedError;
  if (!isRefusal) throw error;
  const { message } = error;
  if (!/^(Cannot|Input) /.test(message) || message.length > MAX_MESSAGE) {
    throw new Error(`Refused with a message of ${message.length} characters: ${message}`);
  }
}

/** @throws {Error} if two texts differ */
export function checkSame(what: string, found: string, expected: string): void {
  if (found === expected) return;
  throw new Error(`${what} differ: ${found.slice(0, 2000)}, expected ${expected.slice(0, 2000)}`);
}

/** @throws {Error} if a number is over a limit */
export function checkAtMost(what: string, found: number, most: number): void {
  if (found > most) throw new Error(`${what}: ${found}, expected ${most} at most`);
}

/** The outcome of a parser that gave a value or none. */
export function outcomeOf(value: unknown): Outcome {
  return value === undefined ? "refused" : "taken";
}

/** A checksum of bytes (FNV-1a, 32 bits) with their number. */
export function digest(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return `${bytes.byteLength}:${(hash >>> 0).toString(16)}`;
}
