/** Serves a script that pushes frames: its frames are those of a live source until it leaves. */
import { deadline } from "../../base/async.ts";
import { wallClock } from "../../base/clock.ts";
import { DeadlineError, FormatError, RequestError } from "../../base/errors.ts";
import { allStreams, type Description, type Frame } from "../../media/frame.ts";
import { CutError } from "../../net/errors.ts";
import {
  FrameCounter,
  type MediaResponse,
  type ResponsePart,
} from "../../protocol/media_response.ts";
import { describeFormat, type ScriptFormat } from "../../protocol/script/format.ts";
import { receiveScript } from "../../protocol/script/receiver.ts";
import type { ScriptInput } from "../../sources/live/script_spec.ts";
import { PublishedRun } from "../../sources/publish/publication.ts";
import type { PublishedSource, Publisher } from "../../sources/publish/published.ts";
import type { ScriptNames } from "../../sources/publish/script_names.ts";
import type { RequestRecord } from "../metrics/records.ts";
import type { SessionContext } from "./context.ts";
import { endByYielding, gaveWayServing } from "./outcome.ts";
import { DESCRIBE_WORK } from "./publish.ts";
import { PublishRate } from "./publish_rate.ts";

/** Milliseconds for the whole first frame of a script that sends slowly. */
const FIRST_FRAME_TIMEOUT = 60_000;

/** Milliseconds that a script may pause. */
const PAUSE_TIMEOUT = 30_000;

/** Options of {@linkcode runScriptPublisher}. */
export interface ScriptPublisherOptions {
  /** Expected framing and replies of the script. */
  script: ScriptInput;
  /** The names of the scripts that push there. */
  names: ScriptNames;
  /** Ends the session. */
  abort: AbortController;
}

/** Receives the frames of a script until it leaves, which loses the source. */
export async function runScriptPublisher(
  context: SessionContext,
  options: ScriptPublisherOptions,
): Promise<void> {
  using publisher = new ScriptPublisher(context, options);
  await publisher.run();
}

class ScriptPublisher implements Publisher, Disposable {
  readonly onDemand = false;
  #context: SessionContext;
  #options: ScriptPublisherOptions;
  #response: MediaResponse;
  #format: ScriptFormat | undefined;
  #rate: PublishRate;
  #received = new FrameCounter();
  #source: PublishedSource | undefined;
  #run: PublishedRun | undefined;
  /** For the frames of the current run. */
  #memory: Disposable | undefined;
  #record: RequestRecord | undefined;

  constructor(context: SessionContext, options: ScriptPublisherOptions) {
    this.#context = context;
    this.#options = options;
    this.#rate = new PublishRate(context.clock);
    const { reader, writer, observer, maxPixels, budget, logger, requestLog } = context;
    const { format, request, ack } = options.script;
    // The session closes the connection.
    const connection = { reader, writer, observer, [Symbol.dispose]() {} };
    this.#response = receiveScript(connection, {
      ...{ name: "", format, request, ack, maxPixels, keepsFrames: true },
      reserve: (bytes) => budget.take(bytes),
      onFormat: (known) => this.#format = known,
      notify: (line) => {
        if (requestLog.isLogged(context)) logger.log("info", line);
      },
    });
  }

  /** @throws the failure, if the connection is lost or the session has ended */
  async run(): Promise<void> {
    const { signal, isDraining, logger, requestLog, shutdown } = this.#context;
    using _stopped = shutdown.onStopped(() => this.#options.abort.abort(shutdown.stopped.reason));
    try {
      await this.#receive();
      this.#record?.done();
    } catch (error) {
      if (signal.aborted) {
        this.#record?.broken(isDraining() ? "shutdown" : "cut");
        throw error;
      }
      if (error instanceof CutError) {
        if (this.#record !== undefined) this.#record.broken("cut");
        else if (requestLog.isLogged(this.#context)) logger.log("info", `ended: ${error.message}`);
        return;
      }
      const refusal = error instanceof FormatError
        ? new RequestError("bad_request", error.message, { cause: error })
        : error;
      if (!(refusal instanceof RequestError)) throw error;
      const record = this.#record ?? requestLog.begin({ wire: "classic" }, this.#context);
      record.refused(refusal);
    }
  }

  /** A script cannot be asked. */
  ask(): void {}

  onViewers(): void {}

  recycle(frame: Frame): void {
    this.#response.recycle?.(frame);
  }

  evict(error: RequestError): void {
    this.#options.abort.abort(error);
  }

  /** Loses the source, which the script may come back to. */
  [Symbol.dispose](): void {
    this.#source?.lose(this);
    this.#source = undefined;
    this.#memory?.[Symbol.dispose]();
  }

  async #receive(): Promise<void> {
    const parts = this.#response[Symbol.asyncIterator]();
    const first = await this.#first(parts);
    const { idleTimeout, slot, timeouts: { pause = PAUSE_TIMEOUT } } = this.#context;
    using _serving = slot?.serve();
    using _yield = endByYielding(this.#context, this.#options.abort, gaveWayServing);
    using _idle = idleTimeout.watch(pause, () => this.#expire(pause));
    for (let part = first; part.kind !== "end";) {
      if (part.kind === "describe") await this.#describe(part.description);
      else if (part.kind === "frame") await this.#take(part);
      const { value, done } = await parts.next();
      if (done) return;
      part = value;
    }
  }

  /** Waits for the description that comes with the first frame. */
  async #first(parts: AsyncIterator<ResponsePart>): Promise<ResponsePart> {
    const { idleTimeout, timeouts, shutdown } = this.#context;
    using _draining = shutdown.onDraining((reason) => this.#options.abort.abort(reason));
    using _yield = endByYielding(this.#context, this.#options.abort);
    using _silence = idleTimeout.watch(timeouts.request, () => this.#expire(timeouts.request));
    using _limit = deadline(FIRST_FRAME_TIMEOUT, () => this.#expire(FIRST_FRAME_TIMEOUT));
    const { value, done } = await parts.next();
    if (done) throw new CutError("the script had nothing to send");
    return value;
  }

  #expire(milliseconds: number): void {
    const what = this.#record === undefined ? "no frame" : "nothing";
    const error = new DeadlineError(`The script sent ${what} within ${milliseconds / 1000} s`);
    this.#options.abort.abort(error);
  }

  async #describe(description: Description): Promise<void> {
    const { maxPixels, budget, signal } = this.#context;
    await this.#rate.spend(DESCRIBE_WORK, signal);
    const run = new PublishedRun(description, { maxPixels });
    this.#memory?.[Symbol.dispose]();
    this.#memory = budget.take(run.memory);
    this.#source ??= await this.#begin(description);
    this.#run = run;
    this.#received.describe(allStreams(description));
    this.#source.describe(this, run);
  }

  /** Gives it a name, and records that it begins. */
  async #begin({ streams }: Description): Promise<PublishedSource> {
    const { requestLog, address } = this.#context;
    const { name, source } = await this.#options.names.begin(this, address);
    const format = this.#format ?? this.#options.script.format;
    const [video] = streams;
    this.#record = requestLog.begin({
      ...{ command: "publish", name, wire: "classic" },
      format: format && describeFormat(format),
      size: video?.type === "video" ? `${video.width}x${video.height}` : undefined,
    }, this.#context);
    this.#record.receive(() => ({ ...this.#received.totals, dropped: 0 }));
    return source;
  }

  async #take({ frame, dropped }: ResponsePart & { kind: "frame" }): Promise<void> {
    const { streamId, timestamp, keyframe, data } = frame;
    const received = { streamId, timestamp, keyframe, data, dropped, captured: wallClock() };
    const accepted = this.#run?.accept(received);
    if (accepted === undefined) return;
    this.#received.count(frame);
    await this.#rate.wait(data.byteLength, accepted.due, this.#context.signal);
    await this.#source?.push(this, accepted);
  }
}
