/** Reads the token and the certificate of a server, and warns if they are missing. */
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { isLoopback } from "../../net/address.ts";
import {
  type Certificate,
  type CertificateFiles,
  readAuthorities,
  readCertificate,
} from "../../net/certificate.ts";
import type { Credentials as ClientCredentials } from "../../net/connection.ts";
import type { Secret } from "../../net/secret.ts";
import type { Trust, TrustAdvice } from "../../net/tls.ts";
import { readToken } from "../../net/token.ts";
import type { LiveSource } from "../../sources/live/source_spec.ts";
import { type OptionNames, SERVER_FLAG_NAMES } from "../option_names.ts";
import { Authenticator } from "./authenticator.ts";

/** Options of {@linkcode Credentials}. */
export interface CredentialOptions {
  /** Path of a file whose first line is the token. */
  tokenFile?: string;
  /** The token, if there is no file. */
  token?: Secret;
  /** Path of a file whose first line is the token for publishing. */
  publishTokenFile?: string;
  /** The token for publishing, if there is no file. */
  publishToken?: Secret;
  /** Path of a file whose first line is the token that other servers require. */
  relayTokenFile?: string;
  /** The token that other servers require, if there is no file. */
  relayToken?: Secret;
  /** Path of certificates that sign those of other servers; by default, the system's count. */
  relayAuthorityFile?: string;
  /** Enables TLS, for all connections. */
  certificate?: CertificateFiles;
}

/** Name of the option with the authority of other servers, for errors. */
type AuthorityName = Pick<OptionNames, "liveCaCert">;

/** Token and certificate of a server, which can be reloaded while it runs. */
export class Credentials {
  readonly authenticator = new Authenticator();
  /** Knows the token for publishing. */
  readonly publishAuthenticator = new Authenticator();
  #options: CredentialOptions;
  #logger: Logger;
  #certificate: Certificate | undefined;
  #relayToken: Secret | undefined;
  /** Names the option; viewers see it, so it names no file. */
  #relayAdvice: TrustAdvice;
  #relayTrust: Trust;
  #reading: Promise<void> = Promise.resolve();
  /** A reload has been asked for and has not begun; it serves all callers until then. */
  #isPending = false;

  private constructor(options: CredentialOptions, logger: Logger, names: AuthorityName) {
    this.#options = options;
    this.#logger = logger;
    this.#relayToken = options.relayToken;
    this.#relayAdvice = { host: "its address", authority: names.liveCaCert };
    this.#relayTrust = { kind: "system", advice: this.#relayAdvice };
  }

  /**
   * Reads the files.
   *
   * @param names of the options, for errors
   * @throws {Error} if one of them cannot be used
   */
  static async open(
    options: CredentialOptions,
    logger: Logger,
    names: AuthorityName = SERVER_FLAG_NAMES,
  ): Promise<Credentials> {
    const credentials = new Credentials(options, logger, names);
    await credentials.authenticator.setToken(options.token);
    await credentials.publishAuthenticator.setToken(options.publishToken);
    await credentials.#readToken();
    await credentials.#readPublishToken();
    await credentials.#readRelayToken();
    await credentials.#readRelayAuthority();
    await credentials.#readCertificate();
    return credentials;
  }

  /** Certificate for new connections; `undefined` without TLS. */
  get certificate(): Certificate | undefined {
    return this.#certificate;
  }

  /** Token and trust for watching another server. */
  relayCredentials({ isEncrypted }: { isEncrypted: boolean }): ClientCredentials {
    return { token: this.#relayToken, trust: isEncrypted ? this.#relayTrust : undefined };
  }

  /**
   * Reads the files again, for connections and requests from then on. If a file cannot be used, the
   * previous token or certificate is kept, and an error is logged.
   */
  reload(): Promise<void> {
    if (this.#isPending) return this.#reading;
    this.#isPending = true;
    this.#reading = this.#reading.then(async () => {
      this.#isPending = false;
      const files = Object.entries(this.#options).filter(([option]) => !/token$/i.test(option));
      if (files.every(([, file]) => file === undefined)) {
        this.#logger.log(
          "info",
          "nothing to read again: there is no token file and no certificate",
        );
      }
      await this.#orKeep("token", () => this.#readToken());
      await this.#orKeep("token for publishing", () => this.#readPublishToken());
      await this.#orKeep("token for other servers", () => this.#readRelayToken());
      await this.#orKeep("authority for other servers", () => this.#readRelayAuthority());
      await this.#orKeep("certificate", () => this.#readCertificate());
    });
    return this.#reading;
  }

  async #orKeep(what: string, read: () => Promise<boolean>): Promise<void> {
    try {
      if (await read()) this.#logger.log("info", `read the ${what} again`);
    } catch (error) {
      this.#logger.log("error", `${messageOf(error)}; the ${what} from before is kept`);
    }
  }

  #readToken(): Promise<boolean> {
    const { tokenFile } = this.#options;
    return this.#readFile(tokenFile, (token) => this.authenticator.setToken(token));
  }

  #readPublishToken(): Promise<boolean> {
    const { publishTokenFile } = this.#options;
    return this.#readFile(publishTokenFile, (token) => this.publishAuthenticator.setToken(token));
  }

  #readRelayToken(): Promise<boolean> {
    const { relayTokenFile } = this.#options;
    return this.#readFile(relayTokenFile, (token) => this.#relayToken = token);
  }

  /** @returns false if no file is configured */
  async #readFile(file: string | undefined, use: (token: Secret) => unknown): Promise<boolean> {
    if (file === undefined) return false;
    const { token, warning } = await readToken(file);
    if (warning !== undefined) this.#logger.log("warn", warning);
    await use(token);
    return true;
  }

  /** @returns false if no file is configured */
  async #readRelayAuthority(): Promise<boolean> {
    const { relayAuthorityFile } = this.#options;
    if (relayAuthorityFile === undefined) return false;
    const pem = await readAuthorities(relayAuthorityFile);
    const advice = this.#relayAdvice;
    this.#relayTrust = { kind: "authority", pem, file: advice.authority, advice };
    return true;
  }

  /** @returns false if no file is configured */
  async #readCertificate(): Promise<boolean> {
    const { certificate } = this.#options;
    if (certificate === undefined) return false;
    const found = await readCertificate(certificate);
    for (const warning of found.warnings) this.#logger.log("warn", warning);
    this.#certificate = found;
    this.#logger.log("info", `TLS certificate ${found.fingerprint}`);
    return true;
  }
}

/** Warnings about tokens that servers of `--live` get unencrypted. */
export function relayWarnings(
  sources: readonly LiveSource[],
  { relayTokenFile, relayToken }: Pick<CredentialOptions, "relayTokenFile" | "relayToken">,
): string[] {
  if (relayTokenFile === undefined && relayToken === undefined) return [];
  return sources.flatMap(({ name, upstream }) =>
    upstream === undefined || upstream.isEncrypted || isLoopback(upstream.host) ? [] : [
      `Anybody on the way to ${upstream.host} can read the token for "${name}": there is no TLS; ` +
      "see streams://",
    ]
  );
}

/** Protections of a server. */
export interface Protections {
  token: boolean;
  tls: boolean;
  /** Scripts are served without the token. */
  scriptsOpen: boolean;
  /** Publishers need a token. */
  publishToken?: boolean;
}

/**
 * Warnings about what strangers can do to a server at its address.
 *
 * @param names of the options that change that
 * @returns sentences; none for a loopback address
 */
export function startupWarnings(
  hostname: string,
  { token, tls, scriptsOpen, publishToken = false }: Protections,
  names: Pick<OptionNames, "token" | "tls" | "scriptsOpen"> = SERVER_FLAG_NAMES,
): string[] {
  if (isLoopback(hostname)) return [];
  const warnings: string[] = [];
  if (!token && !tls) {
    warnings.push(
      `Anybody who reaches ${hostname} can watch: there is no token and no TLS; see ` +
        `${names.token}, ${names.tls}`,
    );
  } else if (!token) {
    warnings.push(
      `Anybody who reaches ${hostname} can watch: there is no token; see ${names.token}`,
    );
  } else if (!tls) {
    warnings.push(
      `Anybody on the way to ${hostname} can read the token and what is sent: there is no TLS; ` +
        `see ${names.tls}`,
    );
  }
  if (publishToken && !tls) {
    warnings.push(
      `Anybody on the way to ${hostname} can read the token for publishing: there is no TLS; see ` +
        names.tls,
    );
  }
  if (token && scriptsOpen) {
    warnings.push(
      `Any script that reaches ${hostname} can watch without the token: ${names.scriptsOpen}`,
    );
  }
  return warnings;
}
