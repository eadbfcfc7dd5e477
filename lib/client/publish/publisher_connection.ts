/** One connection of a publisher: asks to publish, sends, and hears what the server wants. */
import { abortable, deadline, settlesWithin } from "../../base/async.ts";
import { type Clock, MONOTONIC_CLOCK, wallClock } from "../../base/clock.ts";
import {
  DeadlineError,
  FormatError,
  isConnectionClosed,
  isConnectionLost,
} from "../../base/errors.ts";
import { connect, type ServerConnection, type Target } from "../../net/connection.ts";
import { CutError, ShutdownError } from "../../net/errors.ts";
import { FrameCounter } from "../../protocol/media_response.ts";
import { openConnection, orCut, sendKeepAlives, unlessLost } from "../../protocol/native/client.ts";
import type { Connection, Message } from "../../protocol/native/connection.ts";
import { encodeRequest, type MediaRequest, parseControl } from "../../protocol/native/request.ts";
import {
  type Acceptance,
  encodeDescription,
  encodeEnd,
  type EndReport,
  parseAcceptance,
  parseEnd,
  parseError,
  parseNotice,
} from "../../protocol/native/response.ts";
import type { SourceStreams } from "../../sources/live/source_streams.ts";
import type { InputItem } from "./input.ts";
import { SendWindow } from "./send_window.ts";

/** Milliseconds between keep-alives. */
const KEEP_ALIVE = 5_000;

/** Bytes of the payload of a ping that marks what was sent before it. */
const MARK_LENGTH = 8;

/** Milliseconds for the server's totals, once it has been told the end. */
const END_TIMEOUT = 30_000;

/** Milliseconds to read why the server hung up, once a write has failed. */
const REASON_GRACE = 1_000;

/** Options of {@linkcode PublisherConnection.open}. */
export interface PublisherOptions {
  target: Target;
  /** Closes the connection. */
  signal: AbortSignal;
  /** Called once the server accepts, before anything else; `isWatched` if somebody watches already. */
  onAccepted: (isWatched: boolean) => void;
  /** Called with what the server asks for, such as `pause` and `resume`. */
  onAsked: (action: unknown) => void;
  /** Called with the number of viewers. */
  onViewers: (viewers: number) => void;
  /** @default MONOTONIC_CLOCK */
  clock?: Clock;
}

/** The server did not take what was sent. */
export class TotalsError extends Error {
  override name = "TotalsError";
}

/** A connection that the server has accepted as a publisher. */
export class PublisherConnection implements Disposable {
  #connection: ServerConnection;
  #messages: Connection;
  #options: PublisherOptions;
  #sent = new FrameCounter();
  #lost = new AbortController();
  #reading: Promise<void> = Promise.resolve();
  #keepAlives: Disposable | undefined;
  #acceptance: Acceptance = { name: "", watched: false };
  /** The server's totals. */
  #end = Promise.withResolvers<EndReport>();
  #isFinishing = false;
  #window: SendWindow;

  private constructor(connection: ServerConnection, options: PublisherOptions) {
    const { clock = MONOTONIC_CLOCK } = options;
    this.#window = new SendWindow(() => clock.now());
    this.#connection = connection;
    this.#messages = openConnection(connection);
    this.#options = options;
    // It may fail while nobody waits for it.
    this.#end.promise.catch(() => {});
  }

  /**
   * Connects, asks to publish, and waits until the server accepts.
   *
   * @throws {RequestError} if the server refuses
   * @throws {Error} if the connection cannot be made, or is lost, or the peer is no stream-server
   */
  static async open(
    request: MediaRequest,
    options: PublisherOptions,
  ): Promise<PublisherConnection> {
    const connection = await connect(options.target, options.signal);
    const publisher = new PublisherConnection(connection, options);
    try {
      await publisher.#begin({ ...request, token: connection.token?.reveal() });
      return publisher;
    } catch (error) {
      connection[Symbol.dispose]();
      throw error;
    }
  }

  /** Aborts when the connection is lost or the server ends it, with the reason. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Describes the streams of the frames that follow. */
  async describe({ streams, data }: SourceStreams): Promise<void> {
    this.#sent.describe([...streams, ...data]);
    const description = {
      ...{ name: this.#acceptance.name, live: true, streams: [...streams] },
      data: data.length === 0 ? undefined : [...data],
    };
    await this.#orReason(() => this.#messages.send("describe", encodeDescription(description)));
  }

  /**
   * Waits while too much is on its way to the server, so that newer frames can take the place of
   * those that wait to be sent.
   *
   * @throws the signal's reason if it aborts
   */
  async ready(signal: AbortSignal): Promise<void> {
    while (this.#window.isFull) await abortable(this.#window.changed, signal);
  }

  /** Sends a frame, which may be released afterwards. */
  async send({ frame: shared, ...remarks }: InputItem & { kind: "frame" }): Promise<void> {
    this.#sent.count(shared.frame);
    await this.#orReason(() => this.#messages.sendShared(shared.message, remarks));
    const mark = this.#window.count(shared.message.byteLength);
    if (mark !== undefined) await this.#orReason(() => this.#sendMark(mark));
  }

  /**
   * Ends the publication in good order, and compares the server's totals with the own ones.
   *
   * @param dropped frames that were not sent
   * @throws {TotalsError} if they differ
   * @throws {Error} if they do not come
   */
  async finish(dropped: number): Promise<void> {
    this.#isFinishing = true;
    const sent = { ...this.#sent.totals, streams: [...this.#sent.streams] };
    const report = { ...sent, dropped, reason: "end" };
    await this.#orReason(() => this.#messages.send("end", encodeEnd(report)));
    using _limit = deadline(END_TIMEOUT, () => {
      const reason = `the server did not confirm the end within ${END_TIMEOUT / 1000} s`;
      this.#end.reject(new DeadlineError(reason));
    });
    checkTaken(sent.streams, await this.#end.promise);
  }

  [Symbol.dispose](): void {
    this.#keepAlives?.[Symbol.dispose]();
    this.#connection[Symbol.dispose]();
  }

  async #begin(request: MediaRequest): Promise<void> {
    await unlessLost(() => this.#messages.send("request", encodeRequest(request)));
    while (true) {
      const message = await this.#next();
      if (message.kind === "accept") {
        this.#acceptance = parseAcceptance(message.payload);
        break;
      }
      if (message.kind !== "notice") throw unexpected(message);
    }
    this.#keepAlives = sendKeepAlives(this.#messages, KEEP_ALIVE);
    this.#options.onAccepted(this.#acceptance.watched);
    this.#reading = this.#readAll();
  }

  /** Reads until the end; never throws. */
  async #readAll(): Promise<void> {
    try {
      while (true) {
        const message = await this.#next();
        if (message.kind === "control") {
          this.#options.onAsked(parseControl(message.payload).action);
        } else if (message.kind === "notice") {
          const { viewers } = parseNotice(message.payload);
          if (viewers !== undefined) this.#options.onViewers(viewers);
        } else if (message.kind !== "end") {
          throw unexpected(message);
        } else if (this.#isFinishing) {
          this.#end.resolve(parseEnd(message.payload));
          return;
        } else {
          throw new ShutdownError("the server ended it");
        }
      }
    } catch (error) {
      const isCut = isConnectionClosed(error) && !this.#options.signal.aborted;
      this.#lose(isCut ? new CutError("the connection was cut", { cause: error }) : error);
    }
  }

  #lose(reason: unknown): void {
    this.#lost.abort(reason);
    this.#end.reject(reason);
  }

  /** Waits for the next message that is no ping, pong or error; answers pings. */
  async #next(): Promise<Message> {
    while (true) {
      const message = await orCut(() => this.#messages.receive());
      if (message === undefined) throw new CutError("the connection was cut");
      if (message.kind === "frame") throw unexpected(message);
      if (message.kind === "error") throw parseError(message.payload);
      // The clock that frames state their capture by.
      const timestamp = { timestamp: wallClock() };
      if (message.kind === "ping") {
        await unlessLost(() => this.#messages.send("pong", message.payload, timestamp));
      } else if (message.kind !== "pong") return message;
      else await this.#onPong(message.payload);
    }
  }

  async #onPong({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>): Promise<void> {
    if (byteLength !== MARK_LENGTH) return;
    const answered = Number(new DataView(buffer, byteOffset).getBigUint64(0, true));
    const mark = this.#window.answer(answered);
    if (mark !== undefined) await unlessLost(() => this.#sendMark(mark));
  }

  async #sendMark(mark: number): Promise<void> {
    const payload = new Uint8Array(MARK_LENGTH);
    new DataView(payload.buffer).setBigUint64(0, BigInt(mark), true);
    await this.#messages.send("ping", payload, { timestamp: wallClock() });
  }

  /** @throws the reason that the server gave, if it hung up */
  async #orReason(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (cause) {
      if (!isConnectionLost(cause) && !isConnectionClosed(cause)) throw cause;
      await settlesWithin(this.#reading, REASON_GRACE);
      if (this.#lost.signal.aborted) throw this.#lost.signal.reason;
      throw new CutError("the connection was cut", { cause });
    }
  }
}

/**
 * Compares what the server took with what was sent.
 *
 * @throws {TotalsError} if they differ
 */
function checkTaken(sent: EndReport["streams"] = [], { streams: taken = [] }: EndReport): void {
  const none = { frames: 0, bytes: 0 };
  for (const id of new Set([...sent, ...taken].map((stream) => stream.id))) {
    const [own, other] = [sent, taken]
      .map((streams) => streams.find((stream) => stream.id === id) ?? none);
    if (own.frames === other.frames && own.bytes === other.bytes) continue;
    throw new TotalsError(
      `${own.frames} frames of ${own.bytes} bytes were sent in stream ${id}, and the server took ` +
        `${other.frames} of ${other.bytes}`,
    );
  }
}

function unexpected({ kind }: Message): FormatError {
  return new FormatError(
    `Cannot understand the server: a message of kind ${kind} came unannounced`,
  );
}
