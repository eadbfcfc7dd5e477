import { messageOf } from "../../base/errors.ts";
import { parseFingerprint } from "../../net/certificate.ts";
import { readToken, type Secret } from "../../net/token.ts";
import type { Trust } from "./tls.ts";

/** How a client shows that it may watch, and how it knows the server. */
export interface Credentials {
  /** Sent with every request. */
  token?: Secret;
  /** Which certificate is the server's; without it, nothing is encrypted. */
  trust?: Trust;
}

/** What {@linkcode openCredentials} has to know. */
export interface CredentialSources {
  flags: {
    "token-file"?: string;
    "tls": boolean;
    "ca-cert"?: string;
    "tls-fingerprint"?: string;
    "classic": boolean;
  };
  /** The token of the environment; a file that a flag names counts more. */
  token: (file?: string) => Secret | undefined;
  /** Takes a line for the user. */
  tell: (line: string) => void;
}

/**
 * Reads the files that the flags name.
 *
 * @throws {Error} where one of them cannot be used
 */
export async function openCredentials(
  { flags, token, tell }: CredentialSources,
): Promise<Credentials> {
  const trust = await toTrust(flags);
  // It is taken out of the environment in any case.
  const file = flags["token-file"];
  const found = token(file);
  if (flags.classic) return { trust };
  if (file === undefined) return { token: found, trust };
  const { token: own, warning } = await readToken(file);
  if (warning !== undefined) tell(warning);
  return { token: own, trust };
}

async function toTrust(flags: CredentialSources["flags"]): Promise<Trust | undefined> {
  const { tls, "ca-cert": file, "tls-fingerprint": fingerprint } = flags;
  if (fingerprint !== undefined) {
    return { kind: "fingerprint", fingerprint: parseFingerprint(fingerprint) };
  }
  if (file !== undefined) return { kind: "authority", pem: await readPem(file), file };
  return tls ? { kind: "system" } : undefined;
}

async function readPem(path: string): Promise<string> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound ? "no such file" : messageOf(cause);
    throw new Error(`Cannot read the certificate in "${path}": ${reason}, expected a file in PEM`, {
      cause,
    });
  }
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  throw new Error(`Cannot use "${path}": there is no certificate in it, expected one in PEM`);
}
