/** Sends the frames of one response, counts them, and drops late ones. */
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import type { AnyStream, Description, Frame, VideoStream } from "../../media/frame.ts";
import type { TimedFrame } from "../../media/source.ts";
import type { EndReport, Notice, StreamTotals } from "../../protocol/native/response.ts";
import type { SharedFrame } from "../../sources/live/shared_frame.ts";
import type { RequestRecord } from "../metrics/records.ts";
import type { Controls, Seek } from "./controls.ts";
import { earlinessOf, FrameRate } from "./early.ts";
import { LatePolicy, ThroughputMonitor } from "./lateness.ts";
import type { Step } from "./player.ts";

/** Seconds of lateness after which the viewer is notified of the reason. */
const LATE_NOTICE = 2;

/** Milliseconds between two notices of dropped frames. */
const DROPPED_INTERVAL = 1000;

/** Seconds behind the target of a seek whose frames are sent while playback is paused. */
const PREVIEW = 0.5;

/** Frames of all viewers. */
const ALL_FRAMES = new FrameRate();

/** Writes one response in the framing of a protocol. */
export interface ResponseWriter {
  /** Writes what precedes the frames. */
  describe(description: Description): Promise<void>;
  /**
   * Writes a frame. The memory around its data may be overwritten. May keep it for a moment, so that
   * others are sent with it; a failure is then that of a later call.
   *
   * @param options whether frames of its stream were dropped before it
   * @returns bytes of data that were sent, or are kept
   */
  write(frame: Frame, options: { dropped: boolean }): Promise<number> | number;
  /**
   * Writes a frame whose memory other connections share.
   *
   * @param options whether frames of its stream were dropped, or skipped, before it
   * @returns bytes of data that were sent
   */
  writeShared(
    frame: SharedFrame,
    options: { dropped: boolean; discontinuity: boolean },
  ): Promise<number>;
  /** Sends the frames that are kept, since nothing follows for a while; absent if none are. */
  flush?(): void;
  /** Writes the end of the response. */
  end(report: EndReport): Promise<void>;
  /** Writes a notice; absent if the protocol has none. */
  notify?(notice: Notice): Promise<void>;
  /** Writes that frames from a seek's target on follow; absent if the protocol has no controls. */
  seek?(seek: Seek): Promise<void>;
}

/** Options of {@linkcode Sender}. */
export interface SenderOptions {
  response: ResponseWriter;
  streams: readonly AnyStream[];
  /** Records how late frames are sent. */
  record?: Pick<RequestRecord, "sending">;
  /** @default MONOTONIC_CLOCK */
  clock?: Pick<Clock, "now">;
}

/** Sends and counts the frames of one response, and notifies the viewer of dropped frames. */
export abstract class Sender {
  /** Frames that were dropped so far. */
  abstract readonly dropped: number;
  #response: ResponseWriter;
  #record: Pick<RequestRecord, "sending"> | undefined;
  #clock: Pick<Clock, "now">;
  #totals = { frames: 0, audioFrames: 0, bytes: 0 };
  #streams = new Map<number, { type: AnyStream["type"]; totals: StreamTotals }>();
  /** The last notice of dropped frames: their number, and its time in milliseconds. */
  #notified = { dropped: 0, at: -Infinity };

  constructor({ response, streams, record, clock = MONOTONIC_CLOCK }: SenderOptions) {
    this.#response = response;
    this.#record = record;
    this.#clock = clock;
    this.follow(streams);
  }

  /** Counts streams that follow, those of the same id with the ones before. */
  protected follow(streams: readonly AnyStream[]): void {
    for (const { id, type } of streams) {
      const { totals } = this.#streams.get(id) ?? { totals: { id, frames: 0, bytes: 0 } };
      this.#streams.set(id, { type, totals });
    }
  }

  /** Bytes of the frames' data that were sent so far. */
  get bytes(): number {
    return this.#totals.bytes;
  }

  /** Gives the totals so far. */
  report(reason = "end", warning?: string): EndReport {
    const streams = [...this.#streams.values()].map(({ totals }) => totals);
    return { ...this.#totals, dropped: this.dropped, reason, streams, warning };
  }

  /**
   * Sends a frame of a file.
   *
   * @param options whether frames of its stream were dropped before it, and the seconds by which it
   * is late, if it has a due time
   * @returns `undefined` if there is nothing to wait for
   */
  send(
    frame: Frame,
    { dropped, lateness }: { dropped: boolean; lateness: number | undefined },
  ): Promise<void> | undefined {
    if (lateness !== undefined) this.#record?.sending("file", lateness);
    const bytes = this.#response.write(frame, { dropped });
    if (typeof bytes !== "number") return bytes.then((bytes) => this.#count(frame.streamId, bytes));
    this.#count(frame.streamId, bytes);
    return undefined;
  }

  /**
   * Sends a frame of a live source.
   *
   * @param options whether frames of its stream were dropped, or skipped, before it
   */
  async sendShared(
    shared: SharedFrame,
    options: { dropped: boolean; discontinuity: boolean },
  ): Promise<void> {
    this.#record?.sending("live", shared.age);
    this.#count(shared.frame.streamId, await this.#response.writeShared(shared, options));
  }

  /**
   * Notifies the viewer of the total of dropped frames, if it has grown, at most once a second.
   *
   * @returns whether it did
   */
  async notifyDropped(): Promise<boolean> {
    const { dropped } = this;
    const now = this.#clock.now();
    if (dropped === this.#notified.dropped) return false;
    if (now - this.#notified.at < DROPPED_INTERVAL) return false;
    this.#notified = { dropped, at: now };
    const message = `${dropped} ${dropped === 1 ? "frame was" : "frames were"} dropped so far`;
    await this.notify({ code: "dropped", message, dropped });
    return true;
  }

  /** Sends the frames that the protocol keeps. */
  protected flush(): void {
    this.#response.flush?.();
  }

  async notify(notice: Notice): Promise<void> {
    await this.#response.notify?.(notice);
  }

  /** Ends the response with the totals, which it returns. */
  async end(reason?: string, warning?: string): Promise<EndReport> {
    const report = this.report(reason, warning);
    await this.#response.end(report);
    return report;
  }

  #count(streamId: number, bytes: number): void {
    const stream = this.#streams.get(streamId);
    if (stream?.type === "video") this.#totals.frames++;
    else if (stream?.type === "audio") this.#totals.audioFrames++;
    this.#totals.bytes += bytes;
    if (stream === undefined) return;
    stream.totals.frames++;
    stream.totals.bytes += bytes;
  }
}

type FrameStep = Extract<Step, { kind: "frame" }>;

/** Options of {@linkcode TimedSender}. */
export interface TimedSenderOptions extends SenderOptions {
  controls: Controls;
  /** Drop frames that are late. */
  drop: boolean;
  /** Counts the frames of all viewers. @default those of all in this process */
  rate?: FrameRate;
}

/** Sends the steps of a player, each frame when it is due, or drops it. */
export class TimedSender extends Sender {
  override dropped = 0;
  #options: TimedSenderOptions;
  #rate: FrameRate;
  /** Of the rate, which is that of all viewers: pauses of one do not stop it. */
  #rateClock: Pick<Clock, "now">;
  #late: LatePolicy | undefined;
  #monitor: ThroughputMonitor | undefined;
  /** Why frames are late, if that is known and the viewer has yet to be notified. */
  #reason: Notice | undefined;
  /** The viewer has been notified of it. */
  #isExplained = false;
  #video: VideoStream | undefined;
  /** Streams whose frames before the next were dropped. */
  #gaps = new Set<number>();
  /** Streams of which a frame with a discontinuity was dropped. */
  #breaks = new Set<number>();
  /** Video frames that a paused viewer has yet to receive after a seek. */
  #preview = 0;

  constructor(options: TimedSenderOptions) {
    super(options);
    const { streams, drop, controls, clock = MONOTONIC_CLOCK, rate = ALL_FRAMES } = options;
    this.#options = options;
    this.#rate = rate;
    this.#rateClock = clock;
    this.#video = streams.find((stream) => stream.type === "video");
    const { speed } = controls.pacer;
    // At speed 0 no frame is late.
    if (speed > 0) {
      this.#monitor = new ThroughputMonitor(speed);
      if (drop) this.#late = new LatePolicy();
    }
  }

  /** Sends or drops all steps. */
  async takeAll(steps: AsyncIterable<Step>): Promise<void> {
    for await (const step of steps) {
      const taking = this.take(step);
      if (taking !== undefined) await taking;
    }
  }

  /**
   * Sends or drops one step. A frame that the viewer interrupts before it is due is discarded.
   *
   * @returns `undefined` if there is nothing to wait for
   */
  take(step: Step): Promise<void> | undefined {
    if (step.kind === "notice") return this.notify(step.notice);
    if (step.kind === "seek") return this.#takeSeek(step.seek);
    if (step.kind === "cue") return this.send(step.frame, { dropped: false, lateness: undefined });
    // This is run for each frame of each viewer: it waits only if there is something to wait for.
    return this.#isDue(step) ? this.#takeDue(step) : this.#takeWhenDue(step);
  }

  async #takeSeek(seek: Seek): Promise<void> {
    this.#options.controls.pacer.restart();
    this.#late?.reset();
    this.#monitor?.reset();
    this.#gaps.clear();
    this.#breaks.clear();
    // A decoder outputs its first frame after as many more as its decoding delay.
    this.#preview = this.#video === undefined ? 0 : 1 + (this.#video.decodeDelay ?? 0);
    await this.#options.response.seek?.(seek);
  }

  async #takeWhenDue(step: FrameStep): Promise<void> {
    if (await this.#becomesDue(step)) await this.#takeDue(step);
  }

  #takeDue(step: FrameStep): Promise<void> | undefined {
    if (this.#isVideo(step) && step.isShown && this.#preview > 0) this.#preview--;
    const isDropped = this.#isDropped(step);
    if (this.#reason === undefined && !isDropped) return this.#sendDue(step);
    return this.#explainAndTake(step, isDropped);
  }

  async #explainAndTake(step: FrameStep, isDropped: boolean): Promise<void> {
    if (this.#reason !== undefined) await this.#explain(this.#reason);
    if (!isDropped) return await this.#sendDue(step);
    const { streamId, discontinuity } = step.frame;
    this.#gaps.add(streamId);
    if (discontinuity) this.#breaks.add(streamId);
    this.dropped++;
    await this.notifyDropped();
  }

  #sendDue(step: FrameStep): Promise<void> | undefined {
    const { frame } = step;
    const dropped = this.#gaps.delete(frame.streamId);
    if (this.#breaks.delete(frame.streamId)) frame.discontinuity = true;
    const before = this.#now();
    const lateness = this.#latenessOf(step);
    // A fast download is no crowd.
    if (lateness !== undefined) this.#rate.add(this.#rateClock.now() / 1000);
    const sending = this.send(frame, { dropped, lateness });
    const { byteLength } = frame.data;
    if (sending !== undefined) {
      return sending.then(() => this.#monitor?.sent(byteLength, this.#now() - before));
    }
    this.#monitor?.sent(byteLength, 0);
    return undefined;
  }

  /** Seconds since a fixed time, without pauses, which say nothing about throughput. */
  #now(): number {
    return this.#options.controls.pacer.playedTime / 1000;
  }

  #isVideo({ frame }: FrameStep): boolean {
    return frame.streamId === this.#video?.id;
  }

  /** Whether a frame need not wait. */
  #isDue(step: FrameStep): boolean {
    const { pacer, current } = this.#options.controls;
    const { frame: { due } } = step;
    if (current.aborted || isUntimed(step)) return false;
    const stream = this.#isVideo(step) ? this.#video : undefined;
    const early = earlinessOf(stream, this.#rate);
    // Faster playback would use up what was read ahead.
    return pacer.isDue(due, early / Math.max(1, pacer.speed));
  }

  /** Waits until a frame is due; false if the viewer interrupts that. */
  async #becomesDue(step: FrameStep): Promise<boolean> {
    const { frame, beginning } = step;
    const { pacer, current } = this.#options.controls;
    const isPreviewed = this.#preview > 0 && frame.due <= beginning + PREVIEW;
    if (pacer.isPaused && isPreviewed) return true;
    this.flush();
    try {
      // Frames before those that are shown are needed at once to decode them.
      if (isUntimed(step)) await pacer.running(current);
      else await pacer.waitFor(frame.due, current);
      return true;
    } catch (error) {
      if (this.#options.controls.isInterrupted) return false;
      throw error;
    }
  }

  /** Decides whether to drop a frame that is due, and finds the reason if it is late. */
  #isDropped(step: FrameStep): boolean {
    const { frame } = step;
    if (this.#monitor === undefined || isUntimed(step)) return false;
    const { pacer } = this.#options.controls;
    const { streamId, keyframe, due, data } = frame;
    const lateness = pacer.lateness(due);
    const now = this.#now();
    this.#monitor.offer({ due, lateness, size: data.byteLength }, now);
    const candidate = { streamId, keyframe, isVideo: this.#isVideo(step) };
    if (this.#late === undefined || !this.#late.drops(candidate, lateness)) {
      this.#findReason(frame, { lateness, now });
      return false;
    }
    if (!this.#isExplained) this.#monitor.hold(now);
    const isConnectionSlow = this.#monitor.isConnectionSlow(now);
    this.#findReason(frame, { lateness, now });
    if (isConnectionSlow) return true;
    // Dropping does not help against a slow source: the pacer waits for it.
    pacer.postpone(lateness);
    if (this.#gaps.has(streamId)) return this.#late.drops(candidate, 0);
    this.#late.keep(streamId);
    return false;
  }

  /** Seconds by which a frame is late; `undefined` if it has no due time. */
  #latenessOf(step: FrameStep): number | undefined {
    const { pacer } = this.#options.controls;
    if (pacer.speed === 0 || isUntimed(step) || pacer.isPaused) return undefined;
    return pacer.lateness(step.frame.due);
  }

  /** Finds, once, why frames have been late for a while. */
  #findReason(
    { due, data }: TimedFrame,
    { lateness, now }: { lateness: number; now: number },
  ): void {
    if (this.#isExplained) return;
    const heldFor = this.#monitor?.heldFor(now) ?? 0;
    if (lateness <= LATE_NOTICE && heldFor <= LATE_NOTICE) return;
    this.#reason = this.#monitor?.explain({ due, size: data.byteLength }, now);
    // After a notice, or without a lasting reason, the measurement starts again.
    if (heldFor > LATE_NOTICE) this.#monitor?.reset();
  }

  async #explain(reason: Notice): Promise<void> {
    this.#reason = undefined;
    this.#isExplained = true;
    await this.notify(reason);
  }
}

/** Whether a frame has no due time, since it is only decoded. */
function isUntimed({ frame, beginning, isShown }: FrameStep): boolean {
  return frame.due < beginning || !isShown;
}
