/** Certificates for tests, made by openssl. */
import { isInstalled, printedBy } from "./machine.ts";
import { HelperProgram } from "./running_program.ts";

/** Whether certificates can be made here. */
export const HAS_OPENSSL = isInstalled("openssl");

/** A certificate and its key, as files. */
export interface CertificatePair {
  /** Path of the certificate, in PEM. */
  cert: string;
  /** Path of its key, in PEM. */
  key: string;
  /** As openssl prints it: `sha256:` and hexadecimal digits. */
  fingerprint: string;
}

/** Options of {@linkcode makeCertificate}. */
export interface CertificateOptions {
  /** Subject alternative names: `DNS:…` and `IP:…`. */
  names?: string;
  /** The signer; without one, the certificate signs itself. */
  issuer?: CertificatePair;
  /** Days of validity from now on; a negative number makes an expired certificate. */
  days?: number;
}

/** Makes a certificate. */
export async function makeCertificate(
  folder: string,
  name: string,
  { names = "DNS:localhost,IP:127.0.0.1", issuer, days = 2 }: CertificateOptions = {},
): Promise<CertificatePair> {
  const [cert, key, request] = ["crt", "key", "csr"].map((type) => `${folder}/${name}.${type}`);
  const fresh = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key];
  const subject = ["-subj", `/CN=${name}`];
  const extension = `subjectAltName=${names}`;
  if (issuer === undefined && days > 0) {
    const signed = ["-x509", "-days", String(days), "-addext", extension, "-out", cert];
    await openssl("req", ...fresh, ...subject, ...signed);
  } else {
    const extensions = `${folder}/${name}.ext`;
    await Deno.writeTextFile(extensions, extension);
    await openssl("req", ...fresh, "-out", request, ...subject);
    const signer = issuer === undefined
      ? ["-signkey", key]
      : ["-CA", issuer.cert, "-CAkey", issuer.key, "-CAcreateserial"];
    const paths = ["-in", request, "-out", cert, "-extfile", extensions];
    await openssl("x509", "-req", ...signer, ...paths, ...await validity(days));
  }
  const said = await openssl("x509", "-in", cert, "-noout", "-fingerprint", "-sha256");
  const fingerprint = said.trim().replace(/^.*=/, "").replaceAll(":", "").toLowerCase();
  return { cert, key, fingerprint: `sha256:${fingerprint}` };
}

/** Arguments for the validity: OpenSSL 3.4 and later refuse negative days. */
async function validity(days: number): Promise<string[]> {
  const [, major, minor] = (await openssl("version")).match(/^OpenSSL (\d+)\.(\d+)/) ?? [];
  const hasDates = Number(major) > 3 || (Number(major) === 3 && Number(minor) >= 4);
  if (days > 0 || !hasDates) return ["-days", String(days)];
  // Dates before 2050 have two digits for the year (RFC 5280, 4.1.2.5).
  const dateOf = (day: number) => {
    const date = new Date(Date.now() + day * 86_400_000).toISOString();
    return date.slice(2).replace(/\.\d+/, "").replaceAll(/[-T:]/g, "");
  };
  return ["-not_before", dateOf(days - 1), "-not_after", dateOf(days)];
}

/** Runs openssl and gives what it prints. */
export function openssl(...args: string[]): Promise<string> {
  return printedBy("openssl", args);
}

/** A TLS server of openssl's own. */
export class OpensslServer implements AsyncDisposable {
  private constructor(readonly port: number, private readonly program: HelperProgram) {}

  /** Starts a server with a certificate and a key, which need not belong together. */
  static async start({ cert, key }: { cert: string; key: string }): Promise<OpensslServer> {
    const args = ["s_server", "-accept", "127.0.0.1:0", "-cert", cert, "-key", key];
    const program = new HelperProgram("openssl", args, { stdin: "piped" });
    const [, port] = await program.stdout.until(/ACCEPT \S+:(\d+)\n/);
    return new OpensslServer(Number(port), program);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
  }
}
