/** The ports of `--script` as rows of the listener table. */
import { formatAddress, isLoopback } from "../net/address.ts";
import { describeFormat } from "../protocol/script/format.ts";
import type { PortRow } from "./listeners.ts";
import { SERVER_FLAG_NAMES } from "./option_names.ts";
import type { ServerOptions } from "./options.ts";
import { scriptConversation } from "./session/script_output.ts";
import { runSession, type SharedContext } from "./session/session.ts";

/** The rows of the outputs that have a port. Each logs its address, and who can reach it. */
export function scriptRows(
  { host: hostname, scripts = [], names = SERVER_FLAG_NAMES }: ServerOptions,
  shared: SharedContext,
): PortRow[] {
  const { logger } = shared;
  return scripts.flatMap((output): PortRow[] => {
    const { name, format, port } = output;
    if (port === undefined) return [];
    return [{
      address: { hostname, port },
      flags: { host: names.host, port: "--script" },
      converse: (socket, slot) =>
        runSession(socket, shared, { slot, converse: scriptConversation(output) }),
      onListening: (address) => {
        const place = formatAddress(address);
        logger.log("info", `Scripts get "${name}" at ${place} (${describeFormat(format)})`);
        if (isLoopback(address.hostname)) return;
        const reason = "scripts send no token and use no TLS";
        logger.log("warn", `Anybody who reaches ${place} can watch "${name}": ${reason}`);
      },
    }];
  });
}
