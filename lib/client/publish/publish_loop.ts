/** Sends an input to a server, over as many connections as it takes. */
import { deadline, onAbort } from "../../base/async.ts";
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { DeadlineError, FormatError, messageOf, RequestError } from "../../base/errors.ts";
import { formatAddress } from "../../net/address.ts";
import type { Target } from "../../net/connection.ts";
import { ConnectError, CutError, ShutdownError } from "../../net/errors.ts";
import { explain, explainCut, withMessage } from "../connection/explain.ts";
import { Retries, type RetryLimits } from "../connection/retry.ts";
import { Statistics } from "../../playback/statistics.ts";
import type { InputReading, PublishInput } from "./input.ts";
import { PublisherConnection } from "./publisher_connection.ts";

/** Milliseconds after the signal in which the server's totals may come. */
const STOP_GRACE = 2_000;

/** Whether a server wants frames. */
export class Demand {
  #isPaused = false;
  #changed = new AbortController();

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Aborts at the next change. */
  get changed(): AbortSignal {
    return this.#changed.signal;
  }

  /** Takes an action that the server asks for: `pause` or `resume`; any other changes nothing. */
  take(action: unknown): void {
    if (action !== "pause" && action !== "resume") return;
    const isPaused = action === "pause";
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    this.#changed.abort();
    this.#changed = new AbortController();
  }
}

/** Options of {@linkcode PublishLoop}. */
export interface PublishLoopOptions {
  /** Name under which it is watched. */
  name: string;
  /** Take the name from another publisher. @default false */
  replace?: boolean;
  /** The input runs only while somebody watches. @default false */
  onDemand?: boolean;
  /** The input may end without a frame. @default false */
  mayBeEmpty?: boolean;
  target: Target;
  limits: RetryLimits;
  /** @default MONOTONIC_CLOCK */
  clock?: Clock;
  /** Ends it in good order. */
  signal: AbortSignal;
  /** Ends it at once. */
  forced: AbortSignal;
  /** Called with a line for the user. */
  notify: (line: string) => void;
  /** Called each time that the server accepts it. */
  onAccepted?: () => void;
  /** Called when the input pauses because nobody watches, and when it goes on. */
  onPause?: (paused: boolean) => void;
  /** Called when the number of viewers changes. */
  onViewers?: (viewers: number) => void;
  /** Called when a frame has been sent. */
  onSent?: () => void;
}

/** One publication, over as many connections as it takes. Prints nothing. */
export class PublishLoop {
  #options: PublishLoopOptions;
  #clock: Clock;
  #retries: Retries;
  #statistics: Statistics;
  #viewers = 0;
  #isAccepted = false;
  /** A frame has been sent. */
  #hasSent = false;
  /** FFmpeg's complaint at the end of the input, if that is damaged. */
  #warning: string | undefined;
  /** When the connection was lost that is being restored, milliseconds. */
  #lostAt: number | undefined;

  constructor(options: PublishLoopOptions) {
    const { target, limits, notify, clock = MONOTONIC_CLOCK } = options;
    this.#options = options;
    this.#clock = clock;
    this.#retries = new Retries({ limits, notify, clock, observe: target.observe });
    this.#statistics = this.#count();
  }

  /** The server has accepted it. */
  get isAccepted(): boolean {
    return this.#isAccepted;
  }

  /** Totals of all connections since the server accepted the first. */
  get statistics(): Statistics {
    return this.#statistics;
  }

  /** Clients that watch it now. */
  get viewers(): number {
    return this.#viewers;
  }

  /**
   * Publishes until the input is over, or the signal aborts.
   *
   * @throws {Error} if the server refuses, or the input fails for good
   */
  async run(input: PublishInput): Promise<void> {
    const { signal } = this.#options;
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

  #count(): Statistics {
    const statistics = new Statistics("publish", () => this.#clock.now());
    statistics.name = this.#options.name;
    return statistics;
  }

  /**
   * Publishes over one connection.
   *
   * @returns false if it was lost, and it is time for another
   * @throws what cannot be mended by another connection
   */
  async #connectOnce(input: PublishInput): Promise<boolean> {
    const { name, replace, onDemand, target, signal, forced } = this.#options;
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
        onViewers: (viewers) => {
          this.#viewers = viewers;
          this.#options.onViewers?.(viewers);
        },
        clock: this.#clock,
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
    const { name, target: { host, port }, notify, onAccepted } = this.#options;
    this.#retries.reset();
    if (!this.#isAccepted) {
      this.#isAccepted = true;
      this.#statistics = this.#count();
      const address = formatAddress({ hostname: host, port });
      notify(`Publishing "${name}" to ${address}`);
    } else if (this.#lostAt !== undefined) {
      const seconds = (this.#clock.now() - this.#lostAt) / 1000;
      this.#statistics.reconnects++;
      notify(`Connected again after ${seconds.toFixed(1)} s`);
    }
    this.#lostAt = undefined;
    onAccepted?.();
  }

  /** Sends until the input is over or the signal aborts, and ends in good order. */
  async #serve(
    connection: PublisherConnection,
    input: PublishInput,
    demand: Demand,
  ): Promise<void> {
    const { signal, onPause } = this.#options;
    let isOver = false;
    let dropped = 0;
    while (!isOver && !signal.aborted) {
      connection.lost.throwIfAborted();
      const phase = AbortSignal.any([signal, connection.lost, demand.changed]);
      if (demand.isPaused) {
        onPause?.(true);
        await input.stop();
        await aborted(phase);
        onPause?.(false);
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
    const { name, onSent } = this.#options;
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
        this.#statistics.describe(name, [...item.streams, ...item.data]);
        continue;
      }
      try {
        await connection.send(item);
        this.#hasSent = true;
        this.#statistics.count(item.frame.frame, item.frame.age * 1000);
      } finally {
        item.frame.release();
      }
      onSent?.();
    }
  }

  /**
   * Notifies that the input was damaged.
   *
   * @throws {RequestError} if it had no frames at all, although it must have some
   */
  #checkWhole(): void {
    const warning = this.#warning;
    if (this.#hasSent || this.#options.mayBeEmpty) {
      if (warning !== undefined) this.#options.notify(`the media is damaged: ${warning}`);
      return;
    }
    const reason = `the input has no frames${warning === undefined ? "" : ` (${warning})`}`;
    throw new RequestError("media_error", `Cannot publish "${this.#options.name}": ${reason}`);
  }

  /** @throws the error, if another connection does not help */
  async #waitToReconnect(error: unknown, input: PublishInput): Promise<void> {
    const { onDemand, signal } = this.#options;
    if (this.#isAccepted) this.#lostAt ??= this.#clock.now();
    // Nobody watches through a connection that is lost.
    if (onDemand) await input.stop();
    const hasReason = error instanceof ShutdownError || error instanceof DeadlineError;
    const message = !hasReason && !(error instanceof CutError)
      ? undefined
      : this.#isAccepted
      ? `Connection lost${hasReason ? `: ${messageOf(error)}` : ""}`
      : this.#refusal(error);
    await this.#retries.wait({ error, message, hasReceived: this.#isAccepted }, signal);
  }

  #explain(error: unknown): unknown {
    const { name, target } = this.#options;
    if (error instanceof RequestError || error instanceof ConnectError) {
      return explain(error, { target, signal: new AbortController().signal });
    }
    return this.#isAccepted
      ? explainCut(error, `"${name}"`)
      : withMessage(error, this.#refusal(error));
  }

  /** Why nothing was accepted, with the address, as another program may serve there. */
  #refusal(error: unknown): string {
    const { host, port } = this.#options.target;
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
