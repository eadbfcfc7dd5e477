/** The server as a function, for programs that import it. */
import { UsageError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { checkNumbers, checkOption } from "../base/options.ts";
import { ENCODER_CHOICES, type EncoderChoice } from "../ffmpeg/encoders.ts";
import type { Secret } from "../net/secret.ts";
import { toToken } from "../net/token.ts";
import { SCRIPT_FORMS } from "../sources/live/script_spec.ts";
import { type LiveWords, parseLiveSource } from "../sources/live/source_spec.ts";
import { PUBLISH_MODES, type PublishMode } from "./auth/publish_access.ts";
import {
  DEFAULT_GRACE,
  DEFAULT_MAX_CLIENTS,
  SERVER_BOUNDS,
  type ServerOptions,
} from "./options.ts";
import type { OptionNames } from "./option_names.ts";
import { type Server, startServer } from "./server.ts";

const NAMES: OptionNames = {
  host: "the option host",
  port: "the option port",
  maxClients: "the option maxClients",
  maxPerAddress: "the option maxPerAddress",
  media: "the option media",
  live: "the option live",
  liveCaCert: "the option liveCaCert",
  token: "the option token",
  tls: "the option tls",
  publish: "publish",
  http: "the option http",
  metrics: "the option metrics",
  scriptsOpen: "the option scriptsOpen",
};

const LIVE_WORDS: LiveWords = {
  option: NAMES.live,
  separator: ": ",
  form: '{ NAME: "[FORMAT:]INPUT" } such as { cam: "v4l2:/dev/video0" }',
  upstreamForm: '{ NAME: "stream://HOST[:PORT]/NAME" }, or streams:// for TLS',
  scriptForm: `{ NAME: INPUT } with ${SCRIPT_FORMS}`,
};

const BOUNDS = Object.entries(SERVER_BOUNDS);

/** Options of {@linkcode serve}; all have defaults. */
export interface ServeOptions {
  /** Path of the folder that is served, with its subfolders. @default no files */
  media?: string;
  /** Name of the image for requests that name none. @default the first one */
  image?: string;
  /** Name of the video for requests that name none. @default the first one */
  video?: string;
  /** Probe all files before anybody asks for them. @default false */
  warm?: boolean;
  /** Live sources by name: `[FORMAT:]INPUT`, such as `v4l2:/dev/video0`. @default none */
  live?: Readonly<Record<string, string>>;
  /** Restart live files at their end. @default false */
  loopLive?: boolean;
  /** Seconds that a live source runs on without viewers. @default 10 */
  liveLinger?: number;
  /** The token that servers of `stream://` inputs require. @default none */
  liveToken?: string;
  /**
   * Path of the authority that signs the certificates of `streams://` inputs, in PEM.
   *
   * @default those that this machine trusts
   */
  liveCaCert?: string;
  /** Address to listen on; `0.0.0.0` for all. @default "127.0.0.1" */
  host?: string;
  /** TCP port; 0 for any free one. @default 0 */
  port?: number;
  /** The token that viewers have to send. @default everybody may watch */
  token?: string;
  /** Paths of certificate and private key in PEM; encrypts all connections. @default no TLS */
  tls?: { cert: string; key: string };
  /** Who may publish: nobody, this machine, or who sends `publishToken`. @default "local" */
  publish?: PublishMode;
  /** The token for publishing; required if `publish` is `token`. */
  publishToken?: string;
  /** Publishers at once. @default 64 */
  maxPublishers?: number;
  /** Clients at once; others get the error `busy`. @default 64 */
  maxClients?: number;
  /** Clients at once from one address; 0 for no such limit. @default 0 */
  maxPerAddress?: number;
  /** Decoders at once; others queue. @default 4 for each core, at least 8 */
  maxDecoders?: number;
  /** Pixels of the largest picture that is decoded. @default 134_217_728 */
  maxPixels?: number;
  /** Bytes that the frames of all viewers together may take. @default 4_294_967_296 */
  maxMemory?: number;
  /**
   * Bytes of the frames that are kept of files and shared by clients; 0 for none, and a decoder for
   * each client.
   *
   * @default 128_000_000
   */
  startCacheSize?: number;
  /**
   * FFmpeg's name of the encoder of `h264`, or `auto`: for live sources the first one in hardware that
   * works. Files are encoded by hardware only if it is named, and cannot be resumed then. If it does
   * not work, `logger` gets the reason, and libx264 is used.
   *
   * @default "libx264"
   */
  encoder?: EncoderChoice;
  /**
   * The method that decodes video: one that `ffmpeg -hwaccels` lists, `auto` for the first one that
   * works, or `none`. If it does not work, `logger` gets the reason, and the processor decodes.
   *
   * @default "none"
   */
  hwaccel?: string;
  /**
   * Address at which the page for browsers is served, by HTTPS if there is `tls`. Visitors need the
   * token, if there is one.
   *
   * @default none
   */
  http?: { host: string; port: number };
  /** Address at which `/metrics`, `/healthz` and `/readyz` are served by HTTP. @default none */
  metrics?: { host: string; port: number };
  /** Serve scripts, which send no token, even if a token is required. @default false */
  scriptsOpen?: boolean;
  /** Takes what the server logs; must not throw. @default nothing is logged */
  logger?: Logger;
}

/** A server that runs in this process, from {@linkcode serve}. Disposing it cuts what it sends. */
export interface MediaServer extends AsyncDisposable {
  /** The address that it listens on. */
  readonly address: { host: string; port: number };
  /** Of its certificate, for clients to trust: `sha256:` and 64 digits; without TLS absent. */
  readonly fingerprint: string | undefined;
  /** URL of the page; absent if none is served. */
  readonly page: string | undefined;
  /** Settles when it has ended; rejects if it cannot serve any more. */
  readonly finished: Promise<void>;
  /**
   * Takes no more clients, lets responses finish, and cuts those that take longer.
   *
   * @param options `grace`: seconds that responses may take, by default 5; `signal` ends the wait
   */
  drain(options?: { grace?: number; signal?: AbortSignal }): Promise<void>;
  /** Reads the certificate and its key again, for connections from then on. */
  reload(): Promise<void>;
}

/**
 * Serves a folder of media, live sources, and what is published, by the native protocol and to
 * scripts, as `stream-server` does. Needs FFmpeg.
 *
 * @throws {TypeError} if an option is wrong
 * @throws {Error} if the folder cannot be read, the port is taken, or FFmpeg is missing
 *
 * @example
 * ```ts
 * import { connect, serve } from "@stream/media";
 *
 * await using server = await serve({
 *   media: "media",
 *   live: { test: "lavfi:testsrc=size=64x48:rate=25" },
 * });
 * for await (const { time } of connect(server.address).watch("test")) {
 *   console.log(time);
 *   break;
 * }
 * ```
 */
export async function serve(options: ServeOptions = {}): Promise<MediaServer> {
  const server = await start(toServerOptions(options), safeLogger(options.logger));
  return new RunningServer(server);
}

/** A logger that does not throw: some events come from callbacks whose errors nothing catches. */
function safeLogger(logger: Logger | undefined): Logger {
  return {
    log: (...event) => {
      try {
        logger?.log(...event);
      } catch {
        // Nowhere is left to report it.
      }
    },
  };
}

async function start(options: ServerOptions, logger: Logger): Promise<Server> {
  try {
    return await startServer(options, logger);
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    throw new TypeError(cause.message, { cause });
  }
}

/** @throws {TypeError} if an option is wrong */
function toServerOptions(options: ServeOptions): ServerOptions {
  const { media, image, video, warm, loopLive, liveLinger } = options;
  const { host = "127.0.0.1", port = 0, tls, publish, scriptsOpen } = options;
  const { http, metrics } = options;
  const { maxPublishers, maxClients = DEFAULT_MAX_CLIENTS, maxPerAddress } = options;
  const { maxDecoders, maxPixels, maxMemory, startCacheSize, encoder, hwaccel } = options;
  const limits = { maxPublishers, maxClients, maxPerAddress, maxDecoders };
  const sizes = { maxPixels, maxMemory, startCacheSize };
  for (const [name, value] of Object.entries({ port, liveLinger, ...limits, ...sizes })) {
    const [, bounds] = BOUNDS.find(([other]) => other === name) ?? [];
    if (bounds !== undefined) checkNumbers({ [name]: value }, bounds);
  }
  if (http !== undefined) checkNumbers({ "http.port": http.port }, SERVER_BOUNDS.port);
  if (metrics !== undefined) checkNumbers({ "metrics.port": metrics.port }, SERVER_BOUNDS.port);
  checkPublish(options);
  if (encoder !== undefined && !ENCODER_CHOICES.includes(encoder)) {
    throw new TypeError(
      `Cannot use encoder "${encoder}": expected one of ${ENCODER_CHOICES.join(", ")}`,
    );
  }
  return {
    ...{ media, host, port, defaults: { image, video }, warm, publish, scriptsOpen },
    ...{ ...limits, ...sizes, encoder, hwaccel },
    http: http && { hostname: http.host, port: http.port },
    metrics: metrics && { hostname: metrics.host, port: metrics.port },
    live: { sources: toSources(options.live), loop: loopLive, linger: liveLinger },
    credentials: {
      token: readToken(options, "token"),
      publishToken: readToken(options, "publishToken"),
      relayToken: readToken(options, "liveToken"),
      relayAuthorityFile: options.liveCaCert,
      certificate: tls,
    },
    names: NAMES,
  };
}

function readToken(
  options: ServeOptions,
  name: "token" | "publishToken" | "liveToken",
): Secret | undefined {
  const text = options[name];
  if (text === undefined) return undefined;
  return checkOption(() => toToken(text, `the option ${name}`, "it"));
}

function checkPublish({ publish = "local", publishToken }: ServeOptions): void {
  if (!PUBLISH_MODES.includes(publish)) {
    throw new TypeError(
      `Cannot use publish "${publish}": expected one of ${PUBLISH_MODES.join(", ")}`,
    );
  }
  if ((publish === "token") === (publishToken !== undefined)) return;
  throw new TypeError(
    publishToken === undefined
      ? 'Cannot use publish "token" alone: expected publishToken with it'
      : 'Cannot use publishToken alone: expected publish "token" with it',
  );
}

function toSources(live: ServeOptions["live"] = {}) {
  return Object.entries(live).map(([name, input]) => {
    if (!name.includes("=")) {
      return checkOption(() => parseLiveSource(`${name}=${input}`, LIVE_WORDS));
    }
    throw new TypeError(`Cannot serve live source "${name}": expected a name without =`);
  });
}

class RunningServer implements MediaServer {
  readonly finished: Promise<void>;
  readonly address: { host: string; port: number };
  #server: Server;
  #disposed: Promise<void> | undefined;

  constructor(server: Server) {
    const { hostname, port } = server.address;
    this.address = { host: hostname, port };
    this.#server = server;
    this.finished = server.run();
    // It may fail while nobody waits for it.
    this.finished.catch(() => {});
  }

  get fingerprint(): string | undefined {
    return this.#server.fingerprint;
  }

  get page(): string | undefined {
    return this.#server.page;
  }

  async drain(
    { grace = DEFAULT_GRACE, signal = new AbortController().signal }: {
      grace?: number;
      signal?: AbortSignal;
    } = {},
  ): Promise<void> {
    checkNumbers({ grace }, SERVER_BOUNDS.grace);
    await this.#server.drain({ grace: grace * 1000, signal });
  }

  async reload(): Promise<void> {
    await this.#server.reload();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#server[Symbol.asyncDispose]();
    await this.#disposed;
  }
}
