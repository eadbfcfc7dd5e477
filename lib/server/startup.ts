/** Log lines of the server's start: its addresses, its media, and inputs that are not there. */
import { messageOf, MissingProgramError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { startProcess } from "../ffmpeg/process.ts";
import { hideSecrets } from "../ffmpeg/stderr.ts";
import { type Address, formatAddress } from "../net/address.ts";
import { type InterfaceAddress, reachableAddresses } from "../net/interfaces.ts";
import type { Library } from "../sources/file/library.ts";
import { type LiveSource, pathOf } from "../sources/live/source_spec.ts";
import { type OptionNames, SERVER_FLAG_NAMES } from "./option_names.ts";

/**
 * The addresses by which other machines find a server, as clients take them.
 *
 * @returns `undefined` if no other machine reaches it
 */
export function reachLine(
  { hostname, port }: Address,
  { isEncrypted, interfaces }: {
    isEncrypted: boolean;
    interfaces?: () => readonly InterfaceAddress[];
  },
): string | undefined {
  const scheme = isEncrypted ? "streams" : "stream";
  const urls = reachableAddresses(hostname, interfaces)
    .map((host) => `${scheme}://${formatAddress({ hostname: host, port })}`);
  return urls.length === 0 ? undefined : `Other machines find this server at ${urls.join(" ")}`;
}

/** Input of {@linkcode describeStart}. */
export interface StartContext {
  /** The folder, as the user named it; absent without one. */
  folder?: string;
  library: Pick<Library, "count">;
  sources: readonly LiveSource[];
  logger: Logger;
  names?: Pick<OptionNames, "media" | "live">;
  /** Ends the look. */
  signal: AbortSignal;
}

/** Logs what is served, and which live inputs are not there. Cameras are not opened for that. */
export async function describeStart(
  { folder, library, sources, logger, names = SERVER_FLAG_NAMES, signal }: StartContext,
): Promise<void> {
  if (folder !== undefined) await describeFolder(folder, { library, logger, names });
  const absent = [...await absentInputs(sources), ...await absentServers(sources, signal)];
  for (const [{ name, input, kind }, reason] of absent) {
    const where = JSON.stringify(hideSecrets(input));
    const advice = kind === "file"
      ? `name another with ${names.live}`
      : `connect it, or name another with ${names.live}`;
    const line = `Live source "${name}" cannot be opened now: ${where} ${reason}, ${advice}`;
    logger.log("warn", `${line}; it is opened when somebody watches`);
  }
}

/** Names of what is left out of a folder to log; of more, their number. */
const MAX_LEFT_OUT = 3;

async function describeFolder(
  folder: string,
  { library, logger, names }: Pick<Required<StartContext>, "library" | "logger" | "names">,
): Promise<void> {
  const leftOut: string[] = [];
  const count = await library.count((name, reason) =>
    void leftOut.push(`${JSON.stringify(name)} (${reason})`)
  );
  if (count > 0) {
    const files = count === 1 ? "1 file" : `${count} files`;
    logger.log("info", `Serving "${folder}": ${files} (read in the background)`);
  } else {
    const advice = `name another folder with ${names.media}`;
    logger.log("warn", `Serving "${folder}": there is no file in it, ${advice}`);
  }
  if (leftOut.length === 0) return;
  const further = leftOut.length - MAX_LEFT_OUT;
  const parts = [...leftOut.slice(0, MAX_LEFT_OUT), ...further > 0 ? [`${further} more`] : []];
  logger.log("warn", `Left out of "${folder}": ${parts.join(", ")}`);
}

/** Prints for each path whether it is there and readable. */
const LOOK = 'for path; do [ ! -e "$path" ] && echo absent || { [ -r "$path" ] && echo there ' +
  "|| echo unreadable; }; done";

/** The fault of an input, by the words of {@linkcode LOOK}. */
const REASONS: Readonly<Record<string, string>> = {
  absent: "is not there",
  unreadable: "may not be read by this user",
};

/** A live source, and why it cannot be opened: the predicate of a sentence about its input. */
type Absent = readonly [LiveSource, string];

/** The live sources whose file or device cannot be opened. */
async function absentInputs(sources: readonly LiveSource[]): Promise<Absent[]> {
  const looked = sources.filter((source) =>
    source.kind === "file" || (source.kind === "device" && source.input.startsWith("/"))
  );
  if (looked.length === 0) return [];
  const words = await look(looked.map(pathOf));
  return looked.flatMap((source, index) => {
    const reason = REASONS[words[index]];
    return reason === undefined ? [] : [[source, reason] as const];
  });
}

/** By a shell, since the executables may not look into /dev themselves. */
async function look(paths: readonly string[]): Promise<string[]> {
  try {
    await using child = startProcess("sh", ["-c", LOOK, "sh", ...paths]);
    return (await new Response(child.stdout).text()).split("\n");
  } catch (error) {
    if (error instanceof MissingProgramError) return [];
    throw error;
  }
}

/** Milliseconds for a server to accept a connection. */
const CONNECT_TIMEOUT = 3000;

/** The live sources whose server accepts no connection. */
async function absentServers(
  sources: readonly LiveSource[],
  signal: AbortSignal,
): Promise<Absent[]> {
  const tried = await Promise.all(sources.map(async (source): Promise<Absent[]> => {
    const address = serverOf(source);
    const reason = address && await refusalOf(address, signal);
    return reason === undefined ? [] : [[source, `does not answer (${reason})`]];
  }));
  return signal.aborted ? [] : tried.flat();
}

/** Why a server accepts no connection; `undefined` if it does. */
async function refusalOf(address: Address, signal: AbortSignal): Promise<string | undefined> {
  const timeout = AbortSignal.timeout(CONNECT_TIMEOUT);
  try {
    using _connection = await Deno.connect({
      ...address,
      signal: AbortSignal.any([signal, timeout]),
    });
    return undefined;
  } catch (error) {
    if (timeout.aborted) return `not within ${CONNECT_TIMEOUT / 1000} s`;
    const isRefused = error instanceof Deno.errors.ConnectionRefused;
    return isRefused ? "nothing listens there" : messageOf(error);
  }
}

/** Ports of servers without a port in their address. */
const RTSP_PORTS: Readonly<Record<string, number>> = { "rtsp:": 554, "rtsps:": 322 };

/** Address that a source connects to, if the server there takes any number of clients. */
function serverOf({ input, upstream }: LiveSource): Address | undefined {
  if (upstream !== undefined) return { hostname: upstream.host, port: upstream.port };
  const url = URL.canParse(input) ? new URL(input) : undefined;
  const usual = RTSP_PORTS[url?.protocol ?? ""];
  if (url === undefined || usual === undefined) return undefined;
  const hostname = url.hostname.replaceAll(/[[\]]/g, "");
  return { hostname, port: Number(url.port) || usual };
}
