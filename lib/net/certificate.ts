/** Certificates, and their fingerprints: `sha256:` and 64 hexadecimal digits. */
import type { KeyObject, X509Certificate } from "node:crypto";
import type { SecureContext } from "node:tls";
import { messageOf, UsageError } from "../base/errors.ts";
import { readPrivateText } from "./token.ts";

/** Converts a fingerprint of OpenSSL or Node, `AB:CD:…`. */
export function toFingerprint(digest: string): string {
  return `sha256:${digest.replaceAll(":", "").toLowerCase()}`;
}

/** The flag of `stream-client` that names a fingerprint. */
export const FINGERPRINT_FLAG = "--tls-fingerprint";

/**
 * Parses a fingerprint, with or without colons between the bytes, in either case.
 *
 * @param option what names it, for the error
 * @throws {UsageError} for anything else
 */
export function parseFingerprint(text: string, option = FINGERPRINT_FLAG): string {
  const [, digits] = text.match(/^sha256:((?:[\da-f]{2}:?){31}[\da-f]{2})$/i) ?? [];
  if (digits !== undefined) return toFingerprint(digits);
  throw new UsageError(
    `Cannot use ${option} "${text}": expected sha256: and 64 hexadecimal digits, as the server ` +
      "logs at its start",
  );
}

/** Files of a certificate, in PEM. */
export interface CertificateFiles {
  /** The certificate, followed by those of its issuers. */
  cert: string;
  /** Its private key, without a passphrase. */
  key: string;
}

/** A server's certificate and key, ready for TLS. */
export interface Certificate {
  context: SecureContext;
  /** `sha256:` and 64 hexadecimal digits. */
  fingerprint: string;
  /** Sentences about an expired certificate or a key that everybody can read. */
  warnings: string[];
}

/** Keys that Deno's TLS can sign with; handshakes with any other fail. */
const KEY_KINDS: readonly string[] = ["rsa", "prime256v1", "secp384r1", "secp521r1", "ed25519"];

/**
 * Reads a certificate and its key.
 *
 * @param now milliseconds since 1970
 * @throws {Error} if they cannot be used
 */
export async function readCertificate(
  { cert, key }: CertificateFiles,
  now: number = Date.now(),
): Promise<Certificate> {
  const expected = "a file in PEM";
  const { text: certText } = await readPrivateText(cert, { what: "certificate", expected });
  const { text: keyText, warning } = await readPrivateText(key, { what: "key", expected });
  // Loaded for those who need them, since that takes long; see net/socket.ts.
  const { createPrivateKey, X509Certificate } = await import("node:crypto");
  const { createSecureContext } = await import("node:tls");
  const [first] = parse(
    cert,
    "a certificate and its issuers'",
    () => toCertificates(certText, X509Certificate),
  );
  const own = parse(key, "a private key without a passphrase", () => createPrivateKey(keyText));
  if (!first.checkPrivateKey(own)) {
    throw new Error(
      `Cannot use the key in "${key}": it is another certificate's, expected that of "${cert}"`,
    );
  }
  const kind = kindOf(own);
  if (!KEY_KINDS.includes(kind)) {
    throw new Error(
      `Cannot use the key in "${key}": TLS here knows none of kind ${kind}, expected ` +
        KEY_KINDS.join(", "),
    );
  }
  const context = parse(
    cert,
    "a certificate and its issuers'",
    () => createSecureContext({ cert: certText, key: keyText }),
  );
  return {
    context,
    fingerprint: toFingerprint(first.fingerprint256),
    warnings: [ageOf(first, cert, now), warning].filter((line) => line !== undefined),
  };
}

/**
 * Reads the certificates of authorities, in PEM.
 *
 * @throws {Error} if there are none
 */
export async function readAuthorities(path: string): Promise<string> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound ? "no such file" : messageOf(cause);
    throw new Error(`Cannot read the certificate in "${path}": ${reason}, expected a file in PEM`, {
      cause,
    });
  }
  checkAuthorities(text, `"${path}"`);
  return text;
}

/**
 * Checks that a text holds certificates in PEM.
 *
 * @param what names it, for the error
 * @throws {Error} if it has none
 */
export function checkAuthorities(text: string, what: string): void {
  if (text.includes("-----BEGIN CERTIFICATE-----")) return;
  throw new Error(`Cannot use ${what}: there is no certificate in it, expected one in PEM`);
}

/**
 * Parses all certificates of a file. TLS itself sends them unchecked, and the handshake then fails.
 *
 * @throws {Error} if one is broken, or there is none
 */
function toCertificates(
  text: string,
  Certificate: typeof X509Certificate,
): [X509Certificate, ...X509Certificate[]] {
  const [first, ...others] = text.match(/-----BEGIN CERTIFICATE-----.*?(?=-----BEGIN|$)/gs) ?? [];
  return [new Certificate(first ?? text), ...others.map((issuer) => new Certificate(issuer))];
}

/** The type of a key; the curve of an elliptic-curve key. */
function kindOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string {
  return asymmetricKeyDetails?.namedCurve ?? asymmetricKeyType ?? "secret";
}

function parse<T>(path: string, expected: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    // The parser's message may quote the key, so it is only the cause.
    throw new Error(`Cannot use "${path}": it is broken, expected ${expected} in PEM`, { cause });
  }
}

function ageOf({ validFrom, validTo }: X509Certificate, path: string, now: number) {
  if (Date.parse(validTo) < now) return `The certificate in "${path}" has expired: ${validTo}`;
  if (Date.parse(validFrom) <= now) return undefined;
  return `The certificate in "${path}" is not yet good: ${validFrom}`;
}
