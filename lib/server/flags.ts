import { UsageError } from "../base/errors.ts";
import { LOG_FORMATS, LOG_LEVELS } from "../base/log.ts";
import { completionScript, SHELLS } from "../cli/completions.ts";
import {
  choice,
  describeFlags,
  type FlagValues,
  list,
  number,
  parseFlags,
  text,
  toggle,
  VERSION,
} from "../cli/flags.ts";
import { ENCODER_CHOICES } from "../ffmpeg/encoders.ts";
import { parseListenAddress } from "../net/address.ts";
import type { Secret } from "../net/secret.ts";
import { DEFAULT_PORT } from "../protocol/native/framing.ts";
import { DEFAULT_LINGER } from "../sources/live/registry.ts";
import { type LiveSource, parseLiveSource } from "../sources/live/source_spec.ts";
import { PUBLISH_MODES } from "./auth/publish_access.ts";
import { parseRequestWord } from "./session/request_words.ts";
import { parseScriptOutput, refuseSamePorts } from "./script_spec.ts";
import {
  DEFAULT_GRACE,
  DEFAULT_MAX_CLIENTS,
  DEFAULT_MAX_PIXELS,
  DEFAULT_MAX_PUBLISHERS,
  DEFAULT_START_CACHE_SIZE,
  SERVER_BOUNDS,
  type ServerOptions,
} from "./options.ts";

const MEGABYTE = 1e6;

/** Flags of `stream-server`. */
export const SERVER_FLAGS = {
  media: text("FOLDER", "folder to serve, with its subfolders (./media)", "./media"),
  image: text("NAME", "image for requests that name none", undefined),
  video: text("NAME", "video for requests that name none", undefined),
  live: list(
    "NAME=[FORMAT:]INPUT",
    "a live source; may be repeated",
    parseLiveSource,
  ),
  "loop-live": toggle("restart live files at their end"),
  "live-linger": number("S", "seconds it keeps running without viewers (10)", {
    absent: DEFAULT_LINGER,
    bounds: SERVER_BOUNDS.liveLinger,
  }),
  "live-token-file": text("FILE", "file with the token for servers of stream://", undefined),
  "live-ca-cert": text("FILE", "authority that signs servers of streams:// (PEM)", undefined),
  publish: choice(PUBLISH_MODES, "who may send sources: none, local, token (local)", "local"),
  "publish-token-file": text("FILE", "with --publish token: file with that token", undefined),
  "max-publishers": number("N", `publishers at once (${DEFAULT_MAX_PUBLISHERS})`, {
    absent: DEFAULT_MAX_PUBLISHERS,
    bounds: SERVER_BOUNDS.maxPublishers,
  }),
  host: text("ADDRESS", "address to listen on (127.0.0.1); 0.0.0.0 for all", "127.0.0.1"),
  port: number("PORT", `TCP port (${DEFAULT_PORT}); 0 for any free one`, {
    absent: DEFAULT_PORT,
    bounds: SERVER_BOUNDS.port,
  }),
  http: text("[ADDR:]PORT", "serve the page for browsers here, too", undefined),
  "max-clients": number("N", "clients at once (64); others get a busy error", {
    absent: DEFAULT_MAX_CLIENTS,
    bounds: SERVER_BOUNDS.maxClients,
  }),
  "max-per-address": number("N", "clients from one address (0, no limit)", {
    absent: 0,
    bounds: SERVER_BOUNDS.maxPerAddress,
  }),
  "token-file": text("FILE", "require the token in the first line of this file", undefined),
  "tls-cert": text("FILE", "use TLS with this certificate (PEM)", undefined),
  "tls-key": text("FILE", "private key of the certificate (PEM)", undefined),
  "classic-open": toggle("let scripts in without the token"),
  "classic-request": list(
    "WORD",
    "as get_video, if a script sends it; may be repeated",
    parseRequestWord,
  ),
  script: list(
    "PORT=NAME[,FRAMING][,push:HOST:PORT]",
    "send NAME to scripts that do not ask; may be repeated",
    parseScriptOutput,
  ),
  "max-decoders": number<number | undefined>("N", "decoders at once (4 per core); others queue", {
    absent: undefined,
    bounds: SERVER_BOUNDS.maxDecoders,
  }),
  "max-pixels": number("N", `pixels of the largest picture (${DEFAULT_MAX_PIXELS})`, {
    absent: DEFAULT_MAX_PIXELS,
    bounds: SERVER_BOUNDS.maxPixels,
  }),
  cache: number("MB", "memory for frames that clients share (128); 0 for none", {
    absent: DEFAULT_START_CACHE_SIZE / MEGABYTE,
    bounds: { min: 0, max: SERVER_BOUNDS.startCacheSize.max / MEGABYTE },
  }),
  encoder: {
    ...choice(ENCODER_CHOICES, "encode h264 by h264_vaapi, …, or auto (libx264)", "libx264"),
    placeholder: "NAME",
  },
  hwaccel: text("NAME", "decode by vaapi, cuda, …, or auto (none)", "none"),
  grace: number("S", "seconds responses may take after SIGTERM (5)", {
    absent: DEFAULT_GRACE,
    bounds: SERVER_BOUNDS.grace,
  }),
  metrics: text("[ADDR:]PORT", "serve /metrics, /healthz and /readyz over HTTP", undefined),
  "log-level": choice(LOG_LEVELS, "lowest level to log on stderr (info)", "info"),
  "log-format": choice(LOG_FORMATS, "format of the log (human)", "human"),
  explain: toggle("explain each message of all clients on stderr"),
  completions: choice(SHELLS, "print completions for the shell", undefined),
  version: toggle("print the versions and exit", { short: "V" }),
  help: toggle("print this and exit", { short: "h" }),
};

/** Values of {@linkcode SERVER_FLAGS}. */
export type ServerFlags = FlagValues<typeof SERVER_FLAGS>;

/** Action that a command line asks for. */
export type ServerAction =
  | { kind: "print"; text: string }
  /** Print the versions of this program, which is named, of Deno and of FFmpeg. */
  | { kind: "version"; program: string }
  | { kind: "serve"; flags: ServerFlags };

/**
 * Parses a command line.
 *
 * @throws {UsageError} if the flags cannot be used
 */
export function parseServerFlags(args: readonly string[]): ServerAction {
  const flags = parseFlags(SERVER_FLAGS, args);
  if (flags.help) return { kind: "print", text: serverUsage() };
  if (flags.version) return { kind: "version", program: `stream-server ${VERSION}` };
  if (flags.completions === undefined) {
    checkPairs(flags);
    return { kind: "serve", flags };
  }
  const text = completionScript(flags.completions, "stream-server", SERVER_FLAGS);
  return { kind: "print", text };
}

/** @throws {UsageError} for flags that need each other */
function checkPairs(flags: ServerFlags): void {
  for (const [one, other] of [["tls-cert", "tls-key"], ["tls-key", "tls-cert"]] as const) {
    if (flags[one] === undefined || flags[other] !== undefined) continue;
    throw new UsageError(`Cannot use --${one} alone: expected --${other} with it`);
  }
  checkRelayFlags(flags);
  refuseSamePorts(flags.script, { mainPort: flags.port, live: flags.live });
  const file = flags["publish-token-file"];
  if (flags.publish === "token" && file === undefined) {
    throw new UsageError("Cannot use --publish token alone: expected --publish-token-file with it");
  }
  if (flags.publish !== "token" && file !== undefined) {
    throw new UsageError("Cannot use --publish-token-file alone: expected --publish token with it");
  }
}

/** @throws {UsageError} for a flag about other servers if none is relayed */
function checkRelayFlags(flags: ServerFlags): void {
  const schemes: [flag: "live-token-file" | "live-ca-cert", scheme: string][] = [
    ["live-token-file", "stream://"],
    ["live-ca-cert", "streams://"],
  ];
  for (const [flag, scheme] of schemes) {
    const isUsed = ({ upstream }: LiveSource) =>
      upstream !== undefined && (scheme === "stream://" || upstream.isEncrypted);
    if (flags[flag] === undefined || flags.live.some(isUsed)) continue;
    throw new UsageError(`Cannot use --${flag} alone: expected --live NAME=${scheme}… with it`);
  }
}

/** Standard error, for what is not logged. */
export interface ErrorOutput {
  write: (text: string) => void;
  isTerminal: boolean;
}

const NO_OUTPUT: ErrorOutput = { write: () => {}, isTerminal: false };

/**
 * Converts flags to the options of a server.
 *
 * @param token from the environment; the file of a flag takes precedence
 * @throws {UsageError} if an address for HTTP cannot be used
 */
export function toServerOptions(
  flags: ServerFlags,
  token: Secret | undefined,
  { write, isTerminal }: ErrorOutput = NO_OUTPUT,
): ServerOptions {
  const { host, port, media, image, video, http, metrics } = flags;
  const { "token-file": tokenFile, "tls-cert": cert, "tls-key": key } = flags;
  const isEncrypted = cert !== undefined && key !== undefined;
  // A QR code is for terminals, and neither for few lines nor for lines that programs read.
  const isDrawn = isTerminal && flags["log-format"] === "human" &&
    ["debug", "info"].includes(flags["log-level"]);
  return {
    ...{ host, port, media },
    defaults: { image, video },
    live: { sources: flags.live, loop: flags["loop-live"], linger: flags["live-linger"] },
    publish: flags.publish,
    maxPublishers: flags["max-publishers"],
    maxClients: flags["max-clients"],
    maxPerAddress: flags["max-per-address"],
    maxDecoders: flags["max-decoders"],
    maxPixels: flags["max-pixels"],
    encoder: flags.encoder,
    hwaccel: flags.hwaccel,
    startCacheSize: flags.cache * MEGABYTE,
    credentials: {
      tokenFile,
      token: tokenFile === undefined ? token : undefined,
      publishTokenFile: flags["publish-token-file"],
      relayTokenFile: flags["live-token-file"],
      relayAuthorityFile: flags["live-ca-cert"],
      certificate: isEncrypted ? { cert, key } : undefined,
    },
    scriptsOpen: flags["classic-open"],
    requestWords: flags["classic-request"],
    scripts: flags.script,
    warm: true,
    explain: flags.explain ? (line) => write(`${line}\n`) : undefined,
    draw: isDrawn ? write : undefined,
    http: http === undefined ? undefined : parseListenAddress(http, "http"),
    metrics: metrics === undefined ? undefined : parseListenAddress(metrics, "metrics"),
  };
}

/** Text of `stream-server --help`. */
export function serverUsage(): string {
  const flags = describeFlags(SERVER_FLAGS, {
    "Files": ["media", "image", "video"],
    "Live sources": ["live", "loop-live", "live-linger", "live-token-file", "live-ca-cert"],
    "Publishers": ["publish", "publish-token-file", "max-publishers"],
    "Clients": [
      ...["host", "port", "http", "max-clients", "max-per-address"] as const,
      ...["token-file", "tls-cert", "tls-key"] as const,
    ],
    "Scripts": ["script", "classic-request", "classic-open"],
    "Limits": ["max-decoders", "max-pixels", "cache", "grace"],
    "Hardware": ["encoder", "hwaccel"],
    "Logs and metrics": ["metrics", "log-level", "log-format", "explain"],
    "Other": ["completions", "version", "help"],
  });
  return `Usage: stream-server [flags]

Serves a folder of images and videos, and live sources, over TCP, frame by
frame, to stream-client and to scripts that send "get_image" or "get_video".
FFmpeg decodes them.

${flags}
--script sends NAME, a file or a live source, to each script that connects to
PORT of --host: at once, in real time, only the newest frames if the script is
slow. At the end it closes the connection. Scripts need no token there and get
no TLS. With push: it connects to a script that listens, and again, after 1 s
to 30 s, whenever that is not there or leaves. A file is then sent from its
start; once it was sent to its end, there are no further connections. FRAMING
is a length (i32le, u64le, u32be, ascii16, line, none), a +, and a payload
(pickle, jpeg, pickled-jpeg, raw:WxH:FORMAT, base64, npy): u64le+pickle if it
is left out.

--http serves a page that plays all of it in a browser, by HTTPS with
--tls-cert. It asks for the token, if there is one. Programs send that as
"Authorization: Bearer TOKEN", or as the password of any user.

The token may also be set in STREAM_TOKEN. SIGHUP reloads the token file, the
certificate and its key. SIGTERM stops the server once all responses are sent,
or after the time of --grace; Ctrl-C stops it at once.

Examples:
  stream-server
  stream-server --media ~/Videos --host 0.0.0.0 --port 9000
  stream-server --host 0.0.0.0 --token-file t --tls-cert c.pem --tls-key k.pem
  stream-server --http 0.0.0.0:8080 --token-file t
  stream-server --live cam=v4l2:/dev/video0 --live screen=x11grab::0
  stream-server --live door=rtsp://user:word@192.168.1.9/stream1
  stream-server --live test=lavfi:testsrc2=size=640x360:rate=30
  stream-server --live cam=v4l2:/dev/video0 --script 8486=cam,u32be+jpeg
  stream-server --live cam=stream://10.0.0.5/cam --live-token-file t
  stream-server --live cam=script:robot:8485 --live door=script::8485
`;
}
