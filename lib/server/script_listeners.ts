/** The ports on which scripts push the frames of live sources. */
import { formatAddress, isLoopback } from "../net/address.ts";
import { isPushed, type LiveSource, type PushedSource } from "../sources/live/source_spec.ts";
import { ScriptNames } from "../sources/publish/script_names.ts";
import type { PortRow } from "./listeners.ts";
import { type OptionNames, SERVER_FLAG_NAMES } from "./option_names.ts";
import { runScriptPublisher } from "./session/script_publisher.ts";
import { logRefusal, runSession, type SharedContext } from "./session/session.ts";

/** Options of {@linkcode scriptRows}. */
export interface ScriptRowsOptions {
  /** Address to listen on. */
  host: string;
  /** @default SERVER_FLAG_NAMES */
  names?: OptionNames;
  /** What the sessions share with the server. */
  shared: SharedContext;
}

/** A row for each source that scripts push. */
export function scriptRows(
  sources: readonly LiveSource[],
  options: ScriptRowsOptions,
): PortRow[] {
  return sources.filter(isPushed).map((source) => scriptRow(source, options));
}

function scriptRow(
  { name, script }: PushedSource,
  { host, names = SERVER_FLAG_NAMES, shared }: ScriptRowsOptions,
): PortRow {
  const { publications, library, logger } = shared;
  const scriptNames = new ScriptNames(name, {
    publications,
    isFile: (other) => library.has(other),
  });
  const option = `${names.live} ${name}`;
  return {
    address: { hostname: host, port: script.port },
    flags: { host: names.host, port: `${option}=script::PORT`, freePort: `${option}=script::0` },
    // Scripts know no TLS.
    converse: (socket, refusal) =>
      runSession(socket, shared, {
        refusal,
        converse: async (context, { refusal, abort }) => {
          if (refusal !== undefined) return logRefusal(context, refusal);
          await runScriptPublisher(context, { script, names: scriptNames, abort });
        },
      }),
    onListening: (address) => {
      logger.log("info", `Scripts push "${name}" to ${formatAddress(address)}`);
      if (isLoopback(address.hostname)) return;
      logger.log(
        "warn",
        `Anybody who reaches ${address.hostname} can push "${name}": scripts send no token`,
      );
    },
  };
}
