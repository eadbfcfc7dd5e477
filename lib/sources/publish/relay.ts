/** A source that a peer sends, which is watched as viewers do: while somebody here watches. */
import type { Logger } from "../../base/log.ts";
import { formatAddress } from "../../net/address.ts";
import { connect, type ServerConnection, type Target } from "../../net/connection.ts";
import { ConnectError } from "../../net/errors.ts";
import type { FeedOpener, LiveFeed } from "../live/feed.ts";
import { type RelayedConnection, RelayedResponse, sourceFailure } from "./relayed_response.ts";

/** A peer that can be asked for its frames: another server, or a script. */
export interface RelayedPeer {
  /** The peer in messages: `its server`. */
  readonly words: string;
  /**
   * Asks for the frames.
   *
   * @param via ids of the relays that the request came through
   * @throws {RequestError} `media_error` with the reason if the peer cannot be asked
   */
  open(signal: AbortSignal, via: readonly string[]): Promise<RelayedConnection>;
  /** See {@linkcode FeedOpener.refuseLoop}. */
  refuseLoop?(via: readonly string[]): void;
}

/** Options of {@linkcode Relay}. */
export interface RelayOptions {
  /** Name of the source, for messages. */
  name: string;
  /** Pixels of the largest picture. */
  maxPixels: number;
  logger: Logger;
}

/** A source that a peer sends. One response of the peer is watched at a time. */
export class Relay implements FeedOpener {
  #peer: RelayedPeer;
  #options: RelayOptions;
  /** Outlasts a run if other streams follow, or if the peer has lost the source. */
  #response: RelayedResponse | undefined;

  constructor(peer: RelayedPeer, options: RelayOptions) {
    this.#peer = peer;
    this.#options = options;
  }

  /** The peer tells when the source is back. */
  get isAwaited(): boolean {
    return this.#response !== undefined && this.#response.isLost && !this.#response.isClosed;
  }

  refuseLoop(via: readonly string[]): void {
    this.#peer.refuseLoop?.(via);
  }

  async open(signal: AbortSignal, via: readonly string[]): Promise<LiveFeed> {
    if (this.#response === undefined || this.#response.isClosed) {
      this.#response = undefined;
      const opened = await this.#peer.open(signal, via);
      const options = { ...this.#options, peer: this.#peer.words, signal };
      this.#response = new RelayedResponse(opened, options);
    }
    return await this.#response.openFeed();
  }
}

/**
 * Connects to a peer.
 *
 * @param about name of the source, and the peer in words: viewers do not get its address
 * @throws {RequestError} `media_error` with the reason if there is no connection
 */
export async function connectPeer(
  target: Target,
  { name, words }: { name: string; words: string },
  signal: AbortSignal,
): Promise<ServerConnection> {
  try {
    return await connect(target, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ConnectError)) throw error;
    const address = formatAddress({ hostname: target.host, port: target.port });
    throw sourceFailure(name, error.brief.replaceAll(address, words), error);
  }
}
