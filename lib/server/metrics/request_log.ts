import { messageOf, type RequestError } from "../../base/errors.ts";
import { type Logger, type LogQuota, withFields } from "../../base/log.ts";
import { networkOf } from "../../net/address.ts";
import type { EndReport } from "../../protocol/native/response.ts";
import type { Counts, Metrics } from "./metrics.ts";

/** Whose requests they are. */
export interface LoggedPeer {
  /** Its IP address. */
  address: string;
  /** Tells who it is with every event. */
  logger: Logger;
}

/** What was asked for, as far as that could be read. */
export interface RequestInfo {
  command?: string;
  name?: string;
  wire?: "classic";
}

/** How a request ended that was neither answered to its end nor refused. */
export type ConnectionEnd = "cut" | "shutdown";

/** Numbers the requests of a server, and has what becomes of them told and counted. */
export class RequestLog {
  #metrics: Metrics;
  #quota: LogQuota;
  #count = 0;

  constructor({ metrics, quota }: { metrics: Metrics; quota: LogQuota }) {
    this.#metrics = metrics;
    this.#quota = quota;
  }

  /** Whether one more event of a peer is told. */
  isLogged({ address }: Pick<LoggedPeer, "address">): boolean {
    return this.#quota.take(networkOf(address));
  }

  /** Begins the record of a request. */
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

/** What becomes of one request: a line in the log when it begins and one when it ends, numbers. */
export class RequestRecord {
  /** Tells whose request an event belongs to. */
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

  /** Says what the answer is about, where the request did not. */
  named(name: string): void {
    this.#about.name = name;
  }

  /** Says where it stands how much has been sent. */
  follow(counts: () => Counts): void {
    this.#counts = counts;
    this.#following = this.#metrics.follow(counts);
  }

  /** Takes note of a frame that is about to be sent, as {@linkcode Metrics.sending} does. */
  sending(source: "file" | "live", seconds: number): void {
    this.#metrics.sending(source, seconds);
  }

  /** Ends it with an answer that came to its end, or was stopped by the peer or the server's end. */
  done(reason: EndReport["reason"] = "end"): void {
    this.#end(reason === "end" ? "done" : reason);
  }

  /** Ends it with a refusal. */
  refused({ code, message, cause }: RequestError): void {
    const isOwnFault = code === "internal";
    const reason = isOwnFault ? `${message}: ${messageOf(cause)}` : message;
    this.#end(code, { level: isOwnFault ? "error" : "warn", message: reason });
  }

  /** Ends it with a connection that is gone. */
  broken(result: ConnectionEnd): void {
    this.#end(result);
  }

  #sent(): Partial<Counts> {
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
    this.logger.log(level, message, { ...this.#about, result, seconds, ...this.#sent() });
  }
}
