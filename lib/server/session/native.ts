/** Serves a connection of the native protocol: its requests in order, controls and pings. */
import { deadline } from "../../base/async.ts";
import { wallClock } from "../../base/clock.ts";
import { DeadlineError, FormatError, RequestError } from "../../base/errors.ts";
import { Connection } from "../../protocol/native/connection.ts";
import type { Kind } from "../../protocol/native/framing.ts";
import {
  encodeControl,
  type MediaRequest,
  parseControl,
  parseRequest,
} from "../../protocol/native/request.ts";
import {
  encodeDescription,
  encodeEnd,
  encodeError,
  encodeList,
  encodeNotice,
  type EndReport,
  type ListEntry,
} from "../../protocol/native/response.ts";
import type { Library, MediaFile } from "../../sources/file/library.ts";
import type { LiveSources } from "../../sources/live/registry.ts";
import { Controls } from "../playback/controls.ts";
import { playMedia } from "../playback/play_file.ts";
import type { ResponseWriter } from "../playback/sender.ts";
import type { RequestRecord } from "../metrics/request_log.ts";
import type { SessionContext } from "./context.ts";
import { runRequest } from "./outcome.ts";
import { PUBLISHER_KINDS, PublishSession } from "./publish.ts";

/** Requests that are queued while one is served; the peer is not read beyond that. */
const MAX_QUEUED = 16;

/** Milliseconds; three pings without a pong. */
const IDLE_TIMEOUT = 15_000;

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
  #isStopped = false;

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
          if (this.#hasPublished) break;
        }
      }
    } finally {
      this.#isStopped = true;
      await inquiries.cancel();
    }
  }

  /** Waits for the next inquiry until the request timeout, or the shutdown of the server. */
  async #next(
    inquiries: ReadableStreamDefaultReader<Inquiry>,
  ): Promise<{ value?: Inquiry }> {
    const { request: timeout } = this.#context.timeouts;
    const expired = Promise.withResolvers<{ value?: Inquiry }>();
    using _limit = deadline(timeout, () => {
      const message = `Cannot wait any longer: no request within ${timeout / 1000} s`;
      const error = new RequestError("bad_request", message);
      expired.resolve({ value: { kind: "refused", error, isLast: true } });
    });
    using _shutdown = this.#context.shutdown.onDraining(() => {
      // Queued requests still get a response, if only an error.
      if (this.#queued === 0) expired.resolve({});
    });
    return await Promise.race([inquiries.read(), expired.promise]);
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
        const message = await this.#connection.receive({ accept: this.#accepted });
        if (message === undefined) return undefined;
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
    const { requestLog, logger } = this.#context;
    // The last one is no whole request.
    if (!isLast) requestLog.begin({}, this.#context).refused(error);
    else if (requestLog.isLogged(this.#context)) logger.log("warn", `refused: ${error.message}`);
    await this.#connection.send("error", encodeError(error));
  }

  async #respond({ request, controls }: Inquiry & { kind: "request" }): Promise<void> {
    const { timeouts, library, live, authenticator, requestLog, idleTimeout, shutdown } =
      this.#context;
    const { command, name } = request;
    const record = requestLog.begin({ command, name }, this.#context);
    const pings = setInterval(() => this.#ping(), timeouts.ping);
    const limit = timeouts.life ?? IDLE_TIMEOUT;
    using _idle = idleTimeout.watch(limit, () => {
      const message = `The peer gave no sign of life for ${limit / 1000} s`;
      this.#abort.abort(new DeadlineError(message));
    });
    // Aborts only this response, before it has begun.
    const cancel = new AbortController();
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
        if (command === "list_media") {
          await this.#connection.send("list", encodeList(await listMedia(library, live, request)));
          return undefined;
        }
        const response = nativeResponse(this.#connection);
        const { via } = request;
        const context = { ...this.#context, signal, controls, record, response, via };
        return (await playMedia(request, context)).reason;
      });
      if (refusal !== undefined) await this.#connection.send("error", encodeError(refusal));
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
    if (this.#inputEnd !== undefined) publisher.fail(this.#inputEnd);
    try {
      return await publisher.serve(request.name ?? "");
    } finally {
      this.#publisher = undefined;
    }
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

/** Writes responses as messages of the native protocol. */
export function nativeResponse(connection: Connection): ResponseWriter {
  return {
    describe: (description) => connection.send("describe", encodeDescription(description)),
    async write(frame, { dropped }) {
      await connection.sendFrame(frame, { dropped });
      return frame.data.byteLength;
    },
    async writeShared({ message, size }, options) {
      await connection.sendShared(message, options);
      return size;
    },
    end: (report) => connection.send("end", encodeEnd(report)),
    notify: (notice) => connection.send("notice", encodeNotice(notice)),
    seek: (seek) => connection.send("control", encodeControl({ action: "seek", ...seek })),
  };
}

/**
 * Lists all media: live sources first, then the files whose names no live source has.
 *
 * @param data whether to list sources of nothing but data
 */
export async function listMedia(
  library: Library,
  live: LiveSources,
  { data }: Pick<MediaRequest, "data"> = {},
): Promise<ListEntry[]> {
  const files = (await library.list()).filter(({ name }) => live.find(name) === undefined);
  const sources = live.entries().filter(({ kind }) => kind !== "data" || data !== undefined);
  return [...sources, ...files.map(listEntry)];
}

/** List entry of a file. */
export function listEntry({ name, size, info }: MediaFile): ListEntry {
  const { kind, duration, video, audio } = info;
  const codecs = [video?.codec, kind === "image" ? undefined : audio?.codec];
  return {
    name,
    kind,
    live: false,
    size,
    duration,
    codec: codecs.filter((codec) => codec !== undefined).join("+"),
    width: video?.width,
    height: video?.height,
  };
}
