/** The sources that FFmpeg does not open, and what opens them. */
import type { Logger } from "../../base/log.ts";
import type { Address } from "../../net/address.ts";
import type { Credentials } from "../../net/connection.ts";
import type { Observation } from "../../net/observer.ts";
import type { FeedOpener } from "../live/feed.ts";
import type { LiveSource, Upstream } from "../live/source_spec.ts";
import { DatagramScript } from "./datagram_script.ts";
import { ListeningScript } from "./listening_script.ts";
import { Relay, type RelayedPeer } from "./relay.ts";
import { UpstreamServer } from "./upstream.ts";

/** Options of {@linkcode openerOf}. */
export interface OpenerOptions {
  /** Pixels of the largest picture. */
  maxPixels: number;
  logger: Logger;
  /** Address at which datagrams arrive. */
  host: string;
  /** Called for each connection to another server. */
  credentials: (upstream: Upstream) => Credentials;
  /**
   * Gives what sees the conversations with a peer that is connected to, or at a port for datagrams.
   *
   * @default nothing
   */
  observe?: (peer: Address) => Observation | undefined;
}

/** The opener of a source that FFmpeg does not open; `undefined` if it does. */
export function openerOf(source: LiveSource, options: OpenerOptions): FeedOpener | undefined {
  const { name } = source;
  const { maxPixels, logger } = options;
  const peer = peerOf(source, options);
  return peer && new Relay(peer, { name, maxPixels, logger });
}

function peerOf(
  { name, upstream, script }: LiveSource,
  { maxPixels, logger, host, credentials, observe }: OpenerOptions,
): RelayedPeer | undefined {
  if (upstream !== undefined) {
    const observed = observe?.({ hostname: upstream.host, port: upstream.port });
    return new UpstreamServer(name, upstream, {
      credentials: () => credentials(upstream),
      observe: observed,
    });
  }
  if (script?.transport === "udp") {
    const address = { hostname: host, port: script.port };
    return new DatagramScript(address, { name, maxPixels, logger, observe });
  }
  if (script?.host !== undefined) {
    const observed = observe?.({ hostname: script.host, port: script.port });
    const options = { name, maxPixels, logger, observe: observed };
    return new ListeningScript(script.host, script, options);
  }
  return undefined;
}
