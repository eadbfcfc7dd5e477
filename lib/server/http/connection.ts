/** One HTTP connection: its requests one after another, under the limits of all conversations. */
import type { IncomingMessage, Server as HttpParser, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { onAbort } from "../../base/async.ts";
import { DeadlineError, FormatError, messageOf, RequestError } from "../../base/errors.ts";
import { errorResponse } from "../../web/api.ts";
import type { MessageSocket } from "../../web/play_socket.ts";
import type { Visitor } from "../../web/router.ts";
import type { WebService } from "../../web/service.ts";
import type { SessionContext } from "../session/context.ts";
import { PEER_LIMITS } from "../session/peer_limits.ts";
import { logRefusal, refusedError } from "../session/session.ts";
import { readRequest, writeResponse } from "./exchange.ts";
import { ServerSocket } from "./server_socket.ts";

/** Requests that may wait behind the one that is served; browsers send none. */
const MAX_WAITING = 16;

/** Work of a request, as of the native protocol. */
const WORK = { messages: 4 };

/** Milliseconds that a visitor with a WebSocket may be silent: three pings without a pong. */
const IDLE_TIMEOUT = 15_000;

/** A key of a WebSocket: 16 bytes in Base64. */
const KEY = /^[\w+/]{22}==$/;

/** The connection that a request came over, and the peer at its other end. */
export interface ServerVisitor extends Visitor {
  /** The connection; its token may still be missing. */
  context: SessionContext;
}

/** Serves the requests of a connection. */
export interface HttpHandlers {
  /** Gives what serves the requests of a connection. */
  serviceOf(
    connection: Pick<ServerVisitor, "context" | "signal"> & {
      follow: (work: Promise<void>) => void;
    },
  ): WebService;
  /** @returns `undefined` if the connection is a WebSocket now */
  handle(request: Request, visitor: ServerVisitor): Promise<Response | undefined>;
}

/** Options of {@linkcode HttpConnection}. */
export interface HttpConnectionOptions {
  context: SessionContext;
  /** Ends the session. */
  abort: AbortController;
  scheme: "http" | "https";
  handlers: HttpHandlers;
  /** The connection as a stream. */
  stream: Duplex;
}

/** Serves one connection whose requests a parser of Node finds. */
export class HttpConnection {
  #options: HttpConnectionOptions;
  #service: WebService;
  /** Aborts when the stream is closed. */
  #gone = new AbortController();
  /** Work that outlasts its request. */
  #work = new Set<Promise<void>>();
  /** Settles when the latest request is served. */
  #turn: Promise<void> = Promise.resolve();
  /** Requests that are served, or wait for that. */
  #waiting = 0;
  /** The request whose turn it is has not arrived as a whole. */
  #isReading = false;
  /** It is a WebSocket now, which ends by itself. */
  #isSwitched = false;
  /** Bytes have come since the latest request was served. */
  #hasBegun = false;

  constructor(options: HttpConnectionOptions) {
    this.#options = options;
    const { context, handlers, stream } = options;
    this.#service = handlers.serviceOf({
      ...{ context, signal: this.#gone.signal },
      follow: (work) => this.#follow(work),
    });
    stream.on("close", () => this.#gone.abort());
  }

  /**
   * Serves until the connection is closed.
   *
   * @throws why it failed
   */
  async run(parser: HttpParser): Promise<void> {
    const { stream, context: { requestTimeout, slot, shutdown } } = this.#options;
    const failed = Promise.withResolvers<void>();
    stream.on("error", (error) => failed.reject(error));
    stream.on("close", () => failed.resolve());
    // The session waits for the peer to end its sending, too.
    stream.on("finish", () => stream.destroy());
    if (slot?.refusal !== undefined) logRefusal(slot.refusal, this.#options.context);
    const onExpiry = requestTimeout.onExpiry;
    // Browsers keep connections open for requests to come.
    requestTimeout.onExpiry = () => this.#hasBegun ? onExpiry() : stream.end();
    requestTimeout.start();
    using _yield = slot && onAbort(slot.yielded, () => this.#endIfIdle());
    using _shutdown = shutdown.onDraining(() => this.#endIfIdle());
    parser.emit("connection", stream);
    try {
      await failed.promise;
    } finally {
      this.#gone.abort();
      await this.#turn;
      await Promise.all(this.#work);
    }
  }

  /** Notes that bytes have come. */
  received(): void {
    this.#hasBegun = true;
  }

  /**
   * Serves a request that the parser has found.
   *
   * @param upgrade bytes behind the request, if it is to become another protocol
   */
  take(incoming: IncomingMessage, outgoing: ServerResponse, upgrade?: Uint8Array): void {
    const { abort } = this.#options;
    if (++this.#waiting > MAX_WAITING) {
      abort.abort(new FormatError(`The peer sent more than ${MAX_WAITING} requests at once`));
      return;
    }
    this.#turn = this.#turn.then(() => this.#serve(incoming, outgoing, upgrade));
  }

  /** Never rejects. */
  async #serve(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    upgrade: Uint8Array | undefined,
  ): Promise<void> {
    const { context, stream } = this.#options;
    const { rate, requestTimeout, slot } = context;
    const signal = this.#gone.signal;
    try {
      rate.count(WORK);
      await rate.pause(signal);
      using serving = new DisposableStack();
      const response = await this.#respond(incoming, upgrade, serving);
      if (response === undefined) return;
      if (upgrade !== undefined) outgoing.assignSocket(incoming.socket);
      if (this.#mustEnd) outgoing.setHeader("Connection", "close");
      const ended = slot === undefined ? signal : AbortSignal.any([signal, slot.yielded]);
      await writeResponse(outgoing, response, ended);
      if (upgrade !== undefined) stream.end();
    } catch (error) {
      // The connection is lost, or a response cannot be written.
      stream.destroy(signal.aborted || !(error instanceof Error) ? undefined : error);
    } finally {
      this.#waiting--;
      this.#hasBegun = this.#waiting > 0;
      // Of a request that has waited for its turn, the body may still be on its way.
      if (!this.#isSwitched) requestTimeout.start();
      this.#endIfIdle();
    }
  }

  /** @param serving takes the note that a request is served, once it has arrived as a whole */
  async #respond(
    incoming: IncomingMessage,
    head: Uint8Array | undefined,
    serving: DisposableStack,
  ): Promise<Response | undefined> {
    const { context, handlers } = this.#options;
    const { requestTimeout, slot, shutdown } = context;
    try {
      const request = await this.#read(incoming);
      requestTimeout.end();
      serving.use(slot?.serve());
      if (slot?.refusal !== undefined) throw refusedError(slot.refusal);
      shutdown.draining.throwIfAborted();
      const service = this.#service;
      const upgrade = () => this.#upgrade(request, head);
      const visitor = { context, service, signal: this.#gone.signal, upgrade };
      return await handlers.handle(request, visitor);
    } catch (error) {
      requestTimeout.end();
      if (!(error instanceof RequestError)) this.#logFailure(error);
      return errorResponse(error instanceof RequestError ? error : FAILED);
    }
  }

  async #read(incoming: IncomingMessage): Promise<Request> {
    this.#isReading = true;
    try {
      return await readRequest(incoming, this.#options.scheme);
    } finally {
      this.#isReading = false;
    }
  }

  /** The visitor was let in: from now on it may cause more work. */
  #upgrade({ headers }: Request, head: Uint8Array | undefined): MessageSocket {
    const { context, stream, abort } = this.#options;
    const { rate, timeouts, idleTimeout } = context;
    const key = headers.get("sec-websocket-key") ?? "";
    if (head === undefined || !KEY.test(key) || headers.get("sec-websocket-version") !== "13") {
      throw new RequestError("bad_request", "Cannot open a WebSocket: expected one of version 13");
    }
    this.#isSwitched = true;
    rate.limits = PEER_LIMITS;
    const limit = timeouts.life ?? IDLE_TIMEOUT;
    const silence = idleTimeout.watch(limit, () => {
      abort.abort(new DeadlineError(`The peer gave no sign of life for ${limit / 1000} s`));
    });
    stream.on("close", () => silence[Symbol.dispose]());
    return new ServerSocket(stream, {
      ...{ key, head, pingInterval: timeouts.ping },
      pace: () => {
        rate.count();
        return rate.pause(this.#gone.signal);
      },
    });
  }

  #logFailure(error: unknown): void {
    const { logger } = this.#options.context;
    if (!this.#gone.signal.aborted) logger.log("error", `Cannot serve: ${messageOf(error)}`);
  }

  /** Whether no further request is served. */
  get #mustEnd(): boolean {
    const { slot, shutdown } = this.#options.context;
    const isRefused = slot?.refusal !== undefined || slot?.yielded.aborted === true;
    return isRefused || shutdown.draining.aborted;
  }

  #endIfIdle(): void {
    const hasYielded = this.#options.context.slot?.yielded.aborted === true;
    const isBusy = this.#waiting > 0 && !(this.#isReading && hasYielded);
    if (this.#isSwitched || isBusy || this.#work.size > 0) return;
    if (this.#mustEnd) this.#options.stream.end();
  }

  #follow(work: Promise<void>): void {
    this.#work.add(work);
    work.finally(() => {
      this.#work.delete(work);
      this.#endIfIdle();
    });
  }
}

/** The response to a failure that only the log explains. */
const FAILED = new RequestError(
  "internal",
  "Cannot serve the request: the server failed, its log says why",
);
