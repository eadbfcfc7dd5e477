/** Fingerprints of certificates: `sha256:` and 64 hexadecimal digits. */
import { UsageError } from "./errors.ts";

/**
 * The fingerprint in the form that OpenSSL and Node write, `AB:CD:…`, in that of the programs.
 */
export function toFingerprint(digest: string): string {
  return `sha256:${digest.replaceAll(":", "").toLowerCase()}`;
}

/**
 * Reads a fingerprint as people pass it on: with colons between the bytes or without, in either
 * case.
 *
 * @throws {UsageError} for anything else
 */
export function parseFingerprint(text: string): string {
  const [, digits] = text.match(/^sha256:((?:[\da-f]{2}:?){31}[\da-f]{2})$/i) ?? [];
  if (digits !== undefined) return toFingerprint(digits);
  throw new UsageError(
    `Cannot use --tls-fingerprint "${text}": expected sha256: and 64 hexadecimal digits, as the ` +
      "server tells at its start",
  );
}
