/** Arguments without a flag: the address of a server, the name of media, or both. */
import { UsageError } from "../base/errors.ts";
import { hideSecrets } from "../ffmpeg/stderr.ts";
import { parseUpstream } from "../sources/live/source_spec.ts";
import type { ClientFlags } from "./flags.ts";

/** A server, as an address names it. */
export interface NamedServer {
  host: string;
  /** Absent if the address has none. */
  port?: number;
  isEncrypted: boolean;
}

/** The server and the media that an argument without a flag names: at least one of both. */
export interface Word {
  server?: NamedServer;
  /** Name of media. */
  name?: string;
}

/** The flags with the server of a command line, and the name without a kind. */
export interface AppliedWords {
  flags: ClientFlags;
  /** Name of media whose kind no flag tells. */
  name?: string;
}

/** The scheme of a URL. */
const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i;

/** The scheme of a server. */
const STREAM = /^streams?:\/\//i;

/** A host and a port, with or without a scheme. */
const WITH_PORT = /^(streams?:\/\/)?(\[[^\]]*\]|[\w.-]+):\d+(?=\/|$)/i;

/** Hosts that are recognised without a port. */
const HOST = /^(localhost|\d{1,3}(\.\d{1,3}){3}|\[[\da-f:.]+\])(?=\/|$)/i;

/** A host with a dot, in front of a slash. */
const DOTTED = /^\w[\w-]*(\.[\w-]+)+(?=\/)/;

/** The form of an address, in errors. */
const FORM = "stream://HOST[:PORT]/NAME, or streams:// for TLS";

/**
 * Recognises what an argument names: a server by its scheme, by its port, as `localhost` or an IP
 * address, or by a dot in front of a slash. All else is the name of media.
 *
 * @throws {UsageError} for a URL of something else, and for a malformed address
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseWord } from "./words.ts";
 *
 * const server = { host: "lab", port: 9000, isEncrypted: false };
 * assertEquals(parseWord("lab:9000/trips/sea.mkv"), { server, name: "trips/sea.mkv" });
 * assertEquals(parseWord("trips/sea.mkv"), { name: "trips/sea.mkv" });
 * ```
 */
export function parseWord(word: string): Word {
  if (SCHEME.test(word)) return parseUrl(word);
  if (![WITH_PORT, HOST, DOTTED].some((form) => form.test(word))) return { name: word };
  const [, host, name] = word.match(/^([^/]*)\/?([^]*)$/) ?? [];
  // The name is taken as it is written: a % is a character of it.
  return { ...parseUrl(`stream://${host}`, word), name: name || undefined };
}

/** @param word as it was written, for errors */
function parseUrl(url: string, word = url): Word {
  if (!STREAM.test(url)) throw refusalOf(url);
  const found = parseUpstream(url);
  if (found === undefined) {
    throw new UsageError(
      `Cannot use ${quoted(word)}: that is no address of a server, expected ${FORM}`,
    );
  }
  const { host, port, isEncrypted, name } = found;
  const server = { host, port: WITH_PORT.test(url) ? port : undefined, isEncrypted };
  return { server, name };
}

/** Says what to write in place of a URL of another protocol. */
function refusalOf(url: string): UsageError {
  const [, scheme, rest = ""] = url.match(/^([^:]+):\/\/(?:[^/@]*@)?([^?#]*)/) ?? [];
  const isEncrypted = /^https$/i.test(scheme);
  if (!isEncrypted && !/^http$/i.test(scheme)) {
    return new UsageError(
      `Cannot use ${quoted(url)}: that is no address of a stream-server, expected ${FORM}; a ` +
        `server reads ${scheme}:// by its flag --live`,
    );
  }
  // The port of a page is not that of the server.
  const own = `${isEncrypted ? "streams" : "stream"}://${rest.replace(/:\d+/, "")}`;
  return new UsageError(
    `Cannot use ${quoted(url)}: stream-client speaks no HTTP, expected ${own}, with the port of ` +
      "the server behind the host if that is not 7777",
  );
}

/**
 * Applies the words of a command line, and a port in `--host`.
 *
 * @param words arguments without a flag
 * @param given names of the flags on the command line
 * @throws {UsageError} if they contradict each other
 */
export function applyWords(
  flags: ClientFlags,
  words: readonly string[],
  given: readonly string[],
): AppliedWords {
  const { flags: left, urls } = takeUrls(flags);
  const parsed = [...urls, ...words].map((text) => ({ text, ...parseWord(text) }));
  const [server, name] = (["server", "name"] as const).map((part) => {
    const [first, second] = parsed.filter((word) => word[part] !== undefined);
    if (second === undefined) return first;
    throw new UsageError(
      `Cannot use ${quoted(first.text)} with ${quoted(second.text)}: each names ` +
        (part === "server" ? "a server" : "media"),
    );
  });
  const located = server?.server === undefined
    ? withHost(left, given)
    : withServer(left, server.server, { text: server.text, given });
  return withName(located, name?.name);
}

/** Takes addresses out of `--image` and `--video`: the kind is left. */
function takeUrls(flags: ClientFlags): { flags: ClientFlags; urls: string[] } {
  const kinds = (["image", "video"] as const).filter((kind) => STREAM.test(flags[kind] ?? ""));
  const urls = kinds.map((kind) => flags[kind] ?? "");
  return { flags: { ...flags, ...Object.fromEntries(kinds.map((kind) => [kind, ""])) }, urls };
}

function withHost(flags: ClientFlags, given: readonly string[]): ClientFlags {
  const { host } = flags;
  if (!SCHEME.test(host) && !WITH_PORT.test(host)) return flags;
  const { server, name } = parseWord(host);
  if (server === undefined || name !== undefined) {
    throw new UsageError(
      `Cannot use --host ${quoted(host)}: it names media as well, expected the address without ` +
        "--host in front",
    );
  }
  const others = given.filter((flag) => flag !== "host");
  return withServer(flags, server, { text: host, given: others });
}

/** @param text the address as it was written, for errors */
function withServer(
  flags: ClientFlags,
  { host, port, isEncrypted }: NamedServer,
  { text, given }: { text: string; given: readonly string[] },
): ClientFlags {
  const naming = ["host", "listen", "probe", ...(port === undefined ? [] : ["port"])];
  const twice = naming.find((flag) => given.includes(flag));
  if (twice !== undefined) {
    const what = twice === "port" ? "the port" : "an address";
    throw new UsageError(`Cannot use --${twice} with ${quoted(text)}: each names ${what}`);
  }
  return { ...flags, host, port: port ?? flags.port, tls: flags.tls || isEncrypted };
}

function withName(flags: ClientFlags, name: string | undefined): AppliedWords {
  if (name === undefined) return { flags };
  const other = (["list", "publish", "probe"] as const)
    .find((flag) => flags[flag] !== undefined && flags[flag] !== false);
  if (other !== undefined) {
    throw new UsageError(
      `Cannot use ${quoted(name)} with --${other}: expected only an address without a flag there`,
    );
  }
  // Only images come one by one.
  const usual = flags.every === undefined ? undefined : "image";
  const kind = (["image", "video"] as const).find((kind) => flags[kind] !== undefined) ?? usual;
  if (kind === undefined) return { flags, name };
  if (!flags[kind]) return { flags: { ...flags, [kind]: name } };
  throw new UsageError(
    `Cannot use ${quoted(name)} with --${kind} ${flags[kind]}: each names media`,
  );
}

function quoted(text: string): string {
  return JSON.stringify(hideSecrets(text).slice(0, 200));
}
