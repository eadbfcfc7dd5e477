/** From the flags about scripts to settings: checks, framing, acknowledgements, addresses. */
import { FormatError, UsageError } from "../../base/errors.ts";
import { type Address, parseListenAddress } from "../../net/address.ts";
import { parseScriptFormat, type ScriptFormat } from "../../protocol/script/format.ts";
import type { ClientFlags } from "../flags.ts";

/** How to talk with a script. */
export interface ScriptSettings {
  /** Insist on this format. @default recognised */
  format?: ScriptFormat;
  /** Sent first. */
  request?: string;
  /** Sent after each frame; `none` sends nothing. @default found out */
  ack?: string;
}

/** The peer of `--probe`. */
export interface ProbePeer extends Address {
  /** It is waited for here, and connects. */
  listens: boolean;
  /** Further words of a command line that reaches it. */
  words?: readonly string[];
}

/** Flags that make the peer a script. */
const SCRIPT_FLAGS = ["listen", "framing", "request", "ack", "classic"] as const;

/** Flags that say which server to connect to, and how. */
const SERVER_FLAGS = ["host", "port", "token-file", "tls", "ca-cert", "tls-fingerprint"] as const;

/** Flags that `--probe` goes with, when it connects. */
const PROBE_FLAGS: readonly string[] = [
  ...["probe", "request", "json", "tls", "ca-cert", "tls-fingerprint"],
];

/** Value of `--ack` for none, and what is sent without a word. */
const ACK = { none: "none", usual: "ack" } as const;

/** The flag that makes the peer a script; `undefined` if there is none. */
export function scriptFlagOf(flags: ClientFlags): typeof SCRIPT_FLAGS[number] | undefined {
  return SCRIPT_FLAGS.find((name) => flags[name] !== undefined && flags[name] !== false);
}

/**
 * Adds what the flags about scripts imply: the script, and its video. `--classic` alone leaves the
 * choice between image and video.
 */
export function withImplied(flags: ClientFlags): ClientFlags {
  const flag = scriptFlagOf(flags);
  const { image, video, list, publish, probe } = flags;
  if (flag === undefined || list || publish !== undefined || probe !== undefined) return flags;
  const isVideo = flag !== "classic" && image === undefined;
  return { ...flags, classic: true, video: video ?? (isVideo ? "" : undefined) };
}

/**
 * Checks the flags that go with `--probe` or `--listen`.
 *
 * @param given names of the flags on the command line
 * @throws {UsageError} if they contradict each other
 */
export function checkScript(flags: ClientFlags, given: readonly string[]): void {
  const { probe, listen } = flags;
  if (probe !== undefined) return checkProbe(probe, given);
  toScriptSettings(flags);
  if (listen === undefined) return;
  parseListenAddress(listen, "listen");
  const unfit = SERVER_FLAGS.find((name) => given.includes(name));
  if (unfit === undefined) return;
  throw new UsageError(
    `Cannot use --${unfit} with --listen: the script connects to this program, without encryption ` +
      "or a token",
  );
}

function checkProbe(probe: string, given: readonly string[]): void {
  const { listens } = parseProbe(probe);
  const unfit = given.find((name) => !PROBE_FLAGS.includes(name));
  if (unfit !== undefined) {
    const reason = unfit === "host" || unfit === "port"
      ? "it names the address itself"
      : "it only says what is sent";
    throw new UsageError(`Cannot use --${unfit} with --probe: ${reason}`);
  }
  const encrypting = SERVER_FLAGS.find((name) => given.includes(name));
  if (!listens || encrypting === undefined) return;
  throw new UsageError(
    `Cannot use --${encrypting} with --probe ${probe}: a script that connects does not encrypt`,
  );
}

/**
 * The settings of the flags.
 *
 * @throws {UsageError} if they are wrong
 */
export function toScriptSettings({ framing, request, ack }: ClientFlags): ScriptSettings {
  return {
    format: framing === undefined ? undefined : toFormat(framing),
    request,
    ack: ack === "" ? (isWord(request) ? request : ACK.usual) : ack,
  };
}

/** Whether a request is a word to send. */
export function isWord(request: string | undefined): request is string {
  return request !== undefined && request !== "none";
}

/** The words of a command line that say how to encrypt. */
export function encryptionWords(flags: ClientFlags): string[] {
  const { tls, "ca-cert": authority, "tls-fingerprint": fingerprint } = flags;
  return [
    ...(tls ? ["--tls"] : []),
    ...(authority === undefined ? [] : ["--ca-cert", authority]),
    ...(fingerprint === undefined ? [] : ["--tls-fingerprint", fingerprint]),
  ];
}

function toFormat(framing: string): ScriptFormat {
  try {
    return parseScriptFormat(framing);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}

/**
 * Parses `robot:8485`, `[::1]:8485`, `:8485`, or `listen:0.0.0.0:8485`. Without a host, the script
 * is waited for on this machine; `listen:` names the address to wait on.
 *
 * @throws {UsageError} for anything else
 */
export function parseProbe(text: string): ProbePeer {
  const [, listen] = text.match(/^(?:listen)?:(.*)$/s) ?? [];
  if (listen !== undefined) return { ...parseListenAddress(listen, "probe"), listens: true };
  const [, bracketed, plain, digits] =
    text.match(/^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/) ?? [];
  const port = Number(digits);
  if (port >= 1 && port <= 65535) return { hostname: bracketed ?? plain, port, listens: false };
  throw new UsageError(
    `Cannot use --probe "${text}": expected HOST:PORT of a script that listens, or :PORT, or ` +
      "listen:ADDRESS:PORT, for one that connects",
  );
}
