/** Tokens and certificates, from the flags and the environment. */
import { parseFingerprint, readAuthorities } from "../../net/certificate.ts";
import type { Secret } from "../../net/secret.ts";
import { readToken } from "../../net/token.ts";
import type { Trust } from "../../net/tls.ts";
import type { Credentials } from "../../net/connection.ts";

/** Sources of {@linkcode Credentials}. */
export interface CredentialSources {
  flags: {
    "token-file"?: string;
    "tls": boolean;
    "ca-cert"?: string;
    "tls-fingerprint"?: string;
    "classic": boolean;
  };
  /** Gives the token of the environment, or `undefined` if a file is named instead. */
  token: (file?: string) => Secret | undefined;
  /** Called with a line for the user. */
  notify: (line: string) => void;
}

/**
 * Reads the files that the flags name.
 *
 * @throws {Error} if one of them cannot be used
 */
export async function openCredentials(
  { flags, token, notify }: CredentialSources,
): Promise<Credentials> {
  const trust = await toTrust(flags);
  const file = flags["token-file"];
  // Always called: it also removes the token from the environment.
  const environmentToken = token(file);
  if (flags.classic) return { trust };
  if (file === undefined) return { token: environmentToken, trust };
  const { token: fileToken, warning } = await readToken(file);
  if (warning !== undefined) notify(warning);
  return { token: fileToken, trust };
}

async function toTrust(flags: CredentialSources["flags"]): Promise<Trust | undefined> {
  const { tls, "ca-cert": file, "tls-fingerprint": fingerprint } = flags;
  if (fingerprint !== undefined) {
    return { kind: "fingerprint", fingerprint: parseFingerprint(fingerprint) };
  }
  if (file !== undefined) return { kind: "authority", pem: await readAuthorities(file), file };
  return tls ? { kind: "system" } : undefined;
}
