import { UsageError } from "../base/errors.ts";
import { LOG_FORMATS, LOG_LEVELS } from "../base/log.ts";
import { VERSION } from "../base/version.ts";
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
} from "../cli/flags.ts";
import { parseListenAddress } from "../net/address.ts";
import type { Secret } from "../net/token.ts";
import { DEFAULT_PORT } from "../protocol/native/framing.ts";
import { DEFAULT_LINGER } from "../sources/live/registry.ts";
import { parseLiveSource } from "../sources/live/source_spec.ts";
import {
  DEFAULT_GRACE,
  DEFAULT_MAX_PIXELS,
  DEFAULT_START_CACHE_SIZE,
  type ServerOptions,
} from "./options.ts";

/** Bytes. */
const MEGABYTE = 1e6;

/** The command line of `stream-server`. */
export const SERVER_FLAGS = {
  media: text("FOLDER", "folder to serve, sub-folders included (./media)", "./media"),
  image: text("NAME", "what those get who ask for any image", undefined),
  video: text("NAME", "what those get who ask for any video", undefined),
  live: list(
    "NAME=[FORMAT:]INPUT",
    "something live beside the files; several times",
    parseLiveSource,
  ),
  "loop-live": toggle("begin live files again at their end"),
  "live-linger": number("S", "seconds that it runs on without viewers (10)", {
    absent: DEFAULT_LINGER,
    bounds: { min: 0, max: 86_400 },
  }),
  host: text("ADDRESS", "address to listen on (127.0.0.1); 0.0.0.0 for all", "127.0.0.1"),
  port: number("PORT", `TCP port (${DEFAULT_PORT}); 0 for any free one`, {
    absent: DEFAULT_PORT,
    bounds: { min: 0, max: 65535, integer: true },
  }),
  "max-clients": number("N", "viewers at once (64); one more is told so", {
    absent: 64,
    bounds: { min: 1, max: 100_000, integer: true },
  }),
  "max-per-address": number("N", "of them from one address (0: as many as there are)", {
    absent: 0,
    bounds: { min: 0, max: 100_000, integer: true },
  }),
  "token-file": text("FILE", "only for those with the token: its first line", undefined),
  "tls-cert": text("FILE", "encrypt, with this certificate (PEM)", undefined),
  "tls-key": text("FILE", "its private key (PEM)", undefined),
  "classic-open": toggle("scripts need no token"),
  "max-decoders": number<number | undefined>("N", "at once; others wait in line (4 a core)", {
    absent: undefined,
    bounds: { min: 1, max: 10_000, integer: true },
  }),
  "max-pixels": number("N", `of a picture in a file (${DEFAULT_MAX_PIXELS})`, {
    absent: DEFAULT_MAX_PIXELS,
    bounds: { min: 1, max: 2 ** 31 - 1, integer: true },
  }),
  cache: number("MB", "for how recent answers began (128); 0 for nothing", {
    absent: DEFAULT_START_CACHE_SIZE / MEGABYTE,
    bounds: { min: 0, max: 1_000_000 },
  }),
  grace: number("S", "seconds that answers may take when SIGTERM ends it (5)", {
    absent: DEFAULT_GRACE,
    bounds: { min: 0, max: 86_400 },
  }),
  metrics: text("[ADDR:]PORT", "tell over HTTP: /metrics /healthz /readyz", undefined),
  "log-level": choice(LOG_LEVELS, "how much is told on stderr (info)", "info"),
  "log-format": choice(LOG_FORMATS, "how it is written, json for machines (human)", "human"),
  completions: choice(SHELLS, "print what the shell completes flags by", undefined),
  version: toggle("print the version and exit"),
  help: toggle("print this and exit"),
};

/** Values of {@linkcode SERVER_FLAGS}. */
export type ServerFlags = FlagValues<typeof SERVER_FLAGS>;

/** What a command line asks for. */
export type ServerAction =
  /** A text is to be printed. */
  | { kind: "print"; text: string }
  | { kind: "serve"; flags: ServerFlags };

/**
 * Reads the command line.
 *
 * @throws {UsageError} where it asks for nothing that can be done
 */
export function parseServerFlags(args: readonly string[]): ServerAction {
  const flags = parseFlags(SERVER_FLAGS, args);
  if (flags.help) return { kind: "print", text: serverUsage() };
  if (flags.version) return { kind: "print", text: `stream-server ${VERSION}\n` };
  if (flags.completions === undefined) {
    checkTogether(flags);
    return { kind: "serve", flags };
  }
  const text = completionScript(flags.completions, "stream-server", SERVER_FLAGS);
  return { kind: "print", text };
}

/** @throws {UsageError} for flags that need each other */
function checkTogether(flags: ServerFlags): void {
  for (const [one, other] of [["tls-cert", "tls-key"], ["tls-key", "tls-cert"]] as const) {
    if (flags[one] === undefined || flags[other] !== undefined) continue;
    throw new UsageError(`Cannot use --${one} alone: expected --${other} with it`);
  }
}

/**
 * What the server is to do, by its flags.
 *
 * @param token that of the environment; a file that a flag names counts more
 * @throws {UsageError} for a place for metrics that is none
 */
export function toServerOptions(
  flags: ServerFlags,
  token: Secret | undefined,
): ServerOptions {
  const { host, port, media, image, video, metrics } = flags;
  const { "token-file": tokenFile, "tls-cert": cert, "tls-key": key } = flags;
  const isEncrypted = cert !== undefined && key !== undefined;
  return {
    ...{ host, port, media },
    defaults: { image, video },
    live: { sources: flags.live, loop: flags["loop-live"], linger: flags["live-linger"] },
    maxClients: flags["max-clients"],
    maxPerAddress: flags["max-per-address"],
    maxDecoders: flags["max-decoders"],
    maxPixels: flags["max-pixels"],
    startCacheSize: flags.cache * MEGABYTE,
    credentials: {
      tokenFile,
      token: tokenFile === undefined ? token : undefined,
      certificate: isEncrypted ? { cert, key } : undefined,
    },
    scriptsOpen: flags["classic-open"],
    warm: true,
    metrics: metrics === undefined ? undefined : parseListenAddress(metrics, "metrics"),
  };
}

/** What `stream-server --help` prints. */
export function serverUsage(): string {
  const flags = describeFlags(SERVER_FLAGS, {
    "What is served": ["media", "image", "video"],
    "What is shown live": ["live", "loop-live", "live-linger"],
    "To whom": [
      ...["host", "port", "max-clients", "max-per-address"] as const,
      ...["token-file", "tls-cert", "tls-key", "classic-open"] as const,
    ],
    "How much at most": ["max-decoders", "max-pixels", "cache", "grace"],
    "What is told of it": ["metrics", "log-level", "log-format"],
    "Also": ["completions", "version", "help"],
  });
  return `Usage: stream-server [flags]

Serves a folder of images and videos, and live sources, over TCP, read by
FFmpeg frame by frame, to stream-client and to scripts that send "get_image" or
"get_video".

${flags}
The environment may hold the token, too, in STREAM_TOKEN. On SIGHUP the token
file, the certificate and its key are read again. SIGTERM ends the server when
all are served, or the time for that is over; Ctrl-C ends it at once.

Examples:
  stream-server
  stream-server --media ~/Videos --host 0.0.0.0 --port 9000
  stream-server --host 0.0.0.0 --token-file t --tls-cert c.pem --tls-key k.pem
  stream-server --live cam=v4l2:/dev/video0 --live screen=x11grab::0
  stream-server --live door=rtsp://user:word@192.168.1.9/stream1
  stream-server --live test=lavfi:testsrc2=size=640x360:rate=30
`;
}
