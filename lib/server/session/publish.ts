/** Serves a publisher: takes its frames until it ends, and asks it for what viewers need. */
import { onAbort } from "../../base/async.ts";
import { type Clock, MONOTONIC_CLOCK, wallClock } from "../../base/clock.ts";
import { RequestError } from "../../base/errors.ts";
import type { Frame } from "../../media/frame.ts";
import { FrameCounter } from "../../protocol/media_response.ts";
import { ClockSync } from "../../protocol/native/clock_sync.ts";
import type { Connection, Message } from "../../protocol/native/connection.ts";
import type { Kind } from "../../protocol/native/framing.ts";
import { encodeControl, type MediaRequest } from "../../protocol/native/request.ts";
import {
  encodeAcceptance,
  encodeEnd,
  encodeNotice,
  type EndReport,
  parseDescription,
} from "../../protocol/native/response.ts";
import { PublishedRun } from "../../sources/live/publication.ts";
import type { PublishedSource, Publisher, PublisherAction } from "../../sources/live/published.ts";
import type { RequestRecord } from "../metrics/request_log.ts";
import type { SessionContext } from "./context.ts";

/** Messages that a publisher may send in addition to those of other clients. */
export const PUBLISHER_KINDS: readonly Kind[] = ["describe", "frame", "end"];

/** Bytes of the largest description of a publisher. */
const MAX_DESCRIBE_SIZE = 256 * 1024;

/** Seconds of a publisher's rate that a description takes. */
const DESCRIBE_COST = 0.05;

/** Options of {@linkcode PublishSession.begin}. */
export interface PublishOptions {
  connection: Connection;
  record: RequestRecord;
  /** Ends the session. */
  signal: AbortSignal;
}

/** A publisher that the server has accepted. Its name is kept for a while once it is disposed. */
export class PublishSession implements Publisher, Disposable {
  readonly onDemand: boolean;
  #connection: Connection;
  #clockSync: ClockSync;
  #maxPixels: number;
  #signal: AbortSignal;
  #rate: PublishRate;
  #source: PublishedSource | undefined;
  #run: PublishedRun | undefined;
  #received = new FrameCounter();
  #finished = Promise.withResolvers<void>();
  #outbox = new Outbox((action, viewers) => this.#send(action, viewers));

  private constructor(
    { onDemand = false }: MediaRequest,
    { maxPixels, clock }: SessionContext,
    { connection, signal }: PublishOptions,
  ) {
    this.onDemand = onDemand;
    this.#connection = connection;
    this.#clockSync = new ClockSync(connection, wallClock);
    this.#maxPixels = maxPixels;
    this.#signal = signal;
    this.#rate = new PublishRate(clock);
    // It may fail before anybody waits for it.
    this.#finished.promise.catch(() => {});
  }

  /**
   * Checks a request to publish, and accepts it.
   *
   * @throws {RequestError} `unauthorized` if the peer may not publish, `busy` if the name is taken,
   * `bad_request` if it cannot be one
   */
  static async begin(
    request: MediaRequest,
    context: SessionContext,
    options: PublishOptions,
  ): Promise<PublishSession> {
    const { publishAccess, publications, library, address } = context;
    const { signal, record } = options;
    await publishAccess.authorize(request.token, { address, signal });
    const { name, replace } = request;
    if (name === undefined) {
      throw new RequestError("bad_request", "Cannot publish without a name: expected name");
    }
    if (await library.has(name)) {
      throw new RequestError("bad_request", `Cannot publish "${name}": a file has that name`);
    }
    const session = new PublishSession(request, context, options);
    session.#source = publications.begin(name, session, { replace });
    record.receive(() => ({ ...session.#received.totals, dropped: 0 }));
    return session;
  }

  /** Sends the acceptance, and waits for the end of the publication, which it answers. */
  async serve(name: string): Promise<EndReport["reason"]> {
    const watched = this.#source?.isWatched ?? false;
    await this.#connection.send("accept", encodeAcceptance({ name, watched }));
    this.#outbox.open();
    using _listener = onAbort(this.#signal, () => this.#finished.reject(this.#signal.reason));
    await this.#finished.promise;
    const report = {
      ...{ ...this.#received.totals, dropped: 0, reason: "end" },
      streams: [...this.#received.streams],
    };
    await this.#connection.send("end", encodeEnd(report));
    return report.reason;
  }

  /**
   * Takes a message of the publisher; resolves when it is time for the next one.
   *
   * @throws {RequestError} `bad_request` for what cannot be passed on
   * @throws {FormatError} for anything malformed
   */
  async take(message: Message): Promise<void> {
    if (message.kind === "frame") return await this.#takeFrame(message);
    if (message.kind === "describe") {
      const { byteLength } = message.payload;
      if (byteLength > MAX_DESCRIBE_SIZE) {
        throw new RequestError(
          "bad_request",
          `Cannot take a description of ${byteLength} bytes: expected at most ${MAX_DESCRIBE_SIZE}`,
        );
      }
      await this.#rate.spend(DESCRIBE_COST, this.#signal);
      const description = parseDescription(message.payload, { name: "" });
      this.#run = new PublishedRun(description, { maxPixels: this.#maxPixels });
      this.#rate.restart();
      const { streams, data = [] } = description;
      this.#received.describe([...streams, ...data]);
      this.#source?.describe(this, this.#run);
    } else if (message.kind === "end") {
      this.#source?.end(this);
      this.#source = undefined;
      this.#finished.resolve();
    } else if (message.kind === "pong") {
      this.#clockSync.onPong(message);
    }
  }

  /** Ends the publication with an error, which the publisher gets. */
  fail(error: Error): void {
    this.#finished.reject(error);
  }

  ask(action: PublisherAction): void {
    this.#outbox.ask(action);
  }

  onViewers(viewers: number): void {
    this.#outbox.count(viewers);
  }

  recycle(frame: Frame): void {
    this.#connection.recycle(frame);
  }

  evict(error: RequestError): void {
    this.fail(error);
  }

  [Symbol.dispose](): void {
    this.#outbox.close();
    this.#source?.lose(this);
    this.#source = undefined;
  }

  async #takeFrame(message: Message & { kind: "frame" }): Promise<void> {
    if (this.#run === undefined) {
      throw new RequestError("bad_request", "Cannot take a frame: expected a describe before it");
    }
    await this.#clockSync.ping();
    this.#received.count(message);
    const { kind: _kind, ...received } = message;
    const frame = this.#run.accept({ ...received, captured: this.#ownTime(message.captured) });
    await this.#rate.wait(frame.data.byteLength, frame.due, this.#signal);
    await this.#source?.push(this, frame);
  }

  /** A capture time by the server's clock; now if the publisher's clock is not known yet. */
  #ownTime(captured: number | undefined): number {
    const { offset } = this.#clockSync;
    const now = wallClock();
    if (captured === undefined || offset === undefined) return now;
    return Math.min(now, Math.round(captured - offset));
  }

  async #send(action: PublisherAction | undefined, viewers: number | undefined): Promise<void> {
    if (action !== undefined) {
      await this.#connection.send("control", encodeControl({ action }));
    }
    if (viewers === undefined) return;
    const message = `${viewers} ${viewers === 1 ? "viewer watches" : "viewers watch"}`;
    await this.#connection.send("notice", encodeNotice({ code: "viewers", message, viewers }));
  }
}

/** Sends what a publisher is asked for, one message at a time, so that only the newest waits. */
class Outbox {
  #send: (action: PublisherAction | undefined, viewers: number | undefined) => Promise<void>;
  #demand: "pause" | "resume" | undefined;
  #keyframe = false;
  #viewers: number | undefined;
  #state: "closed" | "idle" | "sending" = "closed";

  constructor(
    send: (action: PublisherAction | undefined, viewers: number | undefined) => Promise<void>,
  ) {
    this.#send = send;
  }

  /** Begins to send. */
  open(): void {
    this.#state = "idle";
    this.#flush();
  }

  ask(action: PublisherAction): void {
    if (action === "keyframe") this.#keyframe = true;
    else this.#demand = action;
    this.#flush();
  }

  count(viewers: number): void {
    this.#viewers = viewers;
    this.#flush();
  }

  close(): void {
    this.#state = "closed";
  }

  async #flush(): Promise<void> {
    if (this.#state !== "idle") return;
    this.#state = "sending";
    try {
      while (this.#demand !== undefined || this.#keyframe || this.#viewers !== undefined) {
        const action = this.#demand ?? (this.#keyframe ? "keyframe" : undefined);
        const viewers = this.#viewers;
        if (action === "keyframe") this.#keyframe = false;
        this.#demand = this.#viewers = undefined;
        await this.#send(action, viewers);
      }
      if (this.#state === "sending") this.#state = "idle";
    } catch {
      // Reading from the publisher fails as well, and says why.
      this.#state = "closed";
    }
  }
}

/** Seconds by which timestamps may be ahead of real time. */
const MAX_LEAD = 2;

/** Frames and bytes a second that a publisher may send. */
const MAX_RATE = { frames: 2000, bytes: 500e6 };

/** Milliseconds of the rate that may be used at once. */
const BURST = 100;

/** Milliseconds that a frame is held back at most, so that pings are read. */
const LONGEST_WAIT = 1000;

/** Holds a publisher back that sends faster than in real time, or more than a server can carry. */
export class PublishRate {
  #clock: Clock;
  /** Clock time and timestamp of the first frame: milliseconds, seconds. */
  #first: { at: number; due: number } | undefined;
  /** Clock time from which on the next frame may be taken, by frames and bytes. */
  #nextAllowed = -Infinity;

  constructor(clock: Clock = MONOTONIC_CLOCK) {
    this.#clock = clock;
  }

  /** Begins with other timestamps. */
  restart(): void {
    this.#first = undefined;
  }

  /**
   * Waits until a frame may be passed on.
   *
   * @param bytes of its data
   * @param due seconds, from its timestamp
   */
  async wait(bytes: number, due: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    this.#first ??= { at: now, due };
    const lead = (due - this.#first.due) * 1000 - (now - this.#first.at) - MAX_LEAD * 1000;
    const cost = Math.max(1 / MAX_RATE.frames, bytes / MAX_RATE.bytes);
    await this.spend(cost, signal, { lead });
  }

  /**
   * Waits until something else may be taken.
   *
   * @param seconds of the rate that it takes
   * @param options milliseconds to wait at least
   */
  async spend(
    seconds: number,
    signal: AbortSignal,
    { lead = 0 }: { lead?: number } = {},
  ): Promise<void> {
    const now = this.#clock.now();
    this.#nextAllowed = Math.max(this.#nextAllowed, now - BURST) + seconds * 1000;
    const wait = Math.min(LONGEST_WAIT, Math.max(lead, this.#nextAllowed - now));
    if (wait >= 1) await this.#clock.sleep(wait, signal);
  }
}
