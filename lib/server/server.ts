/** Starts a server, opens its ports, and drains it. */
import { MONOTONIC_CLOCK } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { type Logger, LogQuota, printable } from "../base/log.ts";
import { SOFTWARE } from "../ffmpeg/encoders.ts";
import { HardwareFallback } from "../ffmpeg/hardware.ts";
import { type FoundHardware, HardwareSearch } from "../ffmpeg/hardware_search.ts";
import { findLacks, memoryLimit } from "../ffmpeg/sandbox.ts";
import { type FfmpegDialect, InstalledFfmpeg } from "../ffmpeg/version.ts";
import { type Address, formatAddress, isLoopback } from "../net/address.ts";
import { Explanation } from "../protocol/explainer.ts";
import { encodeFrame } from "../protocol/native/framing.ts";
import { SharedRenditions } from "../sources/cache/shared_renditions.ts";
import { Library } from "../sources/file/library.ts";
import { PacketFiles } from "../sources/file/packets/packet_files.ts";
import { DecoderSemaphore, MemoryBudget } from "../sources/limits.ts";
import { Publications } from "../sources/publish/published.ts";
import { DEFAULT_LINGER, LiveSources } from "../sources/live/registry.ts";
import { openerOf } from "../sources/publish/openers.ts";
import { isPushed, refuseSameNames, refuseUnknownFormats } from "../sources/live/source_spec.ts";
import { Credentials, relayWarnings, startupWarnings } from "./auth/credentials.ts";
import { PublishAccess } from "./auth/publish_access.ts";
import { ServerPage } from "./http/page.ts";
import { type ListenerRow, Listeners } from "./listeners.ts";
import { pushRows, pushWarnings } from "./push_rows.ts";
import { type MetricsServer, startMetricsServer } from "./metrics/http.ts";
import { type Metrics, NO_METRICS, RequestLog } from "./metrics/records.ts";
import type { PrometheusMetrics } from "./metrics/prometheus.ts";
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
import { describeStart, reachLine } from "./startup.ts";

/** Milliseconds in which peers may still read the last messages once the grace period is over. */
const LAST_MESSAGES = 1000;

/** Library, credentials, FFmpeg and log of a server. */
export interface ServerContext {
  library: Library;
  credentials: Credentials;
  dialect: FfmpegDialect;
  /** @default the processor decodes and encodes */
  found?: FoundHardware;
  logger: Logger;
  /** Counts what is served. @default nothing does */
  prometheus?: PrometheusMetrics;
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
  #page: ServerPage | undefined;
  #finished: Promise<void> | undefined;

  constructor(
    options: ServerOptions,
    { library, credentials, dialect, found, logger, prometheus }: ServerContext,
  ) {
    this.#options = options;
    this.#logger = logger;
    this.#library = library;
    this.#credentials = credentials;
    this.#prometheus = prometheus;
    const metrics: Metrics = this.#prometheus ?? NO_METRICS;
    const { clock } = options;
    const slots = new DecoderSemaphore(options.maxDecoders ?? defaultMaxDecoders(), { clock });
    const budget = new MemoryBudget(options.maxMemory ?? DEFAULT_MAX_MEMORY);
    const { startCacheSize = DEFAULT_START_CACHE_SIZE } = options;
    const renditions = new SharedRenditions({
      ...{ size: startCacheSize, slots, budget, clock },
      onHit: () => metrics.startCacheHit(),
    });
    const { maxPixels = DEFAULT_MAX_PIXELS } = options;
    const { sources = [], ...liveOptions } = options.live ?? {};
    const tell = (line: string) => logger.log("warn", line);
    const { hardware = SOFTWARE, isNamed = false } = found ?? {};
    // Hardware does not give the same bytes twice, by which files are resumed and cached.
    const forFiles = isNamed ? hardware : { ...hardware, encoder: SOFTWARE.encoder };
    const live = new LiveSources({ ...liveOptions, sources: [] }, {
      ...{ budget, slots, dialect, maxPixels, prepare: encodeFrame, logger },
      hardware: new HardwareFallback(hardware, tell),
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
    const { timeouts = DEFAULT_TIMEOUTS, explain } = options;
    this.#shared = {
      ...{ library, live, budget, slots, renditions, logger },
      hardware: new HardwareFallback(forFiles, tell),
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
    const { http: address, draw } = options;
    const certificate = () => credentials.certificate;
    this.#page = address && new ServerPage({
      ...{ address, draw, certificate, shared: this.#shared },
      // Each has a connection of its own.
      ...{ maxPlays: options.maxClients, mediaHost: options.host },
    });
    metrics.watch({
      viewers: () => this.#listeners.connections,
      decoders: () => slots.taken,
      waiting: () => slots.waiting,
      liveFeeds: () => live.running,
      publishers: () => publications.count,
      frameMemory: () => budget.taken,
      startCacheMemory: () => renditions.taken,
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

  /** URL of the page; absent without `http`. */
  get page(): string | undefined {
    return this.#page?.url;
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
    await this.#library[Symbol.asyncDispose]();
    await this.#page?.[Symbol.asyncDispose]();
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
      converse: (socket, slot) => {
        const { certificate } = this.#credentials;
        return runSession(socket, this.#shared, { slot, certificate });
      },
      onListening: (address) => {
        const { hostname } = address;
        const { authenticator, certificate } = this.#credentials;
        const tls = certificate !== undefined;
        const reached = reachLine(address, { isEncrypted: tls });
        if (reached !== undefined) this.#logger.log("info", reached);
        const publishToken = this.#options.publish === "token";
        const protections = { token: authenticator.isRequired, tls, scriptsOpen, publishToken };
        for (const line of startupWarnings(hostname, protections, names)) {
          this.#logger.log("warn", line);
        }
      },
    }];
    if (this.#page !== undefined) rows.push(this.#page.row);
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
    const { warm, media: folder, live: { sources = [] } = {}, names } = this.#options;
    if (!warm) return;
    const [library, logger, signal] = [this.#library, this.#logger, this.#shutdown.draining];
    try {
      await describeStart({ folder, library, sources, logger, names, signal });
      await library.warm(signal);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#logger.log("warn", `Cannot look into all files beforehand: ${messageOf(error)}`);
    }
  }
}

/**
 * Checks FFmpeg, the folder, the live sources and the credentials, then opens the ports.
 *
 * @param ffmpeg what is known of the installed FFmpeg; by default nothing
 * @throws {Error} with what to do about it, if the server cannot do its work
 */
export async function startServer(
  options: ServerOptions,
  logger: Logger,
  ffmpeg?: InstalledFfmpeg,
): Promise<Server> {
  const live = options.live?.sources ?? [];
  refuseSameNames(live);
  const names = live.map(({ name }) => name);
  const { names: { media: option, live: liveOption } = SERVER_FLAG_NAMES } = options;
  await using own = new AsyncDisposableStack();
  const installed = ffmpeg ?? own.use(new InstalledFfmpeg());
  await using search = new HardwareSearch(options, {
    maxMemory: memoryLimit(options.maxPixels ?? DEFAULT_MAX_PIXELS),
  });
  const versions = await installed.describe("ffmpeg", "ffprobe");
  const dialect = await installed.dialect();
  const library = new Library(options.media, {
    otherNames: names,
    maxPixels: options.maxPixels ?? DEFAULT_MAX_PIXELS,
    probeTimeout: options.timeouts?.probe,
    packets: new PacketFiles(dialect),
    option,
  });
  for (const line of await findLacks()) logger.log("warn", line);
  await refuseUnknownFormats(live, {
    ffmpeg: installed,
    flagOf: ({ name, format }) => `${liveOption} "${name}=${format}:…"`,
  });
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
  const prometheus = options.metrics === undefined ? undefined : await openMetrics();
  const found = await search.found;
  const context = { library, credentials, dialect, found, logger, prometheus };
  const server = new Server(options, context);
  try {
    await server.listen();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  // Last, since a server that cannot start prints its reason alone.
  logger.log("info", versions);
  for (const { level, message } of found.notes) logger.log(level, message);
  if (!found.isNamed && found.hardware.encoder !== SOFTWARE.encoder) {
    logger.log("info", "h264 of files is encoded by libx264, so that they can be resumed");
  }
  return server;
}

/** Loads prom-client, which takes long, for those who want metrics. */
async function openMetrics(): Promise<PrometheusMetrics> {
  const { PrometheusMetrics } = await import("./metrics/prometheus.ts");
  return new PrometheusMetrics();
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
