/** Publishes an input: connects as often as it takes, sends, and says what happens. */
import { deadline, onAbort } from "../../base/async.ts";
import {
  DeadlineError,
  FormatError,
  messageOf,
  RequestError,
  UsageError,
} from "../../base/errors.ts";
import { printable, printableJson } from "../../base/log.ts";
import { MAX_FRAME_SIZE } from "../../media/frame.ts";
import { formatAddress } from "../../net/address.ts";
import { ConnectError, CutError, ShutdownError } from "../../net/errors.ts";
import { openLiveFeed } from "../../sources/live/feed.ts";
import { refuseUnknownFormats } from "../../sources/live/source_spec.ts";
import { Retries } from "../connection/retry.ts";
import { type ClientContext, explain } from "../context.ts";
import { Statistics } from "../playback/statistics.ts";
import { formatBytes, formatCount, formatTime } from "../terminal/progress.ts";
import { Messages } from "../terminal/status.ts";
import { Demand } from "./demand.ts";
import type { InputReading, PublishInput } from "./input.ts";
import { LiveInput } from "./live_input.ts";
import { PacedInput } from "./paced_input.ts";
import type { PublishPlan } from "./plan.ts";
import { PublisherConnection } from "./publisher_connection.ts";

/** Milliseconds after the user's Ctrl-C in which the server's totals may come. */
const STOP_GRACE = 2_000;

/** Seconds by which frames of the standard input may be early. */
const STDIN_LEAD = 0.5;

/** Milliseconds without data after which a file is given up. */
const FILE_TIMEOUT = 30_000;

/** The same for the standard input, whose program may be silent for as long as it likes. */
const STDIN_TIMEOUT = 2 ** 30;

/**
 * Publishes until the input is over, or the context's signal aborts.
 *
 * @throws {UsageError} if FFmpeg does not know the input's format
 * @throws {Error} if the server refuses, or the input fails for good
 */
export async function publish(plan: PublishPlan, context: ClientContext): Promise<void> {
  const { flags, environment } = context;
  const messages = new Messages(environment);
  messages.attach([]);
  const publication = new Publication(plan, context, messages);
  try {
    await publication.run();
  } finally {
    messages.progress?.clear();
    if (flags.json) environment.print(`${printableJson(publication)}\n`);
  }
  const { summary } = publication;
  if (!flags.json && summary !== undefined) environment.printError(`${printable(summary)}\n`);
}

/** Opens the input of a plan. */
async function openInput(
  { source, opened, rendition, isSilent, onDemand }: PublishPlan,
  { ffmpeg, environment }: ClientContext,
  notify: (line: string) => void,
): Promise<PublishInput> {
  if (opened?.isStdin && environment.stdinIsTerminal) {
    throw new UsageError(
      "Cannot read the terminal with --input -: expected the output of a program, as in " +
        "program | stream-client --publish …",
    );
  }
  const dialect = await ffmpeg.dialect();
  await refuseUnknownFormats([source], ({ format }) => `--input "${format}:…"`);
  const limits = { maxFrameSize: MAX_FRAME_SIZE, dialect, isSilent, isOwn: true };
  const { clock } = environment;
  if (opened === undefined) {
    const open = (signal: AbortSignal) => openLiveFeed(source, rendition, { ...limits, signal });
    return new LiveInput({ source, open, notify, clock, onDemand });
  }
  const readTimeout = opened.isStdin ? STDIN_TIMEOUT : FILE_TIMEOUT;
  return new PacedInput({
    open: (signal) => openLiveFeed(source, rendition, { ...limits, opened, readTimeout, signal }),
    isAwaited: opened.isStdin,
    lead: opened.isStdin ? STDIN_LEAD : 0,
    clock,
  });
}

/** One publication, over as many connections as it takes. */
class Publication {
  #plan: PublishPlan;
  #context: ClientContext;
  #messages: Messages;
  #retries: Retries;
  #statistics: Statistics;
  #viewers = 0;
  /** The server has accepted it. */
  #isAccepted = false;
  /** A frame has been sent. */
  #hasSent = false;
  /** FFmpeg's complaint at the end of the input, if that is damaged. */
  #warning: string | undefined;
  /** When the connection was lost that is being restored, milliseconds. */
  #lostAt: number | undefined;

  constructor(plan: PublishPlan, context: ClientContext, messages: Messages) {
    this.#plan = plan;
    this.#context = context;
    this.#messages = messages;
    const { flags, environment } = context;
    // A camera that starts before its server waits for it.
    const limit = flags.retries ?? Infinity;
    this.#retries = new Retries({
      limits: { first: limit, later: limit },
      notify: (line) => messages.notify(line),
      clock: environment.clock,
    });
    this.#statistics = this.#count();
  }

  /** Publishes until the input is over, or the signal aborts. */
  async run(): Promise<void> {
    const { signal } = this.#context;
    const notify = (line: string) => this.#messages.notify(line);
    await using input = await openInput(this.#plan, this.#context, notify);
    try {
      await input.ready(signal);
      while (!await this.#connectOnce(input)) {
        // The connection was lost.
      }
    } catch (error) {
      if (!isOfStop(error, signal)) throw this.#explain(error);
    } finally {
      this.#statistics.end();
    }
  }

  /** Totals of all connections; `undefined` if the server has accepted nothing. */
  get summary(): string | undefined {
    if (!this.#isAccepted) return undefined;
    const { frames, audioFrames, position, hasPicture } = this.#statistics;
    const { framesPerSecond, seconds, bytes, dropped, reconnects } = this.#statistics;
    const isSound = !hasPicture && audioFrames > 0;
    return `Published ${
      isSound ? `${formatTime(position)} of sound` : formatCount(frames, "frame")
    }` +
      ` in ${formatTime(seconds)}` +
      (hasPicture ? `, ${framesPerSecond.toFixed(1)} fps` : "") +
      (dropped > 0 ? `, ${dropped} dropped` : "") +
      (reconnects > 0 ? `, ${formatCount(reconnects, "reconnect")}` : "") +
      `, ${formatBytes(bytes)}`;
  }

  /** The fields of `--json`, described in docs/guide/publish.md. */
  toJSON(): Record<string, unknown> {
    const { firstFrameMs: _first, messages: _messages, latencyMs, ...shared } = this.#statistics
      .toJSON();
    return { ...shared, viewers: this.#viewers, latencyMs };
  }

  #count(): Statistics {
    const { clock } = this.#context.environment;
    const statistics = new Statistics("publish", () => clock.now());
    statistics.name = this.#plan.name;
    return statistics;
  }

  /**
   * Publishes over one connection.
   *
   * @returns false if it was lost, and it is time for another
   * @throws what cannot be mended by another connection
   */
  async #connectOnce(input: PublishInput): Promise<boolean> {
    const { target, signal, forced, environment } = this.#context;
    const { name, replace, onDemand } = this.#plan;
    const demand = new Demand();
    const closing = new AbortController();
    using _forced = onAbort(forced, () => closing.abort(forced.reason));
    using stops = new DisposableStack();
    try {
      // Once the server has accepted, the end is sent first.
      const unopened = stops.use(onAbort(signal, () => closing.abort(signal.reason)));
      using connection = await PublisherConnection.open({
        ...{ command: "publish", name },
        replace: replace || undefined,
        onDemand: onDemand || undefined,
      }, {
        ...{ target, signal: closing.signal },
        onAccepted: (isWatched) => {
          this.#viewers = 0;
          // The server pauses who comes on demand, but not before the next message.
          if (onDemand && !isWatched) demand.take("pause");
        },
        onAsked: (action) => demand.take(action),
        onViewers: (viewers) => this.#viewers = viewers,
        clock: environment.clock,
      });
      unopened[Symbol.dispose]();
      stops.use(onAbort(signal, () => {
        stops.use(deadline(STOP_GRACE, () => closing.abort(signal.reason)));
      }));
      this.#onAccepted();
      await this.#serve(connection, input, demand);
      return true;
    } catch (error) {
      // Before the server has accepted, there is nothing to end in good order.
      if (closing.signal.aborted || isOfStop(error, signal)) return true;
      if (signal.aborted) throw error;
      await this.#waitToReconnect(error, input);
      return false;
    }
  }

  #onAccepted(): void {
    const { target: { host, port }, environment } = this.#context;
    this.#retries.reset();
    if (!this.#isAccepted) {
      this.#isAccepted = true;
      this.#statistics = this.#count();
      const address = formatAddress({ hostname: host, port });
      this.#messages.notify(`Publishing "${this.#plan.name}" to ${address}`);
    } else if (this.#lostAt !== undefined) {
      const seconds = (environment.clock.now() - this.#lostAt) / 1000;
      this.#statistics.reconnects++;
      this.#messages.notify(`Connected again after ${seconds.toFixed(1)} s`);
    }
    this.#lostAt = undefined;
  }

  /** Sends until the input is over or the signal aborts, and ends in good order. */
  async #serve(
    connection: PublisherConnection,
    input: PublishInput,
    demand: Demand,
  ): Promise<void> {
    const { signal } = this.#context;
    let isOver = false;
    let dropped = 0;
    while (!isOver && !signal.aborted) {
      connection.lost.throwIfAborted();
      const phase = AbortSignal.any([signal, connection.lost, demand.changed]);
      if (demand.isPaused) {
        this.#messages.pause(true);
        await input.stop();
        await aborted(phase);
        this.#messages.pause(false);
        continue;
      }
      using reading = input.read();
      isOver = await this.#send(reading, connection, phase);
      dropped += reading.dropped;
    }
    await connection.finish(dropped);
    if (isOver) this.#checkWhole();
  }

  /**
   * Sends what is read until the signal aborts.
   *
   * @returns whether the input is over
   */
  async #send(
    reading: InputReading,
    connection: PublisherConnection,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { progress } = this.#messages;
    let counted = 0;
    while (true) {
      let item;
      try {
        await connection.ready(signal);
        item = await reading.take(signal);
      } catch (error) {
        if (signal.aborted) return false;
        throw error;
      } finally {
        this.#statistics.dropped += reading.dropped - counted;
        counted = reading.dropped;
      }
      if (item.kind === "end") {
        this.#warning = item.warning;
        return true;
      }
      if (item.kind === "describe") {
        await connection.describe(item);
        this.#statistics.describe(this.#plan.name, item.streams);
        continue;
      }
      try {
        await connection.send(item);
        this.#hasSent = true;
        this.#statistics.count(item.frame.frame, item.frame.age * 1000);
      } finally {
        item.frame.release();
      }
      progress?.update(this.#state());
    }
  }

  /**
   * Tells that the input was damaged.
   *
   * @throws {RequestError} if it had no frames at all
   */
  #checkWhole(): void {
    const warning = this.#warning;
    if (this.#hasSent) {
      if (warning !== undefined) this.#messages.notify(`the media is damaged: ${warning}`);
      return;
    }
    const reason = `the input has no frames${warning === undefined ? "" : ` (${warning})`}`;
    throw new RequestError("media_error", `Cannot publish "${this.#plan.name}": ${reason}`);
  }

  /** The values of the progress line. */
  #state() {
    const { frames, audioFrames, bytes, seconds, position, framesPerSecond } = this.#statistics;
    const { hasPicture, dropped, latency } = this.#statistics;
    return {
      ...{ frames, audioFrames, bytes, seconds, position, framesPerSecond },
      ...{ hasPicture, dropped, latency, viewers: this.#viewers },
    };
  }

  /** @throws the error, if another connection does not help */
  async #waitToReconnect(error: unknown, input: PublishInput): Promise<void> {
    const { signal, environment } = this.#context;
    if (this.#isAccepted) this.#lostAt ??= environment.clock.now();
    // Nobody watches through a connection that is lost.
    if (this.#plan.onDemand) await input.stop();
    const hasReason = error instanceof ShutdownError || error instanceof DeadlineError;
    const message = !hasReason && !(error instanceof CutError)
      ? undefined
      : this.#isAccepted
      ? `Connection lost${hasReason ? `: ${messageOf(error)}` : ""}`
      : this.#refusal(error);
    await this.#retries.wait({ error, message, hasReceived: this.#isAccepted }, signal);
  }

  #explain(error: unknown): unknown {
    const { target } = this.#context;
    if (error instanceof RequestError || error instanceof ConnectError) {
      return explain(error, { target, signal: new AbortController().signal });
    }
    const message = this.#isAccepted
      ? `Cannot finish "${this.#plan.name}": ${messageOf(error)}`
      : this.#refusal(error);
    return new Error(message, { cause: error });
  }

  /** Why nothing was accepted, with the address, as another program may serve there. */
  #refusal(error: unknown): string {
    const { host, port } = this.#context.target;
    const address = formatAddress({ hostname: host, port });
    const isForeign = error instanceof CutError || error instanceof FormatError;
    const hint = isForeign ? "; is that stream-server?" : "";
    return `Cannot publish to ${address}: ${messageOf(error)}${hint}`;
  }
}

/** Whether an error only says that the user has stopped it, or that the server was gone by then. */
function isOfStop(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  return error === signal.reason || error instanceof CutError || error instanceof DeadlineError;
}

/** Waits until a signal aborts. */
async function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  using _listener = onAbort(signal, resolve);
  await promise;
}
