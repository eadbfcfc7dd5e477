/** Serves a connection of the native protocol: its requests in order, controls and pings. */
import { deadline, onAbort } from "../../base/async.ts";
import { wallClock } from "../../base/clock.ts";
import { DeadlineError, FormatError, RequestError } from "../../base/errors.ts";
import { Connection, type Message, nativeResponse } from "../../protocol/native/connection.ts";
import { HEADER_LENGTH, type Kind } from "../../protocol/native/framing.ts";
import { type MediaRequest, parseControl, parseRequest } from "../../protocol/native/request.ts";
import { encodeError, type EndReport } from "../../protocol/native/response.ts";
import { sendList } from "../list/send.ts";
import { Controls } from "../playback/controls.ts";
import { playMedia } from "../playback/play_file.ts";
import type { RequestRecord } from "../metrics/records.ts";
import type { SessionContext } from "./context.ts";
import { gaveWay, gaveWayServing, runRequest } from "./outcome.ts";
import { PEER_LIMITS } from "./peer_limits.ts";
import { PUBLISHER_KINDS, PublishSession } from "./publish.ts";

/** Requests that are queued while one is served; the peer is not read beyond that. */
const MAX_QUEUED = 16;

/** A request and an error are as much work as some messages. */
const WORK = { request: { messages: 4 }, error: { messages: 40 } };

/** Milliseconds; three pings without a pong. */
const IDLE_TIMEOUT = 15_000;

/**
 * Milliseconds after the end of a peer's sending at which it is pinged: one that has closed the whole
 * connection resets it at the first ping, which the second one notices. Without these, its decoder
 * would go on until the next frame or ping.
 */
const CHECKS = [50, 250];

/** Messages that a client may send, except of a publisher, see {@linkcode PUBLISHER_KINDS}. */
const ACCEPTED_KINDS: readonly Kind[] = ["request", "control", "ping", "pong"];

/** A queued request, or an error to send in its place. */
type Inquiry =
  | { kind: "request"; request: MediaRequest; controls: Controls }
  | { kind: "refused"; error: RequestError; isLast: boolean };

/** Serves the requests of a native connection one after another, until the peer ends it. */
export async function runNativeSession(
  context: SessionContext,
  abort: AbortController,
): Promise<void> {
  await new NativeSession(context, abort).run();
}

class NativeSession {
  #context: SessionContext;
  #abort: AbortController;
  #connection: Connection;
  /** Of the request that was received last. */
  #controls: Controls | undefined;
  /** Looked at when a message arrives, after the wait for it. */
  readonly #accepted: Kind[] = [...ACCEPTED_KINDS];
  /** Why nothing more is received. */
  #inputEnd: Error | undefined;
  /** The peer as a publisher, until that is over. */
  #publisher: PublishSession | undefined;
  /** Inquiries in the queue. */
  #queued = 0;
  #isPinging = false;
  /** The peer has published something: frames of it may still be on their way. */
  #hasPublished = false;
  /** The connection gave way in the middle of a response, and the peer has been told. */
  #hasGivenWay = false;
  #isStopped = false;
  /** Aborts with the session, and when nothing more is received. */
  #over = new AbortController();
  /** Checks whether a peer that sends nothing more is still there, as long as a response lasts. */
  #checks: DisposableStack | undefined;

  constructor(context: SessionContext, abort: AbortController) {
    this.#context = context;
    this.#abort = abort;
    this.#connection = new Connection(context.reader, context.writer, context.observer);
  }

  async run(): Promise<void> {
    const { readable, writable } = new TransformStream<Inquiry, Inquiry>(
      undefined,
      { highWaterMark: MAX_QUEUED },
    );
    const inquiries = readable.getReader();
    using _session = onAbort(this.#context.signal, () => this.#over.abort());
    this.#receive(writable.getWriter());
    try {
      while (true) {
        const { value: inquiry } = await this.#next(inquiries);
        if (inquiry === undefined) break;
        this.#queued--;
        if (inquiry.kind === "refused") {
          await this.#refuse(inquiry);
          if (inquiry.isLast) break;
        } else {
          await this.#respond(inquiry);
          if (this.#hasPublished || this.#hasGivenWay) break;
        }
      }
    } finally {
      this.#isStopped = true;
      this.#over.abort();
      await inquiries.cancel();
    }
  }

  /**
   * Waits for the next inquiry until the request timeout, until the connection has to give way, or
   * until the shutdown of the server.
   */
  async #next(
    inquiries: ReadableStreamDefaultReader<Inquiry>,
  ): Promise<{ value?: Inquiry }> {
    const { timeouts, requestTimeout, slot, shutdown } = this.#context;
    const over = Promise.withResolvers<{ value?: Inquiry }>();
    const refuse = (error: RequestError) =>
      over.resolve({ value: { kind: "refused", error, isLast: true } });
    requestTimeout.onExpiry = () => {
      const seconds = timeouts.request / 1000;
      const message = `Cannot wait any longer: no request within ${seconds} s`;
      refuse(new RequestError("bad_request", message));
    };
    requestTimeout.start();
    using _yield = slot && onAbort(slot.yielded, () => refuse(gaveWay()));
    using _shutdown = shutdown.onDraining(() => {
      // Queued requests still get a response, if only an error.
      if (this.#queued === 0) over.resolve({});
    });
    const next = await Promise.race([over.promise, inquiries.read()]);
    requestTimeout.end();
    return next;
  }

  /**
   * Receives messages until the peer ends its sending, also while a request is served. Never throws:
   * a failure aborts the session.
   */
  async #receive(inquiries: WritableStreamDefaultWriter<Inquiry>): Promise<void> {
    // The queue fails with the session, which reports the reason.
    inquiries.closed.catch(() => {});
    try {
      const refusal = await this.#receiveAll(inquiries);
      this.#inputEnd = refusal?.error ?? new Deno.errors.ConnectionAborted("It has left");
      this.#publisher?.fail(this.#inputEnd);
      this.#checkPeer();
      this.#direct(undefined);
      if (refusal !== undefined) await this.#enqueue(inquiries, refusal);
      await inquiries.close();
    } catch (error) {
      if (this.#isStopped) return;
      this.#abort.abort(error);
      await inquiries.abort(error);
    }
  }

  /** @returns the error of a message that cannot be read; `undefined` at a clean end */
  async #receiveAll(
    inquiries: WritableStreamDefaultWriter<Inquiry>,
  ): Promise<Inquiry & { kind: "refused" } | undefined> {
    try {
      while (true) {
        await this.#context.rate.pause(this.#over.signal);
        const message = await this.#connection.receive({ accept: this.#accepted });
        if (message === undefined) return undefined;
        this.#count(message);
        await this.#publisher?.take(message);
        if (message.kind === "request") {
          const inquiry = toInquiry(message.payload, this.#context);
          // Nothing but signs of life may come before it is accepted.
          if (inquiry.kind === "request" && inquiry.request.command === "publish") {
            this.#acceptOnly(PUBLISHER_KINDS.waiting);
          }
          this.#direct(inquiry.kind === "request" ? inquiry.controls : undefined);
          await this.#enqueue(inquiries, inquiry);
        } else if (message.kind === "control") {
          // Parsed without controls, too: a malformed one ends the session.
          const control = parseControl(message.payload);
          this.#controls?.take(control);
        } else if (message.kind === "ping") {
          await this.#connection.send("pong", message.payload, { timestamp: wallClock() });
        }
      }
    } catch (error) {
      if (error instanceof RequestError) return { kind: "refused", error, isLast: true };
      if (!(error instanceof FormatError)) throw error;
      const refusal = new RequestError("bad_request", error.message, { cause: error });
      return { kind: "refused", error: refusal, isLast: true };
    }
  }

  /** Counts a message of the peer; those of publishers have a rate of their own. */
  #count(message: Message): void {
    if (message.kind === "frame" || message.kind === "describe") return;
    this.#context.rate.count({ bytes: HEADER_LENGTH + message.payload.byteLength });
  }

  /**
   * Queues an inquiry once there is room. Does not wait until it is dequeued, since controls and
   * pings follow it.
   */
  async #enqueue(
    inquiries: WritableStreamDefaultWriter<Inquiry>,
    inquiry: Inquiry,
  ): Promise<void> {
    this.#queued++;
    await inquiries.ready;
    // On failure the queue fails, and with it the next call.
    inquiries.write(inquiry).catch(() => {});
  }

  /** Sets the request that further controls are for. */
  #direct(controls: Controls | undefined): void {
    // The request before can no longer be resumed by the peer.
    this.#controls?.take({ action: "resume" });
    this.#controls = controls;
  }

  async #refuse({ error, isLast }: Inquiry & { kind: "refused" }): Promise<void> {
    const { requestLog, logger, rate } = this.#context;
    rate.count(WORK.error);
    // The last one is no whole request.
    if (!isLast) requestLog.begin({}, this.#context).refused(error);
    else if (requestLog.isLogged(this.#context)) logger.log("warn", `refused: ${error.message}`);
    await this.#connection.send("error", encodeError(error));
  }

  async #respond({ request, controls }: Inquiry & { kind: "request" }): Promise<void> {
    const {
      timeouts,
      authenticator,
      requestLog,
      idleTimeout,
      shutdown,
      rate,
      slot,
    } = this.#context;
    rate.count(WORK.request);
    const { command, name } = request;
    const record = requestLog.begin({ command, name }, this.#context);
    const pings = setInterval(() => this.#ping(), timeouts.ping);
    using checks = new DisposableStack();
    this.#checks = checks;
    if (this.#inputEnd !== undefined) this.#checkPeer();
    const limit = timeouts.life ?? IDLE_TIMEOUT;
    using _idle = idleTimeout.watch(limit, () => {
      const message = `The peer gave no sign of life for ${limit / 1000} s`;
      this.#abort.abort(new DeadlineError(message));
    });
    // Aborts only this response: before it has begun, or because its connection has to give way.
    const cancel = new AbortController();
    using _yield = slot && onAbort(slot.yielded, () => {
      this.#hasGivenWay = true;
      cancel.abort(gaveWayServing());
    });
    const signal = AbortSignal.any([this.#context.signal, cancel.signal]);
    try {
      const refusal = await runRequest(record, this.#context, async () => {
        const stop = () => {
          if (controls.hasBegun) controls.shutDown();
          else cancel.abort(shutdown.stopped.reason);
        };
        // A publisher has no end of its own that could be waited for.
        using _response = command === "publish"
          ? shutdown.onStopped(stop)
          : shutdown.addResponse(stop);
        if (command === "publish") return await this.#servePublisher(request, { record, signal });
        await authenticator.authenticate(request.token, { ...this.#context, signal });
        rate.limits = PEER_LIMITS;
        if (command === "list_media") {
          const connection = this.#connection;
          return await sendList(request, { ...this.#context, connection, controls, signal });
        }
        const response = nativeResponse(this.#connection);
        const { via } = request;
        const context = { ...this.#context, signal, controls, record, response, via };
        return (await playMedia(request, context)).reason;
      });
      if (refusal === undefined) return;
      rate.count(WORK.error);
      await this.#connection.send("error", encodeError(refusal));
    } finally {
      clearInterval(pings);
    }
  }

  #acceptOnly(kinds: readonly Kind[]): void {
    this.#accepted.splice(0, Infinity, ...kinds);
  }

  async #servePublisher(
    request: MediaRequest,
    options: { record: RequestRecord; signal: AbortSignal },
  ): Promise<EndReport["reason"]> {
    const connection = this.#connection;
    let publisher: PublishSession;
    try {
      publisher = await PublishSession.begin(request, this.#context, { ...options, connection });
    } catch (error) {
      this.#acceptOnly(ACCEPTED_KINDS);
      throw error;
    }
    using _publisher = publisher;
    this.#hasPublished = true;
    this.#publisher = publisher;
    this.#acceptOnly(PUBLISHER_KINDS.accepted);
    this.#context.rate.limits = PEER_LIMITS;
    if (this.#inputEnd !== undefined) publisher.fail(this.#inputEnd);
    try {
      return await publisher.serve(request.name ?? "");
    } finally {
      this.#publisher = undefined;
    }
  }

  /** Pings a peer that sends nothing more, while it gets a response. */
  #checkPeer(): void {
    const checks = this.#checks;
    if (checks === undefined || checks.disposed) return;
    for (const time of CHECKS) checks.use(deadline(time, () => this.#ping()));
  }

  /** Sends a ping unless the last one is not written yet. */
  #ping(): void {
    if (this.#isPinging) return;
    this.#isPinging = true;
    const sent = this.#connection.send("ping", new Uint8Array(0), { timestamp: wallClock() });
    sent.then(() => this.#isPinging = false, (error) => this.#abort.abort(error));
  }
}

function toInquiry(payload: Uint8Array, { clock }: Pick<SessionContext, "clock">): Inquiry {
  try {
    const request = parseRequest(payload);
    return { kind: "request", request, controls: new Controls(request, { clock }) };
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    return { kind: "refused", error, isLast: false };
  }
}
