/** A source of another server, as a peer whose frames are relayed. */
import { wallClock } from "../../base/clock.ts";
import { RequestError } from "../../base/errors.ts";
import type { Credentials } from "../../net/connection.ts";
import type { Observation } from "../../net/observer.ts";
import { requestMedia } from "../../protocol/native/client.ts";
import { MAX_RELAYS, type MediaRequest } from "../../protocol/native/request.ts";
import type { Upstream } from "../live/source_spec.ts";
import { connectPeer, type RelayedPeer } from "./relay.ts";
import type { RelayedConnection } from "./relayed_response.ts";

/** Options of {@linkcode UpstreamServer}. */
export interface UpstreamServerOptions {
  /** Called for each connection. */
  credentials: () => Credentials;
  /** Sees the conversations with the server. */
  observe?: Observation;
}

/** Another server. */
export class UpstreamServer implements RelayedPeer {
  readonly words = "its server";
  /** Named in requests to the other server, by which a loop is found. */
  #id = crypto.randomUUID();
  #name: string;
  #upstream: Upstream;
  #options: UpstreamServerOptions;

  /** @param name of the source, for messages */
  constructor(name: string, upstream: Upstream, options: UpstreamServerOptions) {
    this.#name = name;
    this.#upstream = upstream;
    this.#options = options;
  }

  refuseLoop(via: readonly string[]): void {
    if (!via.includes(this.#id)) return;
    const reason = "a loop, the request has come through this relay before";
    throw new RequestError("bad_request", `Cannot relay "${this.#name}": ${reason}`);
  }

  async open(signal: AbortSignal, via: readonly string[]): Promise<RelayedConnection> {
    const { host, port, name } = this.#upstream;
    const { credentials, observe } = this.#options;
    const target = { host, port, credentials: credentials(), observe };
    const connection = await connectPeer(
      target,
      { name: this.#name, words: this.words },
      signal,
    );
    const request: MediaRequest = {
      ...{ command: "get_video", name, encoding: "copy", data: true, redescribe: true },
      // Each viewer here has a policy of its own: a recording keeps late frames.
      late: "wait",
      // The oldest ids are cut off: refusing made-up ones would close the source for everybody.
      via: [this.#id, ...via].slice(0, MAX_RELAYS),
    };
    const settings = { clock: wallClock, keepsFrames: true };
    return { response: requestMedia(connection, request, settings), connection };
  }
}
