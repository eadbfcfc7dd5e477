/** Parses live sources of the command line: `NAME=[FORMAT:]INPUT`. */
import { FormatError, UsageError } from "../../base/errors.ts";
import { nearest } from "../../base/suggest.ts";
import { hideSecrets } from "../../ffmpeg/stderr.ts";
import type { InstalledFfmpeg } from "../../ffmpeg/version.ts";
import { DEFAULT_PORT } from "../../protocol/native/framing.ts";
import { MAX_PUBLISHED_NAME } from "../../protocol/native/request.ts";
import { isScriptInput, parseScriptInput, SCRIPT_FORMS, type ScriptInput } from "./script_spec.ts";

/** Kind of a live source, which decides how FFmpeg reads it. It reads none of the last three. */
export type LiveKind =
  | "device"
  | "generator"
  | "network"
  | "file"
  | "relay"
  | "script"
  | "published";

/** A source of another server. */
export interface Upstream {
  host: string;
  port: number;
  /** Name that the other server lists; absent for its default video. */
  name?: string;
  isEncrypted: boolean;
}

/** A live source. */
export interface LiveSource {
  /** Name in requests. */
  name: string;
  kind: LiveKind;
  /** FFmpeg's name of the format or device; absent if FFmpeg detects it. */
  format?: string;
  /** Input that FFmpeg opens. It may hold a password: see {@linkcode hideSecrets}. */
  input: string;
  /** Of a relay: what the input names. */
  upstream?: Upstream;
  /** Of a script: what the input names. */
  script?: ScriptInput;
}

/** Largest number of characters of a name, as in a request. */
const MAX_NAME_LENGTH = 1024;

/** Characters that may follow the name of a source if several scripts push it, as in `cam-2`. */
const SCRIPT_NUMBER_LENGTH = 10;

/** FFmpeg's devices that capture video or audio. */
const DEVICES = new Set([
  ...["v4l2", "video4linux2", "x11grab", "kmsgrab", "fbdev", "alsa", "pulse", "oss", "sndio"],
  ...["jack", "openal", "avfoundation", "dshow", "vfwcap", "gdigrab", "decklink", "iec61883"],
  ...["libdc1394", "libcdio", "android_camera", "bktr"],
]);

/** The query field that makes FFmpeg wait for a connection instead of making one. */
const LISTENS = /[?&](mode=listener|listen(=[12])?)(&|$)/;

/** Addresses of other servers: host, or IPv6 address in brackets, port and path. */
const UPSTREAM = /^(streams?):\/\/(?:\[([\da-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?(?:\/([^?#]*))?$/i;

/** The words in which errors show live sources: a flag of a program, or an option of a function. */
export interface LiveWords {
  option: string;
  /** What stands between name and input. */
  separator: string;
  /** Form of a source that is expected, with an example. */
  form: string;
  /** Form of the address of another server. */
  upstreamForm: string;
  /** Form of the address of a script. */
  scriptForm: string;
}

/** The flag of `stream-server`. */
const LIVE_FLAG: LiveWords = {
  option: "--live",
  separator: "=",
  form: "NAME=[FORMAT:]INPUT such as cam=v4l2:/dev/video0",
  upstreamForm: "NAME=stream://HOST[:PORT]/NAME, or streams:// for TLS",
  scriptForm: `NAME=${SCRIPT_FORMS}`,
};

/**
 * Reads one `NAME=[FORMAT:]INPUT`.
 *
 * @param words show it in errors
 * @throws {UsageError} if it is malformed
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseLiveSource } from "./source_spec.ts";
 *
 * assertEquals(parseLiveSource("cam=v4l2:/dev/video0"), {
 *   name: "cam",
 *   kind: "device",
 *   format: "v4l2",
 *   input: "/dev/video0",
 * });
 * ```
 */
export function parseLiveSource(text: string, words = LIVE_FLAG): LiveSource {
  const at = text.indexOf("=");
  const [name, rest] = [text.slice(0, at), text.slice(at + 1)];
  const reason = at < 0
    ? "there is no ="
    : name === ""
    ? "the name is empty"
    : name.length > MAX_NAME_LENGTH
    ? `the name has ${name.length} characters, more than ${MAX_NAME_LENGTH}`
    : /\p{Cc}/u.test(name)
    ? "the name has a control character"
    : rest.includes("\0")
    ? "the input has a NUL character"
    : /^[a-z0-9_]+:streams?:\/\//i.test(rest)
    ? "another server needs no format"
    : undefined;
  if (reason !== undefined) throw unusable(text, reason, words);
  if (isScriptInput(rest)) {
    const source = {
      name,
      kind: "script" as const,
      input: rest,
      script: parseScript(text, rest, words),
    };
    const most = MAX_PUBLISHED_NAME - SCRIPT_NUMBER_LENGTH;
    if (!isPushed(source) || name.length <= most) return source;
    const longer = `${name.length} characters, more than ${most}`;
    throw unusable(text, `the name, to which numbers are added, has ${longer}`, words);
  }
  const source = { name, ...parseLiveInput(rest) };
  if (source.input === "") throw unusable(text, "the input is empty", words);
  if (source.kind !== "relay") return source;
  const upstream = parseUpstream(source.input);
  if (upstream !== undefined) return { ...source, upstream };
  const form = words.upstreamForm;
  throw unusable(text, "that is no address of a server", { ...words, form });
}

function parseScript(text: string, input: string, words: LiveWords): ScriptInput {
  try {
    return parseScriptInput(input);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw unusable(text, error.message, { ...words, form: words.scriptForm });
  }
}

/** @throws {UsageError} if two sources have the same name */
export function refuseSameNames(sources: readonly LiveSource[]): void {
  const seen = new Set<string>();
  for (const { name } of sources) {
    if (seen.has(name)) {
      throw new UsageError(`Cannot use --live "${name}=…" twice: expected names that differ`);
    }
    seen.add(name);
  }
}

/**
 * Whether an input can be opened only once: most devices, and ports that others send or connect to.
 * It is captured once then, and all other renditions are made from the capture.
 */
export function isExclusive({ kind, input }: Pick<LiveSource, "kind" | "input">): boolean {
  return kind === "device" || /^(udp|rtp):/i.test(input) ||
    (kind === "network" && LISTENS.test(input));
}

/** A source that scripts push to this server, which listens for them. */
export type PushedSource = LiveSource & { script: ScriptInput };

/** Whether scripts push a source to this server. */
export function isPushed(source: LiveSource): source is PushedSource {
  const { script } = source;
  return script !== undefined && script.transport === "tcp" && script.host === undefined;
}

/** The path of a source of kind `file`, without `file:` and `file://`. */
export function pathOf({ input }: LiveSource): string {
  return input.replace(/^file:(\/\/(?=\/))?/i, "");
}

/** Reads the `[FORMAT:]INPUT` of a live source. */
export function parseLiveInput(text: string): Omit<LiveSource, "name"> {
  if (isUrl(text)) return { kind: kindOf(text), input: text };
  // Only a format's name may precede the first colon, so that paths may contain colons.
  const [, format, input] = text.match(/^([a-z0-9_]+):([^]*)$/) ?? [];
  if (format === undefined) return { kind: "file", input: text };
  if (format === "file") return { kind: "file", input };
  if (format === "lavfi") return { kind: "generator", format, input };
  if (DEVICES.has(format)) return { kind: "device", format, input };
  return { kind: kindOf(input), format, input };
}

/**
 * Parses the address of another server: `stream://host`, `streams://host:9000/cam`.
 *
 * @returns `undefined` for anything else
 */
export function parseUpstream(input: string): Upstream | undefined {
  const [, scheme, bracketed, plain, digits, path = ""] = input.match(UPSTREAM) ?? [];
  const host = bracketed ?? plain;
  const port = digits === undefined ? DEFAULT_PORT : Number(digits);
  const name = decode(path);
  if (host === undefined || port < 1 || port > 65535 || name === undefined) return undefined;
  if (name.length > MAX_NAME_LENGTH || name.includes("\0")) return undefined;
  const isEncrypted = scheme.toLowerCase() === "streams";
  return { host, port, name: name === "" ? undefined : name, isEncrypted };
}

/** @returns `undefined` for what is no percent-encoding of text */
function decode(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

function isUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
}

function kindOf(input: string): LiveKind {
  if (/^streams?:\/\//i.test(input)) return "relay";
  return isUrl(input) && !/^file:/i.test(input) ? "network" : "file";
}

function unusable(
  text: string,
  reason: string,
  { option, separator, form }: LiveWords,
): UsageError {
  const shown = JSON.stringify(hideSecrets(text).replace("=", separator).slice(0, 100));
  return new UsageError(`Cannot use ${option} ${shown}: ${reason}, expected ${form}`);
}

/** Options of {@linkcode refuseUnknownFormats}. */
export interface FormatCheckOptions {
  ffmpeg: Pick<InstalledFfmpeg, "demuxers">;
  /** The flag that names a source, for the message. */
  flagOf: (source: LiveSource) => string;
}

/**
 * Checks that FFmpeg knows the formats and devices of live sources.
 *
 * @throws {UsageError} for the first unknown one
 */
export async function refuseUnknownFormats(
  sources: readonly LiveSource[],
  { ffmpeg, flagOf }: FormatCheckOptions,
): Promise<void> {
  if (sources.every(({ format }) => format === undefined)) return;
  const known = await ffmpeg.demuxers();
  for (const source of sources) {
    const { format } = source;
    if (format === undefined || known.includes(format)) continue;
    const near = nearest(format, known);
    const hint = near === undefined ? "" : `, did you mean ${near}?`;
    throw new UsageError(
      `Cannot use ${flagOf(source)}: FFmpeg knows no format "${format}"${hint}`,
    );
  }
}
