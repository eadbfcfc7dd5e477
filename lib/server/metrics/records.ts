/** Records of a server: log lines of its requests, each under a number, and measurements. */
import { messageOf, type RequestError } from "../../base/errors.ts";
import { type Logger, type LogQuota, shortened, withFields } from "../../base/log.ts";
import { networkOf } from "../../net/address.ts";
import type { EndReport } from "../../protocol/native/response.ts";

/** Frames and bytes that one response has sent, or one publisher. */
export interface Counts {
  frames: number;
  audioFrames: number;
  bytes: number;
  /** Frames of both that were dropped. */
  dropped: number;
}

/** Current values, read when the metrics are. */
export interface Gauges {
  /** Connections that hold a slot. */
  viewers: () => number;
  decoders: () => number;
  /** Requests that wait for a decoder. */
  waiting: () => number;
  /** Running live feeds: each source once for each rendition. */
  liveFeeds: () => number;
  /** Names that publishers have. */
  publishers: () => number;
  /** Bytes reserved for frames. */
  frameMemory: () => number;
  /** Bytes of the frames that are kept of files. */
  startCacheMemory: () => number;
}

/** Reasons to refuse a connection: the server is full, or the address has all its connections. */
export const REFUSALS = ["full", "address"] as const;

/** One of {@linkcode REFUSALS}. */
export type Refusal = typeof REFUSALS[number];

/** Records what a server does. */
export interface Metrics {
  /** Registers the functions that give current values. */
  watch(gauges: Gauges): void;
  /** Counts what a response sends, until disposed. */
  follow(counts: () => Counts): Disposable;
  /** Counts what a publisher sends, until disposed. */
  receive(counts: () => Counts): Disposable;
  /**
   * Records a frame that is about to be sent.
   *
   * @param seconds since a file's frame was due, or since a live frame was captured
   */
  sending(source: "file" | "live", seconds: number): void;
  /**
   * Records the end of a request.
   *
   * @param result one of a few words
   */
  requestEnded(result: string, seconds: number): void;
  /** Counts a response that begins from memory. */
  startCacheHit(): void;
  connectionRefused(reason: Refusal): void;
}

/** Discards everything, for servers without metrics. */
export const NO_METRICS: Metrics = {
  watch() {},
  follow: () => ({ [Symbol.dispose]() {} }),
  receive: () => ({ [Symbol.dispose]() {} }),
  sending() {},
  requestEnded() {},
  startCacheHit() {},
  connectionRefused() {},
};

/** The peer that sent a request. */
export interface LoggedPeer {
  address: string;
  /** Adds the peer to every event. */
  logger: Logger;
}

/** Command, name and protocol of the request, as far as it could be read. */
export interface RequestInfo {
  command?: string;
  name?: string;
  wire?: "classic";
  /** Framing of a script, in words. */
  format?: string;
  /** Width and height of its frames, in pixels, as `640x480`. */
  size?: string;
}

/** Result of a request whose connection ended first. */
export type ConnectionEnd = "cut" | "shutdown";

/** Numbers the requests of a server, logs them and counts them in the metrics. */
export class RequestLog {
  #metrics: Metrics;
  #quota: LogQuota;
  #count = 0;

  constructor({ metrics, quota }: { metrics: Metrics; quota: LogQuota }) {
    this.#metrics = metrics;
    this.#quota = quota;
  }

  /** Whether one more event of a peer may be logged; see {@linkcode LogQuota}. */
  isLogged({ address }: Pick<LoggedPeer, "address">): boolean {
    return this.#quota.take(networkOf(address));
  }

  /** Counts the bytes that a peer's logger takes against its quota. */
  measured({ address, logger }: LoggedPeer): Logger {
    return this.#quota.measure(networkOf(address), logger);
  }

  /** Records the beginning of a request. */
  begin(about: RequestInfo, peer: LoggedPeer): RequestRecord {
    this.#count++;
    const logger = withFields(peer.logger, { request: this.#count });
    return new RequestRecord(about, {
      logger,
      metrics: this.#metrics,
      isLogged: this.isLogged(peer),
    });
  }
}

/** One request: logged when it begins and ends, and counted in the metrics. */
export class RequestRecord {
  /** Adds the request's number to every event. */
  readonly logger: Logger;
  readonly #about: RequestInfo;
  readonly #metrics: Metrics;
  readonly #isLogged: boolean;
  readonly #begun = performance.now();
  #counts: (() => Counts) | undefined;
  #following: Disposable | undefined;

  constructor(
    about: RequestInfo,
    { logger, metrics, isLogged }: { logger: Logger; metrics: Metrics; isLogged: boolean },
  ) {
    this.#about = { ...about };
    this.logger = logger;
    this.#metrics = metrics;
    this.#isLogged = isLogged;
    if (isLogged && about.command !== undefined) logger.log("info", "request begins", { ...about });
  }

  /** Sets the name of the media, if the request left it to the server. */
  named(name: string): void {
    this.#about.name = name;
  }

  /** Registers the counts of what is sent. */
  follow(counts: () => Counts): void {
    this.#counts = counts;
    this.#following = this.#metrics.follow(counts);
  }

  /** Registers the counts of what a publisher sends. */
  receive(counts: () => Counts): void {
    this.#counts = counts;
    this.#following = this.#metrics.receive(counts);
  }

  /** Records a frame that is about to be sent, see {@linkcode Metrics.sending}. */
  sending(source: "file" | "live", seconds: number): void {
    this.#metrics.sending(source, seconds);
  }

  /** Records a response that is complete, or was stopped by the peer or by the shutdown. */
  done(reason: EndReport["reason"] = "end"): void {
    this.#end(reason === "end" ? "done" : reason);
  }

  refused({ code, message, cause }: RequestError): void {
    const isOwnFault = code === "internal";
    const { name = "" } = this.#about;
    // The name may contain quotation marks.
    const short = message.replaceAll(name, () => shortened(name));
    const reason = isOwnFault ? `${short}: ${messageOf(cause)}` : short;
    this.#end(code, { level: isOwnFault ? "error" : "warn", message: reason });
  }

  /** Records the loss of the connection. */
  broken(result: ConnectionEnd): void {
    this.#end(result);
  }

  #transferred(): Partial<Counts> {
    if (this.#counts === undefined) return {};
    const { frames, audioFrames, bytes, dropped } = this.#counts();
    return { frames, audioFrames, bytes, dropped };
  }

  #end(
    result: string,
    { level = "info", message = "request ends" }: {
      level?: "info" | "warn" | "error";
      message?: string;
    } = {},
  ): void {
    this.#following?.[Symbol.dispose]();
    const elapsed = (performance.now() - this.#begun) / 1000;
    this.#metrics.requestEnded(result, elapsed);
    if (!this.#isLogged && level !== "error") return;
    const seconds = Number(elapsed.toFixed(3));
    this.logger.log(level, message, { ...this.#about, result, seconds, ...this.#transferred() });
  }
}
