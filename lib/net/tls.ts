/** TLS with a choice of trust: the system's authorities, one of the user's, or a fingerprint. */
import type { ConnectionOptions } from "node:tls";
import { messageOf } from "../base/errors.ts";
import { formatAddress, isAddress } from "./address.ts";
import { FINGERPRINT_FLAG, toFingerprint } from "./certificate.ts";
import { closeSocket, TlsSocket } from "./socket.ts";

/** The words in which errors advise the user: flags of a program, or options of a function. */
export interface TrustAdvice {
  /** The flag or option that names the host. */
  host: string;
  /** The flag or option that names an authority. */
  authority: string;
}

/** Which certificate of the server is accepted. */
export type Trust =
  /** One for the name that was connected to, signed by an authority that this machine trusts. */
  | { kind: "system"; advice?: TrustAdvice }
  /** One for that name that is in the file `file`, or signed by one of those in it. */
  | { kind: "authority"; pem: string; file: string; advice?: TrustAdvice }
  /** The one with this fingerprint, `sha256:` and 64 hexadecimal digits, for any name. */
  | {
    kind: "fingerprint";
    fingerprint: string;
    /** The flag or option that named it, for errors. @default "--tls-fingerprint" */
    option?: string;
  };

/**
 * Starts TLS on a connection and verifies the server's certificate. No application data is sent
 * before that. Closes the connection on failure.
 *
 * @throws {Error} with what the user can do about it
 */
export async function connectTls(
  raw: Deno.TcpConn,
  { hostname, port }: { hostname: string; port: number },
  trust: Trust,
): Promise<TlsSocket> {
  const address = formatAddress({ hostname, port });
  let socket: TlsSocket;
  try {
    socket = await TlsSocket.connect(raw, {
      host: hostname,
      // Server Name Indication takes no addresses (RFC 6066, 3).
      servername: isAddress(hostname) ? "" : hostname,
      ...await toOptions(trust),
    });
  } catch (cause) {
    closeSocket(raw);
    throw new Error(`Cannot trust ${address}: ${explain(cause, trust)}`, { cause });
  }
  if (trust.kind !== "fingerprint") return socket;
  const fingerprint = socket.certificate.fingerprint256;
  if (fingerprint !== undefined && toFingerprint(fingerprint) === trust.fingerprint) return socket;
  socket.close();
  const { option = FINGERPRINT_FLAG } = trust;
  throw new Error(
    `Cannot trust ${address}: its certificate is not the one of ${option}, which belongs to ` +
      "another server or is older; the server prints its fingerprint when it starts",
  );
}

/**
 * The handshake proves that the server has the key of its certificate. A fingerprint is compared
 * after it; signature and name of the certificate do not matter then.
 */
async function toOptions(trust: Trust): Promise<ConnectionOptions> {
  if (trust.kind === "fingerprint") return { rejectUnauthorized: false };
  if (trust.kind === "authority") return { rejectUnauthorized: true, ca: trust.pem };
  return { rejectUnauthorized: true, ca: await authorities() };
}

/** Certificates that this machine trusts, or, if it has none, those built into the program. */
async function authorities(): Promise<string[]> {
  const { getCACertificates } = await import("node:tls");
  const system = getCACertificates("system");
  return system.length > 0 ? system : getCACertificates("bundled");
}

/** The flags of `stream-client`. */
const CLIENT_ADVICE: TrustAdvice = {
  host: "--host, or --tls-fingerprint",
  authority: "--ca-cert FILE or --tls-fingerprint",
};

/** Describes a problem of the certificate by OpenSSL's error code. */
function explain(error: unknown, trust: Trust): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const { advice = CLIENT_ADVICE } = trust.kind === "fingerprint" ? {} : trust;
  const alternative = trust.kind === "system" ? advice.authority : "another one";
  if (error instanceof Deno.errors.NotCapable) {
    return "there is no permission to read the authorities that this machine trusts, expected " +
      `--allow-sys, or ${advice.authority}`;
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return `its certificate is for another name, expected that of ${advice.host}`;
  }
  if (code === "CERT_HAS_EXPIRED") return "its certificate has expired, expected a new one";
  if (code === "CERT_NOT_YET_VALID") return "its certificate is not yet good, is the clock right?";
  if (/SELF_SIGNED|UNABLE_TO|CERT_/.test(code)) {
    const authority = trust.kind === "authority"
      ? `"${trust.file}"`
      : "anybody this machine trusts";
    // Deno gives the same code for an expired one.
    const expiry = code === "UNABLE_TO_VERIFY_LEAF_SIGNATURE" ? ", or has expired" : "";
    return `its certificate is not signed by ${authority}${expiry}, expected ${alternative}`;
  }
  const reason = error instanceof Deno.errors.ConnectionReset ? "it broke off" : messageOf(error);
  return `it does not speak TLS (${reason}); stream-server does with --tls-cert and --tls-key`;
}
