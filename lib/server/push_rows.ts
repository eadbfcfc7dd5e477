/** The ports on which scripts push the frames of live sources. */
import { formatAddress, isLoopback } from "../net/address.ts";
import { isPushed, type LiveSource, type PushedSource } from "../sources/live/source_spec.ts";
import { ScriptNames } from "../sources/publish/script_names.ts";
import type { PortRow } from "./listeners.ts";
import type { ServerOptions } from "./options.ts";
import { type OptionNames, SERVER_FLAG_NAMES } from "./option_names.ts";
import { runScriptPublisher } from "./session/script_publisher.ts";
import { logRefusal, runSession, type SharedContext } from "./session/session.ts";

/** A row for each source that scripts push. */
export function pushRows({ live, host, names }: ServerOptions, shared: SharedContext): PortRow[] {
  return (live?.sources ?? []).filter(isPushed).map((source) => {
    return pushRow(source, { host, names, shared });
  });
}

/** Warnings about the sources that strangers can push, at an address that is listened on. */
export function pushWarnings(sources: readonly LiveSource[], host: string): string[] {
  if (isLoopback(host)) return [];
  return sources.filter(({ script }) => script !== undefined && script.host === undefined)
    .map(({ name }) => `Anybody who reaches ${host} can push "${name}": scripts send no token`);
}

interface PushRowOptions {
  /** Address to listen on. */
  host: string;
  /** @default SERVER_FLAG_NAMES */
  names?: OptionNames;
  /** The state that the sessions share with the server. */
  shared: SharedContext;
}

function pushRow(
  { name, script }: PushedSource,
  { host, names = SERVER_FLAG_NAMES, shared }: PushRowOptions,
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
    converse: (socket, slot) =>
      runSession(socket, shared, {
        slot,
        converse: async (context, abort) => {
          const { refusal } = slot;
          if (refusal !== undefined) return logRefusal(refusal, context);
          await runScriptPublisher(context, { script, names: scriptNames, abort });
        },
      }),
    onListening: (address) => {
      logger.log("info", `Scripts push "${name}" to ${formatAddress(address)}`);
    },
  };
}
