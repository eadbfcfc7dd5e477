import { deadline } from "../../base/async.ts";
import { wallClock } from "../../base/clock.ts";
import { DeadlineError, FormatError, RequestError } from "../../base/errors.ts";
import { Connection } from "../../protocol/native/connection.ts";
import type { Kind } from "../../protocol/native/framing.ts";
import { type MediaRequest, parseControl, parseRequest } from "../../protocol/native/request.ts";
import { encodeError, encodeList } from "../../protocol/native/response.ts";
import { listMedia } from "../catalog.ts";
import { Controls } from "../playback/controls.ts";
import { playMedia } from "../playback/play_file.ts";
import { type SessionContext, toRefusal } from "./context.ts";

/** Requests that may wait behind the one being answered; then the peer is no longer read. */
const MAX_WAITING = 16;

/** Milliseconds: three pings that nothing comes back for. */
const IDLE_TIMEOUT = 15_000;

/** What a client may send. */
const KINDS_TAKEN: readonly Kind[] = ["request", "control", "ping", "pong"];

/** What the peer sent and has to be answered in its turn. */
type Inquiry =
  | { kind: "request"; request: MediaRequest; controls: Controls }
  | { kind: "refused"; error: RequestError; last: boolean };

/** Serves requests of the native wire one after another, until the peer has no more. */
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
  /** Of the request that was received last, be it answered, waiting or over. */
  #controls: Controls | undefined;
  /** Inquiries that have come and wait for their turn. */
  #waiting = 0;
  #pinging = false;
  #over = false;

  constructor(context: SessionContext, abort: AbortController) {
    this.#context = context;
    this.#abort = abort;
    this.#connection = new Connection(context.reader, context.writer);
  }

  async run(): Promise<void> {
    const { readable, writable } = new TransformStream<Inquiry, Inquiry>(
      undefined,
      { highWaterMark: MAX_WAITING },
    );
    const inquiries = readable.getReader();
    this.#receive(writable.getWriter());
    try {
      while (true) {
        const { value: inquiry } = await this.#next(inquiries);
        if (inquiry === undefined) break;
        this.#waiting--;
        if (inquiry.kind === "refused") {
          await this.#refuse(inquiry);
          if (inquiry.last) break;
        } else {
          await this.#response(inquiry);
        }
      }
    } finally {
      this.#over = true;
      await inquiries.cancel();
    }
  }

  /** Waits for the next inquiry, but not for longer than the deadline, or the server, lasts. */
  async #next(
    inquiries: ReadableStreamDefaultReader<Inquiry>,
  ): Promise<{ value?: Inquiry }> {
    const { request: timeout } = this.#context.timeouts;
    const expired = Promise.withResolvers<{ value?: Inquiry }>();
    using _limit = deadline(timeout, () => {
      const message = `Cannot wait any longer: no request within ${timeout / 1000} s`;
      const error = new RequestError("bad_request", message);
      expired.resolve({ value: { kind: "refused", error, last: true } });
    });
    using _ending = this.#context.shutdown.onDraining(() => {
      // What has come is answered, if only with a refusal.
      if (this.#waiting === 0) expired.resolve({});
    });
    return await Promise.race([inquiries.read(), expired.promise]);
  }

  /**
   * Takes what the peer sends, also while a request is being answered, until its end. Never throws:
   * what goes wrong here ends the session, wherever that stands.
   */
  async #receive(inquiries: WritableStreamDefaultWriter<Inquiry>): Promise<void> {
    // The queue fails with the session, which tells why.
    inquiries.closed.catch(() => {});
    try {
      const refusal = await this.#receiveAll(inquiries);
      this.#direct(undefined);
      if (refusal !== undefined) await this.#enqueue(inquiries, refusal);
      await inquiries.close();
    } catch (error) {
      // What comes after the session's own end is of no interest.
      if (this.#over) return;
      this.#abort.abort(error);
      await inquiries.abort(error);
    }
  }

  /** @returns why the peer cannot be read any further; `undefined` at a clean end */
  async #receiveAll(
    inquiries: WritableStreamDefaultWriter<Inquiry>,
  ): Promise<Inquiry | undefined> {
    try {
      while (true) {
        const message = await this.#connection.receive({ accept: KINDS_TAKEN });
        if (message === undefined) return undefined;
        if (message.kind === "request") {
          const inquiry = toInquiry(message.payload, this.#context);
          this.#direct(inquiry.kind === "request" ? inquiry.controls : undefined);
          await this.#enqueue(inquiries, inquiry);
        } else if (message.kind === "control") {
          // Read in any case: one that cannot be read ends the conversation.
          const control = parseControl(message.payload);
          this.#controls?.take(control);
        } else if (message.kind === "ping") {
          await this.#connection.send("pong", message.payload, { timestamp: wallClock() });
        }
      }
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      const refusal = new RequestError("bad_request", error.message, { cause: error });
      return { kind: "refused", error: refusal, last: true };
    }
  }

  /**
   * Puts an inquiry into the queue, after waiting until there is room. That it was taken out again
   * is not waited for: controls and pings that come behind it have to be read.
   */
  async #enqueue(
    inquiries: WritableStreamDefaultWriter<Inquiry>,
    inquiry: Inquiry,
  ): Promise<void> {
    this.#waiting++;
    await inquiries.ready;
    // Where it fails, so does the queue, and with it the next call.
    inquiries.write(inquiry).catch(() => {});
  }

  /** Names what further controls are for. */
  #direct(controls: Controls | undefined): void {
    // From here on, nobody could let the one before go on.
    this.#controls?.take({ action: "resume" });
    this.#controls = controls;
  }

  async #refuse({ error, last }: Inquiry & { kind: "refused" }): Promise<void> {
    const { requestLog, logger } = this.#context;
    // What ends the conversation was no request, or none that came whole.
    if (!last) requestLog.begin({}, this.#context).refused(error);
    else if (requestLog.isLogged(this.#context)) logger.log("warn", `refused: ${error.message}`);
    await this.#connection.send("error", encodeError(error));
  }

  async #response({ request, controls }: Inquiry & { kind: "request" }): Promise<void> {
    const { timeouts, library, live, authenticator, requestLog, idleTimeout, shutdown } =
      this.#context;
    const { command, name } = request;
    const record = requestLog.begin({ command, name }, this.#context);
    const alive = setInterval(() => this.#ping(), timeouts.ping);
    const limit = timeouts.life ?? IDLE_TIMEOUT;
    using _dead = idleTimeout.watch(limit, () => {
      const message = `The peer gave no sign of life for ${limit / 1000} s`;
      this.#abort.abort(new DeadlineError(message));
    });
    // What ends the answer alone, before it has begun.
    const vain = new AbortController();
    const signal = AbortSignal.any([this.#context.signal, vain.signal]);
    try {
      using _answer = shutdown.addResponse(() => {
        if (controls.hasBegun) controls.shutDown();
        else vain.abort(shutdown.stopped.reason);
      });
      await authenticator.authenticate(request.token, { ...this.#context, signal });
      if (command === "list_media") {
        await this.#connection.send("list", encodeList(await listMedia(library, live)));
        record.done();
      } else {
        const context = { ...this.#context, signal, connection: this.#connection, controls };
        const end = await playMedia(request, { ...context, logger: record.logger, record });
        record.done(end.reason);
      }
    } catch (error) {
      const refusal = this.#context.signal.aborted ? undefined : toRefusal(error);
      if (refusal === undefined) {
        record.broken(this.#context.isDraining() ? "shutdown" : "cut");
        throw error;
      }
      record.refused(refusal);
      await this.#connection.send("error", encodeError(refusal));
    } finally {
      clearInterval(alive);
    }
  }

  /** Sends a sign of life, unless the last one is still waiting for its turn. */
  #ping(): void {
    if (this.#pinging) return;
    this.#pinging = true;
    const sent = this.#connection.send("ping", new Uint8Array(0), {
      timestamp: wallClock(),
    });
    sent.then(() => this.#pinging = false, (error) => this.#abort.abort(error));
  }
}

function toInquiry(payload: Uint8Array, { clock }: Pick<SessionContext, "clock">): Inquiry {
  try {
    const request = parseRequest(payload);
    return { kind: "request", request, controls: new Controls(request, { clock }) };
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    return { kind: "refused", error, last: false };
  }
}
