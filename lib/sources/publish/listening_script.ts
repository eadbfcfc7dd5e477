/** A script that listens, as a peer whose frames are relayed. */
import type { Logger } from "../../base/log.ts";
import type { Observation } from "../../net/observer.ts";
import { describeFormat } from "../../protocol/script/format.ts";
import { receiveScript } from "../../protocol/script/receiver.ts";
import type { ScriptInput } from "../live/script_spec.ts";
import { connectPeer, type RelayedPeer } from "./relay.ts";
import type { RelayedConnection } from "./relayed_response.ts";

/** The word that most scripts that wait for one expect. */
const FALLBACK_REQUEST = "get_video";

/** Options of {@linkcode ListeningScript}. */
export interface ListeningScriptOptions {
  /** Name of the source. */
  name: string;
  /** Pixels of the largest picture. */
  maxPixels: number;
  logger: Logger;
  /** Sees the conversations with the script. */
  observe?: Observation;
}

/** A script that listens. It is asked by a word if it sends nothing by itself. */
export class ListeningScript implements RelayedPeer {
  readonly words = "its script";
  #target: { host: string; port: number };
  #script: ScriptInput;
  #options: ListeningScriptOptions;

  constructor(host: string, script: ScriptInput, options: ListeningScriptOptions) {
    this.#target = { host, port: script.port };
    this.#script = script;
    this.#options = options;
  }

  async open(signal: AbortSignal): Promise<RelayedConnection> {
    const { name, maxPixels, logger, observe } = this.#options;
    const { format, request, ack } = this.#script;
    const target = { ...this.#target, protocol: "script", observe } as const;
    const connection = await connectPeer(target, { name, words: this.words }, signal);
    const response = receiveScript(connection, {
      ...{ name, format, request, ack, maxPixels, keepsFrames: true },
      fallbackRequest: request === undefined ? FALLBACK_REQUEST : undefined,
      onFormat: (known) => logger.log("info", `"${name}" sends ${describeFormat(known)}`),
      notify: (line) => logger.log("info", `"${name}": ${line}`),
    });
    return { response, connection };
  }
}
