/** What is true of everything that reads what strangers send. Pure. */
import { FormatError, RequestError, TruncatedError } from "../../lib/base/errors.ts";
import type { Outcome } from "./target.ts";

/** Characters of a refusal, which goes to the peer, and into a log. */
const MAX_MESSAGE = 600;

/**
 * Calls what reads an input, and makes sure that it gives a value, or refuses it as it should.
 *
 * @returns the value, `undefined` where it refused
 * @throws {Error} where it fails in any other way
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
 * Makes sure that an error is one with which input is refused, and that it says why.
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

/** @throws {Error} where two values, written as text, differ */
export function checkSame(what: string, found: string, expected: string): void {
  if (found === expected) return;
  throw new Error(`${what} differ: ${found.slice(0, 2000)}, expected ${expected.slice(0, 2000)}`);
}

/** @throws {Error} where more was taken than may be */
export function checkAtMost(what: string, found: number, most: number): void {
  if (found > most) throw new Error(`${what}: ${found}, expected ${most} at most`);
}

/** What became of an input of which a value was read, or none. */
export function outcomeOf(value: unknown): Outcome {
  return value === undefined ? "refused" : "taken";
}

/** A checksum of bytes, to compare them by (FNV-1a, 32 bits, with their number). */
export function digest(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return `${bytes.byteLength}:${(hash >>> 0).toString(16)}`;
}
