/** A token, and a certificate for TLS. */
import { makeCertificate } from "../../tests/support/programs/certificates.ts";

/** Access settings of the server and its viewers. */
export interface Access {
  /** Flags of the server. */
  flags: string[];
  token?: string;
}

/**
 * Makes a token and a certificate.
 *
 * @throws {Error} if openssl is missing or fails
 */
export async function makeAccess(folder: string): Promise<Access> {
  const token = crypto.randomUUID();
  const path = `${folder}/token`;
  await Deno.writeTextFile(path, token, { mode: 0o600 });
  const { cert, key } = await makeCertificate(folder, "soak");
  const flags = ["--token-file", path, "--classic-open", "--tls-cert", cert, "--tls-key", key];
  return { flags, token };
}
