import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import { messageOf } from "../core/errors.ts";
import { toFingerprint } from "../core/fingerprint.ts";

/** Files of a certificate, in PEM. */
export interface CertificateFiles {
  /** The certificate, with those of its issuers behind it. */
  cert: string;
  /** Its private key, without a passphrase. */
  key: string;
}

/** What a server shows that it is itself by. */
export interface Certificate {
  context: SecureContext;
  /** `sha256:` and 64 hexadecimal digits. */
  fingerprint: string;
  /** A sentence on what is wrong with it, for the one who keeps it. */
  warning?: string;
}

/**
 * Reads a certificate and its key.
 *
 * @param now milliseconds since 1970
 * @throws {Error} where they cannot be used
 */
export async function readCertificate(
  { cert, key }: CertificateFiles,
  now: number = Date.now(),
): Promise<Certificate> {
  const certText = await read(cert, "certificate");
  const keyText = await read(key, "key");
  const first = parse(cert, "a certificate", () => new X509Certificate(certText));
  const own = parse(key, "a private key without a passphrase", () => createPrivateKey(keyText));
  if (!first.checkPrivateKey(own)) {
    throw new Error(
      `Cannot use the key in "${key}": it is another certificate's, expected that of "${cert}"`,
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
    warning: ageOf(first, cert, now),
  };
}

async function read(path: string, what: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound ? "no such file" : messageOf(cause);
    throw new Error(`Cannot read the ${what} in "${path}": ${reason}, expected a file in PEM`, {
      cause,
    });
  }
}

function parse<T>(path: string, expected: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    // What the parsers say of a key may quote it.
    throw new Error(`Cannot use "${path}": it is broken, expected ${expected} in PEM`, { cause });
  }
}

function ageOf({ validFrom, validTo }: X509Certificate, path: string, now: number) {
  if (Date.parse(validTo) < now) return `The certificate in "${path}" has expired: ${validTo}`;
  if (Date.parse(validFrom) <= now) return undefined;
  return `The certificate in "${path}" is not yet good: ${validFrom}`;
}
