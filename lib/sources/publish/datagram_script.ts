/** A script that sends datagrams, as a peer whose frames are relayed. */
import type { Logger } from "../../base/log.ts";
import { type Address, formatAddress } from "../../net/address.ts";
import { type DatagramSocket, openDatagramSocket } from "../../net/datagram_socket.ts";
import { ConnectError } from "../../net/errors.ts";
import type { Observation } from "../../net/observer.ts";
import { receiveDatagrams } from "../../protocol/script/datagrams/receiver.ts";
import type { RelayedPeer } from "./relay.ts";
import { type RelayedConnection, sourceFailure } from "./relayed_response.ts";

/** Options of {@linkcode DatagramScript}. */
export interface DatagramScriptOptions {
  /** Name of the source. */
  name: string;
  /** Pixels of the largest picture. */
  maxPixels: number;
  logger: Logger;
  /** Gives what sees what arrives at a port. */
  observe?: (port: Address) => Observation | undefined;
}

/** A script that sends datagrams to a port of this server, which is open while somebody watches. */
export class DatagramScript implements RelayedPeer {
  readonly words = "its script";
  #address: { hostname: string; port: number };
  #options: DatagramScriptOptions;

  /** @param address to listen on */
  constructor(address: { hostname: string; port: number }, options: DatagramScriptOptions) {
    this.#address = address;
    this.#options = options;
  }

  async open(signal: AbortSignal): Promise<RelayedConnection> {
    const { name, maxPixels, logger, observe } = this.#options;
    const socket = await this.#listen(signal);
    logger.log("info", `"${name}" waits for datagrams at ${formatAddress(socket.address)}`);
    const observer = observe?.(socket.address)?.begin();
    observer?.event("connected", "the port is open");
    const response = receiveDatagrams(socket, {
      ...{ name, maxPixels, observer },
      notify: (line) => logger.log("warn", `"${name}": ${line}`),
    });
    return { response, connection: socket };
  }

  async #listen(signal: AbortSignal): Promise<DatagramSocket> {
    try {
      return await openDatagramSocket({ ...this.#address, signal });
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error;
      throw sourceFailure(this.#options.name, error.brief, error);
    }
  }
}
