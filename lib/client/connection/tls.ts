import { type ConnectionOptions, getCACertificates } from "node:tls";
import { messageOf } from "../../base/errors.ts";
import { formatAddress } from "../../net/address.ts";
import { toFingerprint } from "../../net/certificate.ts";
import { TlsSocket } from "../../net/socket.ts";

/** Which certificate is the server's. */
export type Trust =
  /** One of the name that was connected to, signed by whom this machine trusts. */
  | { kind: "system" }
  /** One of that name, signed by, or itself, one of those in a file. */
  | { kind: "authority"; pem: string; file: string }
  /** The one with this fingerprint, `sha256:` and 64 digits, whatever its name. */
  | { kind: "fingerprint"; fingerprint: string };

/** Where the server is, as the user named it. */
export interface ServerName {
  hostname: string;
  port: number;
}

/**
 * Agrees with the server on how to encrypt, once it has shown that it is the right one. Before that,
 * nothing is sent. The connection is closed where that fails.
 *
 * @throws {Error} with what to do about it
 */
export async function connectSecurely(
  raw: Deno.TcpConn,
  { hostname, port }: ServerName,
  trust: Trust,
): Promise<TlsSocket> {
  const where = formatAddress({ hostname, port });
  let socket: TlsSocket;
  try {
    socket = await TlsSocket.connect(raw, {
      host: hostname,
      // Addresses are no names to ask for (RFC 6066, 3).
      servername: isAddress(hostname) ? "" : hostname,
      ...toOptions(trust),
    });
  } catch (cause) {
    throw new Error(`Cannot trust ${where}: ${explain(cause, trust)}`, { cause });
  }
  if (trust.kind !== "fingerprint") return socket;
  const found = socket.certificate.fingerprint256;
  if (found !== undefined && toFingerprint(found) === trust.fingerprint) return socket;
  socket.close();
  throw new Error(
    `Cannot trust ${where}: its certificate is not the one of --tls-fingerprint, which is that of ` +
      "another server, or an older one; the server tells its own at its start",
  );
}

/**
 * A fingerprint is looked at after the handshake, in which the server has shown that it has the
 * key; whoever signed the certificate, and for which name, means nothing then.
 */
function toOptions(trust: Trust): ConnectionOptions {
  if (trust.kind === "fingerprint") return { rejectUnauthorized: false };
  if (trust.kind === "authority") return { rejectUnauthorized: true, ca: trust.pem };
  return { rejectUnauthorized: true, ca: authorities() };
}

/** Those that the machine trusts, or, where it names none, those of the program. */
function authorities(): string[] {
  const own = getCACertificates("system");
  return own.length > 0 ? own : getCACertificates("bundled");
}

function isAddress(hostname: string): boolean {
  return hostname.includes(":") || /^\d+\.\d+\.\d+\.\d+$/.test(hostname);
}

/** OpenSSL's names of what is wrong with a certificate, and what they mean to the user. */
function explain(error: unknown, trust: Trust): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const others = trust.kind === "system" ? "--ca-cert FILE or --tls-fingerprint" : "another one";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return "its certificate is for another name, expected that of --host, or --tls-fingerprint";
  }
  if (code === "CERT_HAS_EXPIRED") return "its certificate has expired, expected a new one";
  if (code === "CERT_NOT_YET_VALID") return "its certificate is not yet good, is the clock right?";
  if (/SELF_SIGNED|UNABLE_TO|CERT_/.test(code)) {
    const whom = trust.kind === "authority" ? `"${trust.file}"` : "anybody this machine trusts";
    // Deno says the same of one that has expired.
    const expiry = code === "UNABLE_TO_VERIFY_LEAF_SIGNATURE" ? ", or has expired" : "";
    return `its certificate is not signed by ${whom}${expiry}, expected ${others}`;
  }
  const what = error instanceof Deno.errors.ConnectionReset ? "it broke off" : messageOf(error);
  return `it does not speak TLS (${what}); stream-server does with --tls-cert and --tls-key`;
}
