/** Serves a publisher: takes its frames until it ends, and asks it for what viewers need. */
import { onAbort } from "../../base/async.ts";
import { wallClock } from "../../base/clock.ts";
import { RequestError } from "../../base/errors.ts";
import type { Description, Frame } from "../../media/frame.ts";
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
import { PublishedRun } from "../../sources/publish/publication.ts";
import type {
  PublishedSource,
  Publisher,
  PublisherAction,
} from "../../sources/publish/published.ts";
import type { MemoryBudget } from "../../sources/limits.ts";
import type { RequestRecord } from "../metrics/records.ts";
import type { SessionContext } from "./context.ts";
import { PublishRate } from "./publish_rate.ts";
import { PublisherOutbox } from "./publisher_outbox.ts";

/** Messages that a publisher may send, before and after it is accepted. */
export const PUBLISHER_KINDS: Record<"waiting" | "accepted", readonly Kind[]> = {
  waiting: ["control", "ping", "pong"],
  accepted: ["control", "ping", "pong", "describe", "frame", "end"],
};

/** Microseconds before now in which a capture time may lie. */
const OLDEST_CAPTURE = 60_000_000;

/** Streams that one publisher may describe, one after the other. */
const MAX_STREAM_IDS = 256;

/** Bytes of the largest description of a publisher. */
const MAX_DESCRIBE_SIZE = 256 * 1024;

/** A description takes as much of a publisher's rate as a hundred frames. */
export const DESCRIBE_WORK = { messages: 100 };

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
  #budget: MemoryBudget;
  /** For the frames of the current run. */
  #memory: Disposable | undefined;
  #ids = new Set<number>();
  #signal: AbortSignal;
  #rate: PublishRate;
  /** Absent once the publication has ended. */
  #source: PublishedSource | undefined;
  #run: PublishedRun | undefined;
  #received = new FrameCounter();
  #finished = Promise.withResolvers<void>();
  #outbox = new PublisherOutbox((action, viewers) => this.#send(action, viewers));

  private constructor(
    { onDemand = false }: MediaRequest,
    { maxPixels, budget, clock }: SessionContext,
    { connection, signal }: PublishOptions,
  ) {
    this.onDemand = onDemand;
    this.#connection = connection;
    this.#clockSync = new ClockSync(connection, wallClock);
    this.#maxPixels = maxPixels;
    this.#budget = budget;
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
    // Before frames fill the link, behind which later pongs have to wait.
    await this.#clockSync.ping();
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
   * Takes a message of the publisher; resolves when it is time for the next one. Ignores what comes
   * after the end.
   *
   * @throws {RequestError} `bad_request` for what cannot be passed on
   * @throws {FormatError} for anything malformed
   */
  async take(message: Message): Promise<void> {
    if (this.#source === undefined) return;
    if (message.kind === "frame") return await this.#takeFrame(message);
    if (message.kind === "describe") {
      const { byteLength } = message.payload;
      if (byteLength > MAX_DESCRIBE_SIZE) {
        throw new RequestError(
          "bad_request",
          `Cannot take a description of ${byteLength} bytes: expected at most ${MAX_DESCRIBE_SIZE}`,
        );
      }
      await this.#rate.spend(DESCRIBE_WORK, this.#signal);
      this.#describe(parseDescription(message.payload, { name: "" }));
    } else if (message.kind === "end") {
      this.#source.end(this);
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
    this.#memory?.[Symbol.dispose]();
  }

  #describe(description: Description): void {
    // Nobody would give the memory back.
    if (this.#source === undefined) return;
    const run = new PublishedRun(description, { maxPixels: this.#maxPixels });
    const { streams, data = [] } = description;
    for (const { id } of [...streams, ...data]) this.#ids.add(id);
    if (this.#ids.size > MAX_STREAM_IDS) {
      const message = `Cannot take more than ${MAX_STREAM_IDS} streams of one publisher`;
      throw new RequestError("bad_request", `${message}: expected ids that were used before`);
    }
    this.#memory?.[Symbol.dispose]();
    this.#memory = this.#budget.take(run.memory);
    this.#run = run;
    this.#rate.restart();
    this.#received.describe([...streams, ...data]);
    this.#source.describe(this, run);
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
    const own = Math.round(captured - offset);
    return own < now - OLDEST_CAPTURE ? now : Math.min(now, own);
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
