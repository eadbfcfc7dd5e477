import { deadline } from "../base/async.ts";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { type Logger, LogQuota } from "../base/log.ts";
import { findLacks } from "../ffmpeg/sandbox.ts";
import { type FfmpegDialect, InstalledFfmpeg } from "../ffmpeg/version.ts";
import { type Address, formatAddress, isLoopback } from "../net/address.ts";
import { encodeFrame } from "../protocol/native/framing.ts";
import { StartCache } from "../sources/cache/start_cache.ts";
import { Library } from "../sources/file/library.ts";
import { DecoderSemaphore, MemoryBudget } from "../sources/limits.ts";
import { type LiveOptions, LiveSources } from "../sources/live/registry.ts";
import { refuseSameNames, refuseUnknownFormats } from "../sources/live/source_spec.ts";
import { type CredentialOptions, Credentials } from "./auth/credentials.ts";
import { ConnectionLimiter } from "./connection_limiter.ts";
import { startStatusServer, type StatusServer } from "./metrics/http.ts";
import { type Metrics, NO_METRICS } from "./metrics/metrics.ts";
import { PrometheusMetrics } from "./metrics/prometheus.ts";
import { Records } from "./metrics/request_log.ts";
import type { Defaults, Timeouts } from "./session/context.ts";
import { runSession } from "./session/session.ts";
import { Shutdown } from "./shutdown.ts";
import { startupWarnings } from "./start.ts";

/** What a server is to do. */
export interface ServerOptions {
  /** Address to listen on. */
  host: string;
  /** TCP port; 0 for any free one. */
  port: number;
  /** Path of the folder that is served. */
  media: string;
  defaults: Defaults;
  /** Live sources beside the folder. */
  live?: LiveOptions;
  /** Peers served at once; the next one is told that the server is full. */
  maxClients: number;
  /** The same for those of one address, of IPv6 one network; 0, and absent, for no limit of its own. */
  maxPerAddress?: number;
  /** Decoders that run at once; four for each core where absent, and eight at least. */
  maxDecoders?: number;
  /** Who may watch, and TLS; everybody may, without it, where nothing is said. */
  credentials?: CredentialOptions;
  /** Scripts, which know no token, may watch where one is needed. */
  scriptsOpen?: boolean;
  timeouts?: Timeouts;
  /**
   * Paces the frames of files.
   *
   * @default MONOTONIC_CLOCK
   */
  clock?: Clock;
  /** Pixels of the largest picture that is decoded; 2^27 unless told. */
  maxPixels?: number;
  /** Bytes that the frames of all viewers together may take. */
  maxMemory?: number;
  /** Bytes for how recent answers began, beside that; 128 MB where absent, 0 for none. */
  headCacheSize?: number;
  /** Look into the files before anybody asks for them. */
  warm?: boolean;
  /** Where it tells over HTTP what it does; nowhere where absent. */
  metrics?: Address;
}

/** How long a peer may keep the server waiting, where nothing else is said. */
export const DEFAULT_TIMEOUTS: Timeouts = { request: 10_000, stall: 30_000, ping: 5_000 };

/** Bytes; enough for 115 viewers of 4K, or 460 of 1080p, with 8 bits and 4:2:0. */
const DEFAULT_MAX_MEMORY = 4 * 2 ** 30;

/**
 * Bytes that how recent answers began may take, where nothing is said: enough for two that are a
 * third of a second of 1080p as BGR, which is what scripts get.
 */
export const DEFAULT_HEAD_CACHE = 128e6;

/** Pixels; as RGB, such a picture takes 400 MB while it is decoded. */
export const DEFAULT_MAX_PIXELS = 2 ** 27;

/** Seconds that answers may take when the server is told to end, where nothing else is said. */
export const DEFAULT_GRACE = 5;

/** How many decoders may run at once, where nothing is said. */
export function defaultMaxDecoders(): number {
  return Math.max(8, 4 * navigator.hardwareConcurrency);
}

/** Milliseconds that peers get, when time is over, to take what is said at the end. */
const FAREWELL = 1000;

/** Milliseconds before the next try where a connection could not be accepted. */
const ACCEPT_PAUSE = 100;

/** Milliseconds between lines in the log about that: it may last, and be tried many times. */
const ACCEPT_TOLD = 60_000;

/** A listening server. */
export class Server implements AsyncDisposable {
  #listener: Deno.TcpListener;
  #library: Library;
  #credentials: Credentials;
  #options: ServerOptions;
  #logger: Logger;
  #stop = new AbortController();
  #shutdown = new Shutdown();
  #budget: MemoryBudget;
  #live: LiveSources;
  #sessions = new Set<Promise<void>>();
  #connections: ConnectionLimiter;
  #slots: DecoderSemaphore;
  #startCache: StartCache;
  #finished: Promise<void> | undefined;
  #status: StatusServer | undefined;
  #metrics: Metrics;
  #quota: LogQuota;
  #records: Records;

  constructor(
    listener: Deno.TcpListener,
    { library, credentials, dialect }: {
      library: Library;
      credentials: Credentials;
      dialect: FfmpegDialect;
    },
    { options, logger, metrics = NO_METRICS }: {
      options: ServerOptions;
      logger: Logger;
      metrics?: Metrics;
    },
  ) {
    this.#listener = listener;
    this.#library = library;
    this.#credentials = credentials;
    this.#options = options;
    this.#slots = new DecoderSemaphore(options.maxDecoders ?? defaultMaxDecoders());
    this.#connections = new ConnectionLimiter({
      total: options.maxClients,
      perAddress: options.maxPerAddress ?? 0,
    });
    this.#metrics = metrics;
    const { headCacheSize = DEFAULT_HEAD_CACHE } = options;
    this.#startCache = new StartCache(headCacheSize, () => metrics.remembered());
    this.#quota = new LogQuota(logger);
    this.#records = new Records({ metrics, quota: this.#quota });
    this.#budget = new MemoryBudget(options.maxMemory ?? DEFAULT_MAX_MEMORY);
    this.#logger = logger;
    this.#live = new LiveSources(options.live ?? { sources: [] }, {
      budget: this.#budget,
      slots: this.#slots,
      dialect,
      prepare: encodeFrame,
      logger,
    });
    metrics.watch({
      viewers: () => this.#connections.taken,
      decoders: () => this.#slots.taken,
      waiting: () => this.#slots.waiting,
      liveFeeds: () => this.#live.running,
      frameMemory: () => this.#budget.taken,
      headMemory: () => this.#startCache.taken,
    });
  }

  /** Whether whoever connects now is listened to. */
  get isReady(): boolean {
    return this.#finished !== undefined && !this.#shutdown.begun.aborted;
  }

  /** Where it listens. */
  get address(): Deno.NetAddr {
    return this.#listener.addr;
  }

  /**
   * Serves whoever connects, until the server is disposed.
   *
   * @throws {Error} where nobody can be served any more
   */
  run(): Promise<void> {
    this.#finished ??= Promise.all([this.#accept(), this.#warm()]).then(() => {});
    return this.#finished;
  }

  /** Reads the token and the certificate again, for whoever connects and asks from then on. */
  async reload(): Promise<void> {
    await this.#credentials.reload();
  }

  /**
   * Closes the port, and lets the answers go on that are under way. Those that are not over in time
   * are broken off, and their peers told so. What is left then goes when the server is disposed.
   *
   * @param grace milliseconds that they may take
   * @param signal ends the waiting
   */
  async drain({ grace, signal }: { grace: number; signal: AbortSignal }): Promise<void> {
    if (this.#shutdown.begun.aborted) return;
    this.#closePort();
    const { responses } = this.#shutdown;
    const viewers = `${responses} ${responses === 1 ? "viewer" : "viewers"}`;
    const wait = responses > 0 && grace > 0 ? `, waiting up to ${grace / 1000} s` : "";
    this.#logger.log("info", `ending: ${viewers}${wait}`);
    await this.#untilQuiet(responses > 0 ? grace : 0, signal);
    const late = this.#shutdown.responses;
    this.#shutdown.breakOff();
    await this.#untilQuiet(FAREWELL, signal);
    const broken = late === 1 ? "1 answer was" : `${late === 0 ? "no" : late} answers were`;
    this.#logger.log("info", `ended: ${broken} broken off`);
  }

  /** Waits until all sessions are over, but not for longer than so many milliseconds. */
  async #untilQuiet(milliseconds: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = () => resolve();
    using _limit = deadline(milliseconds, stop);
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    await Promise.race([promise, Promise.all(this.#sessions)]);
    signal.removeEventListener("abort", stop);
  }

  /** From here on, nothing new is begun. Harmless when repeated. */
  #closePort(): void {
    if (this.#shutdown.begun.aborted) return;
    this.#shutdown.begin();
    this.#listener.close();
  }

  /** Closes the port, ends all sessions, and waits until they are over. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closePort();
    this.#stop.abort();
    // Why it failed, if it did, is for whoever runs it.
    await this.#finished?.catch(() => {});
    await Promise.all(this.#sessions);
    await this.#live[Symbol.asyncDispose]();
    this.#quota[Symbol.dispose]();
    // Last, since it tells that the server is ending.
    await this.#status?.[Symbol.asyncDispose]();
  }

  /** Tells over HTTP what it does, until it is over. */
  async tellStatus(address: Address, metrics: PrometheusMetrics): Promise<void> {
    this.#status = await startStatusServer(address, {
      metrics: async () => ({ text: await metrics.text(), type: metrics.contentType }),
      isReady: () => this.isReady,
    });
    const where = this.#status.address;
    this.#logger.log("info", `Metrics are at http://${formatAddress(where)}/metrics`);
    if (isLoopback(where.hostname)) return;
    this.#logger.log("warn", `Anybody who reaches ${where.hostname} can read the metrics`);
  }

  async #warm(): Promise<void> {
    if (!this.#options.warm) return;
    try {
      await this.#library.warm(this.#shutdown.begun);
    } catch (error) {
      this.#logger.log("warn", `Cannot look into all files beforehand: ${messageOf(error)}`);
    }
  }

  async #accept(): Promise<void> {
    let toldAt = -Infinity;
    while (true) {
      let socket: Deno.TcpConn;
      try {
        socket = await this.#listener.accept();
      } catch (error) {
        if (this.#shutdown.begun.aborted) return;
        // A peer that left before it was accepted, or no descriptor left for one more: the next
        // session that ends makes room.
        const now = performance.now();
        if (now - toldAt >= ACCEPT_TOLD) {
          toldAt = now;
          this.#logger.log("warn", `Cannot accept a connection: ${messageOf(error)}`);
        }
        const { promise, resolve } = Promise.withResolvers<void>();
        using _pause = deadline(ACCEPT_PAUSE, resolve);
        await Promise.race([...this.#sessions, promise]);
        continue;
      }
      this.#admit(socket);
    }
  }

  #admit(socket: Deno.TcpConn): void {
    const { defaults, scriptsOpen, timeouts = DEFAULT_TIMEOUTS, clock } = this.#options;
    const place = this.#connections.take(socket.remoteAddr.hostname);
    if (place === undefined || place.refusal !== undefined) {
      this.#metrics.refused(place?.refusal ?? "full");
    }
    if (place === undefined) {
      socket.close();
      return;
    }
    const { access, certificate } = this.#credentials;
    const shared = {
      library: this.#library,
      live: this.#live,
      defaults,
      access,
      scriptsOpen,
      budget: this.#budget,
      slots: this.#slots,
      startCache: this.#startCache,
      timeouts,
      clock,
      records: this.#records,
      logger: this.#logger,
      shutdown: this.#shutdown,
      signal: this.#stop.signal,
    };
    const session = runSession(socket, shared, { refusal: place.refusal, certificate });
    this.#sessions.add(session);
    session.finally(() => {
      this.#sessions.delete(session);
      place[Symbol.dispose]();
    });
  }
}

/**
 * Opens the library and the port.
 *
 * @throws {Error} with what to do about it, where the server cannot do its work
 */
export async function startServer(options: ServerOptions, logger: Logger): Promise<Server> {
  const live = options.live?.sources ?? [];
  refuseSameNames(live);
  const names = live.map(({ name }) => name);
  const library = new Library(options.media, {
    otherNames: names,
    maxPixels: options.maxPixels ?? DEFAULT_MAX_PIXELS,
    probeTimeout: options.timeouts?.probe,
  });
  await using installed = new InstalledFfmpeg();
  const versions = await installed.describe("ffmpeg", "ffprobe");
  const dialect = await installed.dialect();
  for (const line of await findLacks()) logger.log("warn", line);
  await refuseUnknownFormats(live);
  for (const name of [options.defaults.image, options.defaults.video]) {
    if (name !== undefined && !names.includes(name)) await library.find(name);
  }
  for (const name of names) {
    if (!await library.has(name)) continue;
    logger.log("warn", `"${name}" is the name of a file, too: the live source is what is shown`);
  }
  const { scriptsOpen = false } = options;
  const credentials = await Credentials.open(options.credentials ?? {}, logger);
  const listener = listen(options);
  const guards = {
    token: credentials.access.isGuarded,
    tls: credentials.certificate !== undefined,
    scriptsOpen,
  };
  for (const line of startupWarnings(listener.addr.hostname, guards)) logger.log("warn", line);
  const sources = { library, credentials, dialect };
  const metrics = options.metrics === undefined ? undefined : new PrometheusMetrics();
  const server = new Server(listener, sources, { options, logger, metrics });
  try {
    if (options.metrics !== undefined && metrics !== undefined) {
      await server.tellStatus(options.metrics, metrics);
    }
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  // Last, since a server that cannot start says why in one line.
  logger.log("info", versions);
  return server;
}

function listen({ host, port }: ServerOptions): Deno.TcpListener {
  try {
    return Deno.listen({ hostname: host, port });
  } catch (cause) {
    const reason = cause instanceof Deno.errors.AddrInUse
      ? "the port is taken, choose another with --port, or --port 0 for a free one"
      : cause instanceof Deno.errors.PermissionDenied
      ? "not permitted, choose a port above 1023 with --port"
      : `${messageOf(cause)}, choose an address of this machine with --host`;
    throw new Error(`Cannot listen on ${formatAddress({ hostname: host, port })}: ${reason}`, {
      cause,
    });
  }
}
