/** Names of the options of a server in messages. */

/** Names of options in messages: flags of the program, or options of a function. */
export interface OptionNames {
  host: string;
  port: string;
  maxClients: string;
  maxPerAddress: string;
  media: string;
  live: string;
  liveCaCert: string;
  token: string;
  /** Those of certificate and key. */
  tls: string;
  publish: string;
  http: string;
  metrics: string;
  scriptsOpen: string;
}

/** The flags of `stream-server`. */
export const SERVER_FLAG_NAMES: OptionNames = {
  host: "--host",
  port: "--port",
  maxClients: "--max-clients",
  maxPerAddress: "--max-per-address",
  media: "--media",
  live: "--live",
  liveCaCert: "--live-ca-cert",
  token: "--token-file",
  tls: "--tls-cert and --tls-key",
  publish: "--publish",
  http: "--http",
  metrics: "--metrics",
  scriptsOpen: "--classic-open",
};
