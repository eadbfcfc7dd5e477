/** What strangers can do to a server, by where it listens and how it is guarded. Pure. */
import { isLoopback } from "../net/address.ts";

/** How a server is guarded. */
export interface Guards {
  /** A token is needed. */
  token: boolean;
  /** Nothing is sent that others can read. */
  tls: boolean;
  /** Scripts are served whatever the token. */
  scriptsOpen: boolean;
}

/**
 * What the one who starts a server has to know of what its address means.
 *
 * @returns sentences, none where the server is safe
 */
export function startupWarnings(hostname: string, { token, tls, scriptsOpen }: Guards): string[] {
  if (isLoopback(hostname)) return [];
  const said: string[] = [];
  if (!token && !tls) {
    said.push(
      `Anybody who reaches ${hostname} can watch: there is no token and no TLS; see --token-file, ` +
        "--tls-cert and --tls-key",
    );
  } else if (!token) {
    said.push(`Anybody who reaches ${hostname} can watch: there is no token; see --token-file`);
  } else if (!tls) {
    said.push(
      `Anybody on the way to ${hostname} can read the token and what is sent: there is no TLS; ` +
        "see --tls-cert and --tls-key",
    );
  }
  if (token && scriptsOpen) {
    said.push(`Any script that reaches ${hostname} can watch without the token: --classic-open`);
  }
  return said;
}
