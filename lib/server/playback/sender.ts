/** Sends the frames of one response, counts them, and drops late ones. */
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import type {
  AnyStream,
  Description,
  Frame,
  StreamDescription,
  VideoStream,
} from "../../media/frame.ts";
import type { TimedFrame } from "../../media/source.ts";
import type { EndReport, Notice, StreamTotals } from "../../protocol/native/response.ts";
import type { SharedFrame } from "../../sources/live/shared_frame.ts";
import type { RequestRecord } from "../metrics/request_log.ts";
import type { Controls, Seek } from "./controls.ts";
import { LatePolicy, ThroughputMonitor } from "./lateness.ts";
import type { Step } from "./player.ts";

/** Seconds of lateness after which the viewer is notified of the reason. */
const LATE_NOTICE = 2;

/** Milliseconds between two notices of dropped frames. */
const DROPPED_INTERVAL = 1000;

/** Seconds behind the target of a seek whose frames are sent while playback is paused. */
const PREVIEW = 0.5;

/** Writes one response in the framing of a protocol. */
export interface ResponseWriter {
  /** Writes what precedes the frames. */
  describe(description: Description): Promise<void>;
  /**
   * Writes a frame. The memory around its data may be overwritten.
   *
   * @param options whether frames of its stream were dropped before it
   * @returns bytes of data that were sent
   */
  write(frame: Frame, options: { dropped: boolean }): Promise<number>;
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
  streams: readonly StreamDescription[];
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
   */
  async send(
    frame: Frame,
    { dropped, lateness }: { dropped: boolean; lateness: number | undefined },
  ): Promise<void> {
    if (lateness !== undefined) this.#record?.sending("file", lateness);
    this.#count(frame.streamId, await this.#response.write(frame, { dropped }));
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
}

/** Sends the steps of a player, each frame when it is due, or drops it. */
export class TimedSender extends Sender {
  override dropped = 0;
  #options: TimedSenderOptions;
  #now: () => number;
  #late: LatePolicy | undefined;
  #monitor: ThroughputMonitor | undefined;
  /** The viewer has been notified why frames are late. */
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
    const { streams, drop, controls, clock = MONOTONIC_CLOCK } = options;
    this.#options = options;
    this.#now = () => clock.now() / 1000;
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
    for await (const step of steps) await this.take(step);
  }

  /** Sends or drops one step. A frame that the viewer interrupts before it is due is discarded. */
  async take(step: Step): Promise<void> {
    if (step.kind === "frame") return await this.#takeFrame(step);
    if (step.kind === "notice") return await this.notify(step.notice);
    this.#options.controls.pacer.restart();
    this.#late?.reset();
    this.#monitor?.reset();
    this.#gaps.clear();
    this.#breaks.clear();
    // A decoder outputs its first frame after as many more as its decoding delay.
    this.#preview = this.#video === undefined ? 0 : 1 + (this.#video.decodeDelay ?? 0);
    await this.#options.response.seek?.(step.seek);
  }

  async #takeFrame(step: FrameStep): Promise<void> {
    const { frame } = step;
    if (!await this.#isDue(step)) return;
    const isVideo = frame.streamId === this.#video?.id;
    if (isVideo && step.isShown && this.#preview > 0) this.#preview--;
    if (await this.#isDropped(step, isVideo)) {
      this.#gaps.add(frame.streamId);
      if (frame.discontinuity) this.#breaks.add(frame.streamId);
      this.dropped++;
      await this.notifyDropped();
      return;
    }
    const dropped = this.#gaps.delete(frame.streamId);
    if (this.#breaks.delete(frame.streamId)) frame.discontinuity = true;
    const lateness = this.#latenessOf(step);
    const before = this.#now();
    await this.send(frame, { dropped, lateness });
    this.#monitor?.sent(frame.data.byteLength, this.#now() - before);
  }

  /** Waits until a frame is due; false if the viewer interrupts that. */
  async #isDue({ frame, beginning }: FrameStep): Promise<boolean> {
    const { pacer, current } = this.#options.controls;
    const isPreviewed = this.#preview > 0 && frame.due <= beginning + PREVIEW;
    if (pacer.isPaused && isPreviewed) return true;
    // A pause says nothing about throughput.
    if (pacer.isPaused) this.#monitor?.reset();
    try {
      // Frames before the beginning are needed at once to decode those behind it.
      if (frame.due < beginning) await pacer.running(current);
      else await pacer.waitFor(frame.due, current);
      return true;
    } catch (error) {
      if (this.#options.controls.isInterrupted) return false;
      throw error;
    }
  }

  /** Decides whether to drop a frame that is due, and explains to the viewer why it is late. */
  async #isDropped(
    { frame, beginning }: FrameStep,
    isVideo: boolean,
  ): Promise<boolean> {
    // Frames that are only decoded have no due time.
    if (this.#monitor === undefined || frame.due < beginning) return false;
    const { pacer } = this.#options.controls;
    const { streamId, keyframe, due, data } = frame;
    const lateness = pacer.lateness(due);
    this.#monitor.offer({ due, lateness, size: data.byteLength }, this.#now());
    const candidate = { streamId, keyframe, isVideo };
    if (this.#late === undefined || !this.#late.drops(candidate, lateness)) {
      await this.#explain(frame, lateness);
      return false;
    }
    if (!this.#isExplained) this.#monitor.hold(this.#now());
    const isConnectionSlow = this.#monitor.isConnectionSlow(this.#now());
    await this.#explain(frame, lateness);
    if (isConnectionSlow) return true;
    // Dropping does not help against a slow source: the pacer waits for it.
    pacer.postpone(lateness);
    if (this.#gaps.has(streamId)) return this.#late.drops(candidate, 0);
    this.#late.keep(streamId);
    return false;
  }

  /** Seconds by which a frame is late; `undefined` if it has no due time. */
  #latenessOf({ frame: { due }, beginning }: FrameStep): number | undefined {
    const { pacer } = this.#options.controls;
    if (pacer.speed === 0 || due < beginning || pacer.isPaused) return undefined;
    return pacer.lateness(due);
  }

  /** Notifies the viewer, once, why frames have been late for a while. */
  async #explain({ due, data }: TimedFrame, lateness: number): Promise<void> {
    if (this.#isExplained) return;
    const heldFor = this.#monitor?.heldFor(this.#now()) ?? 0;
    if (lateness <= LATE_NOTICE && heldFor <= LATE_NOTICE) return;
    const notice = this.#monitor?.explain({ due, size: data.byteLength }, this.#now());
    // After a notice, or without a lasting reason, the measurement starts again.
    if (heldFor > LATE_NOTICE) this.#monitor?.reset();
    if (notice === undefined) return;
    this.#isExplained = true;
    await this.notify(notice);
  }
}
