/** Starts a server, opens its ports, and drains it. */
import { MONOTONIC_CLOCK } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { type Logger, LogQuota, printable } from "../base/log.ts";
import { findLacks } from "../ffmpeg/sandbox.ts";
import { type FfmpegDialect, InstalledFfmpeg } from "../ffmpeg/version.ts";
import { type Address, formatAddress, isLoopback } from "../net/address.ts";
import { Explanation } from "../protocol/explainer.ts";
import { encodeFrame } from "../protocol/native/framing.ts";
import { StartCache } from "../sources/cache/start_cache.ts";
import { Library } from "../sources/file/library.ts";
import { DecoderSemaphore, MemoryBudget } from "../sources/limits.ts";
import { Publications } from "../sources/publish/published.ts";
import { DEFAULT_LINGER, LiveSources } from "../sources/live/registry.ts";
import { openerOf } from "../sources/publish/openers.ts";
import { isPushed, refuseSameNames, refuseUnknownFormats } from "../sources/live/source_spec.ts";
import { Credentials, relayWarnings, startupWarnings } from "./auth/credentials.ts";
import { PublishAccess } from "./auth/publish_access.ts";
import { type ListenerRow, Listeners } from "./listeners.ts";
import { pushRows, pushWarnings } from "./push_rows.ts";
import { type MetricsServer, startMetricsServer } from "./metrics/http.ts";
import { type Metrics, NO_METRICS } from "./metrics/metrics.ts";
import { PrometheusMetrics } from "./metrics/prometheus.ts";
import { RequestLog } from "./metrics/request_log.ts";
import {
  DEFAULT_MAX_MEMORY,
  DEFAULT_MAX_PIXELS,
  DEFAULT_MAX_PUBLISHERS,
  DEFAULT_START_CACHE_SIZE,
  DEFAULT_TIMEOUTS,
  defaultMaxDecoders,
  type ServerOptions,
} from "./options.ts";
import { SERVER_FLAG_NAMES } from "./option_names.ts";
import { scriptRows } from "./script_rows.ts";
import { pushToScript } from "./session/script_output.ts";
import { runSession, type SharedContext } from "./session/session.ts";
import { Shutdown } from "./shutdown.ts";

/** Milliseconds in which peers may still read the last messages once the grace period is over. */
const LAST_MESSAGES = 1000;

/** Library, credentials, FFmpeg and log of a server. */
export interface ServerContext {
  library: Library;
  credentials: Credentials;
  dialect: FfmpegDialect;
  logger: Logger;
}

/** A server: what its conversations share, and the ports that they come through. */
export class Server implements AsyncDisposable {
  #options: ServerOptions;
  #logger: Logger;
  #library: Library;
  #credentials: Credentials;
  #live: LiveSources;
  #publications: Publications;
  #quota: LogQuota;
  #prometheus: PrometheusMetrics | undefined;
  #listeners: Listeners;
  #shutdown = new Shutdown();
  #stop = new AbortController();
  #shared: SharedContext;
  #finished: Promise<void> | undefined;

  constructor(options: ServerOptions, { library, credentials, dialect, logger }: ServerContext) {
    this.#options = options;
    this.#logger = logger;
    this.#library = library;
    this.#credentials = credentials;
    this.#prometheus = options.metrics === undefined ? undefined : new PrometheusMetrics();
    const metrics: Metrics = this.#prometheus ?? NO_METRICS;
    const slots = new DecoderSemaphore(options.maxDecoders ?? defaultMaxDecoders());
    const budget = new MemoryBudget(options.maxMemory ?? DEFAULT_MAX_MEMORY);
    const { startCacheSize = DEFAULT_START_CACHE_SIZE } = options;
    const startCache = new StartCache(startCacheSize, () => metrics.startCacheHit());
    const { maxPixels = DEFAULT_MAX_PIXELS } = options;
    const { sources = [], ...liveOptions } = options.live ?? {};
    const live = new LiveSources({ ...liveOptions, sources: [] }, {
      ...{ budget, slots, dialect, maxPixels, prepare: encodeFrame, logger },
      openerOf: (source) =>
        openerOf(source, {
          ...{ maxPixels, logger, host: options.host },
          credentials: (upstream) => credentials.relayCredentials(upstream),
          observe: (peer) => explanationOf(peer, options),
        }),
    });
    this.#live = live;
    const publications = new Publications(live, {
      max: options.maxPublishers ?? DEFAULT_MAX_PUBLISHERS,
      linger: options.live?.linger ?? DEFAULT_LINGER,
      logger,
    });
    this.#publications = publications;
    for (const source of sources) {
      if (isPushed(source)) publications.reserve(source);
      else live.add(source);
    }
    this.#quota = new LogQuota(logger);
    this.#listeners = new Listeners({
      limits: { total: options.maxClients, perAddress: options.maxPerAddress ?? 0 },
      logger,
      onRefusal: (reason) => metrics.connectionRefused(reason),
    });
    const { defaults, scriptsOpen, requestWords } = options;
    const { timeouts = DEFAULT_TIMEOUTS, clock, explain } = options;
    this.#shared = {
      ...{ library, live, budget, slots, startCache, logger },
      ...{ defaults, scriptsOpen, requestWords, timeouts, clock, explain, names: options.names },
      authenticator: credentials.authenticator,
      publishAccess: new PublishAccess(
        options.publish ?? "local",
        credentials.publishAuthenticator,
        options.names?.publish,
      ),
      publications,
      maxPixels,
      requestLog: new RequestLog({ metrics, quota: this.#quota }),
      shutdown: this.#shutdown,
      signal: this.#stop.signal,
    };
    metrics.watch({
      viewers: () => this.#listeners.connections,
      decoders: () => slots.taken,
      waiting: () => slots.waiting,
      liveFeeds: () => live.running,
      publishers: () => publications.count,
      frameMemory: () => budget.taken,
      startCacheMemory: () => startCache.taken,
    });
  }

  /** Whether a client that connects now is served. */
  get isReady(): boolean {
    return this.#finished !== undefined && !this.#shutdown.draining.aborted;
  }

  /** Address of the media port. */
  get address(): Deno.NetAddr {
    return this.#listeners.address;
  }

  /** Fingerprint of the certificate, `sha256:` and 64 hexadecimal digits; without TLS absent. */
  get fingerprint(): string | undefined {
    return this.#credentials.certificate?.fingerprint;
  }

  /**
   * Opens all ports.
   *
   * @throws {Error} with what to do about it, if one cannot be opened
   */
  async listen(): Promise<void> {
    await this.#listeners.open(this.#table());
  }

  /**
   * Serves everybody who connects, until the server is disposed.
   *
   * @throws {Error} if nobody can be served any more
   */
  run(): Promise<void> {
    if (this.#finished !== undefined) return this.#finished;
    for (const output of this.#options.scripts ?? []) {
      const { push } = output;
      if (push !== undefined) this.#listeners.follow(pushToScript(output, push, this.#shared));
    }
    this.#finished = Promise.all([this.#listeners.run(), this.#warm()]).then(() => {});
    return this.#finished;
  }

  /** Reads the token and the certificate again; connections from then on get the new ones. */
  async reload(): Promise<void> {
    await this.#credentials.reload();
  }

  /**
   * Closes the ports and lets responses finish. Those that take longer than the grace period are
   * cut, and their peers get an error. Whatever is left ends when the server is disposed.
   *
   * @param grace milliseconds
   * @param signal ends the wait
   */
  async drain({ grace, signal }: { grace: number; signal: AbortSignal }): Promise<void> {
    if (this.#shutdown.draining.aborted) return;
    this.#closePorts();
    const { responses } = this.#shutdown;
    const viewers = `${responses} ${responses === 1 ? "viewer" : "viewers"}`;
    const wait = responses > 0 && grace > 0 ? `, waiting up to ${grace / 1000} s` : "";
    this.#logger.log("info", `ending: ${viewers}${wait}`);
    await this.#listeners.idleWithin(responses > 0 ? grace : 0, signal);
    const late = this.#shutdown.responses;
    this.#shutdown.stop();
    await this.#listeners.idleWithin(LAST_MESSAGES, signal);
    const cut = late === 1 ? "1 response was" : `${late === 0 ? "no" : late} responses were`;
    this.#logger.log("info", `ended: ${cut} cut`);
  }

  /** Closes the ports, ends all conversations, and waits until everything has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closePorts();
    this.#stop.abort();
    // The caller of run() gets its failure.
    await this.#finished?.catch(() => {});
    await this.#listeners.idle();
    this.#publications[Symbol.dispose]();
    await this.#live[Symbol.asyncDispose]();
    this.#quota[Symbol.dispose]();
    // Last, so that /readyz reports the shutdown until the end.
    await this.#listeners[Symbol.asyncDispose]();
  }

  #closePorts(): void {
    this.#shutdown.drain();
    this.#listeners.close();
  }

  /** The listener table: all ports, and what is spoken there. A new protocol adds a row. */
  #table(): ListenerRow[] {
    const { host, port, metrics, scriptsOpen = false } = this.#options;
    const { names = SERVER_FLAG_NAMES } = this.#options;
    const rows: ListenerRow[] = [{
      address: { hostname: host, port },
      flags: { host: names.host, port: names.port },
      converse: (socket, refusal) => {
        const { certificate } = this.#credentials;
        return runSession(socket, this.#shared, { refusal, certificate });
      },
      onListening: ({ hostname }) => {
        const { authenticator, certificate } = this.#credentials;
        const tls = certificate !== undefined;
        const publishToken = this.#options.publish === "token";
        const protections = { token: authenticator.isRequired, tls, scriptsOpen, publishToken };
        for (const line of startupWarnings(hostname, protections, names)) {
          this.#logger.log("warn", line);
        }
      },
    }];
    rows.push(...scriptRows(this.#options, this.#shared));
    const prometheus = this.#prometheus;
    if (metrics !== undefined && prometheus !== undefined) {
      rows.push({ start: () => this.#startMetrics(metrics, prometheus) });
    }
    return [...rows, ...pushRows(this.#options, this.#shared)];
  }

  async #startMetrics(wanted: Address, metrics: PrometheusMetrics): Promise<MetricsServer> {
    const server = await startMetricsServer(wanted, {
      metrics: async () => ({ text: await metrics.text(), type: metrics.contentType }),
      isReady: () => this.isReady,
    }, { option: this.#options.names?.metrics });
    const { address } = server;
    this.#logger.log("info", `Metrics are at http://${formatAddress(address)}/metrics`);
    if (!isLoopback(address.hostname)) {
      this.#logger.log("warn", `Anybody who reaches ${address.hostname} can read the metrics`);
    }
    return server;
  }

  async #warm(): Promise<void> {
    if (!this.#options.warm) return;
    try {
      await this.#library.warm(this.#shutdown.draining);
    } catch (error) {
      this.#logger.log("warn", `Cannot look into all files beforehand: ${messageOf(error)}`);
    }
  }
}

/**
 * Checks FFmpeg, the folder, the live sources and the credentials, then opens the ports.
 *
 * @throws {Error} with what to do about it, if the server cannot do its work
 */
export async function startServer(options: ServerOptions, logger: Logger): Promise<Server> {
  const live = options.live?.sources ?? [];
  refuseSameNames(live);
  const names = live.map(({ name }) => name);
  const { names: { media: option, live: liveOption } = SERVER_FLAG_NAMES } = options;
  const library = new Library(options.media, {
    otherNames: names,
    maxPixels: options.maxPixels ?? DEFAULT_MAX_PIXELS,
    probeTimeout: options.timeouts?.probe,
    option,
  });
  await using installed = new InstalledFfmpeg();
  const versions = await installed.describe("ffmpeg", "ffprobe");
  const dialect = await installed.dialect();
  for (const line of await findLacks()) logger.log("warn", line);
  await refuseUnknownFormats(live, ({ name, format }) => `${liveOption} "${name}=${format}:…"`);
  const { defaults: { image, video }, scripts = [] } = options;
  for (const name of [image, video, ...scripts.map(({ name }) => name)]) {
    if (name !== undefined && !names.includes(name)) await library.find(name);
  }
  for (const name of names) {
    if (!await library.has(name)) continue;
    logger.log("warn", `"${name}" is the name of a file, too: the live source is what is shown`);
  }
  const credentials = await Credentials.open(options.credentials ?? {}, logger, options.names);
  const warnings = [
    ...relayWarnings(live, options.credentials ?? {}),
    ...pushWarnings(live, options.host),
  ];
  for (const line of warnings) logger.log("warn", line);
  const server = new Server(options, { library, credentials, dialect, logger });
  try {
    await server.listen();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  // Last, since a server that cannot start prints its reason alone.
  logger.log("info", versions);
  return server;
}

/** Explains the conversations with a peer that the server connects to. */
function explanationOf(
  peer: Address,
  { explain, clock = MONOTONIC_CLOCK }: ServerOptions,
): Explanation | undefined {
  return explain && new Explanation({
    print: (line) => explain(printable(line)),
    now: () => clock.now(),
    prefix: `${formatAddress(peer)}  `,
  });
}
