import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import type { StreamDescription } from "../../media/frame.ts";
import type { TimedFrame } from "../../media/source.ts";
import type { Connection } from "../../protocol/native/connection.ts";
import { encodeControl } from "../../protocol/native/request.ts";
import {
  encodeNotice,
  type EndReport,
  type Notice,
  type StreamTotals,
} from "../../protocol/native/response.ts";
import type { RequestRecord } from "../metrics/request_log.ts";
import type { Controls } from "./controls.ts";
import { LatePolicy, ThroughputMonitor } from "./lateness.ts";
import type { Step } from "./player.ts";

/** Seconds by which frames that are not left out may be late before the viewer is told why. */
const WORTH_TELLING = 2;

/** Seconds between two notices of frames that were left out. */
const NOTICE_INTERVAL = 1;

/** Seconds behind a seek's moment within which a paused viewer may be sent what comes there. */
const PREVIEW = 0.5;

/** Options of {@linkcode Delivery}. */
export interface DeliveryOptions {
  connection: Connection;
  controls: Controls;
  streams: readonly StreamDescription[];
  /** Leave frames out that come too late. */
  drop: boolean;
  /** Playing speed; 0 for as fast as possible. */
  speed: number;
  /** Told how late frames are. */
  record?: Pick<RequestRecord, "sending">;
  clock?: Clock;
}

/** Sends the frames of one request, each when it is due, or leaves it out. */
export class Delivery {
  /** What was sent so far. */
  readonly report: EndReport = { frames: 0, audioFrames: 0, bytes: 0, dropped: 0, reason: "end" };
  #totals: SentTotals;
  #options: DeliveryOptions;
  #clock: Clock;
  #late: LatePolicy | undefined;
  #monitor: ThroughputMonitor | undefined;
  /** The viewer has been told why frames are late. */
  #explained = false;
  #streams: Map<number, StreamDescription>;
  /** Streams whose next frame comes behind some that were left out. */
  #gaps = new Set<number>();
  /** Streams of which a frame was left out that did not follow upon what came before. */
  #breaks = new Set<number>();
  /** Seconds, on the clock, at which the last notice of such frames was sent. */
  #told = -Infinity;
  /** Pictures that a paused viewer has yet to get after a seek. */
  #preview = 0;

  constructor(options: DeliveryOptions) {
    const { drop, speed, clock = MONOTONIC_CLOCK } = options;
    this.#options = options;
    this.#clock = clock;
    this.#totals = new SentTotals(options.streams);
    this.report.streams = this.#totals.all;
    this.#streams = new Map(options.streams.map((stream) => [stream.id, stream]));
    // At speed 0 nothing is ever late.
    if (speed > 0) {
      this.#monitor = new ThroughputMonitor(speed);
      if (drop) this.#late = new LatePolicy();
    }
  }

  /** Does one step; nothing where the peer wants something else before it is due. */
  async take(step: Step): Promise<void> {
    if (step.kind === "frame") return await this.#takeFrame(step);
    if (step.kind === "notice") return await this.#tell(step.notice);
    const { connection, controls } = this.#options;
    controls.pacer.restart();
    this.#late?.reset();
    this.#monitor?.reset();
    this.#gaps.clear();
    this.#breaks.clear();
    const picture = this.#options.streams.find((stream) => stream.type === "video");
    // Decoders give a picture once they have as many more as decoding may be ahead by.
    this.#preview = picture === undefined ? 0 : 1 + (picture.decodeDelay ?? 0);
    await connection.send("control", encodeControl({ action: "seek", ...step.seek }));
  }

  async #takeFrame(step: Step & { kind: "frame" }): Promise<void> {
    const { connection } = this.#options;
    const { frame } = step;
    if (!await this.#isDue(step)) return;
    const isPicture = this.#streams.get(frame.streamId)?.type === "video";
    if (isPicture && step.isShown && this.#preview > 0) this.#preview--;
    if (await this.#isLeftOut(step, isPicture)) {
      this.#gaps.add(frame.streamId);
      if (frame.discontinuity) this.#breaks.add(frame.streamId);
      this.report.dropped++;
      return await this.#tellOfGaps();
    }
    const dropped = this.#gaps.delete(frame.streamId);
    if (this.#breaks.delete(frame.streamId)) frame.discontinuity = true;
    this.#recordLateness(step);
    const before = this.#now();
    await connection.sendFrame(frame, { dropped });
    this.#monitor?.sent(frame.data.byteLength, this.#now() - before);
    if (isPicture) this.report.frames++;
    else this.report.audioFrames++;
    this.report.bytes += frame.data.byteLength;
    this.#totals.add(frame.streamId, frame.data.byteLength);
  }

  /** Waits until a frame is due. */
  async #isDue({ frame, beginning }: Step & { kind: "frame" }): Promise<boolean> {
    const { pacer, current } = this.#options.controls;
    const isPreviewed = this.#preview > 0 && frame.due <= beginning + PREVIEW;
    if (pacer.isPaused && isPreviewed) return true;
    // The time of a pause is nobody's fault.
    if (pacer.isPaused) this.#monitor?.reset();
    try {
      // What lies before the beginning is needed at once for decoding what is shown there.
      if (frame.due < beginning) await pacer.running(current);
      else await pacer.waitFor(frame.due, current);
      return true;
    } catch (error) {
      if (this.#options.controls.isInterrupted) return false;
      throw error;
    }
  }

  /** Decides about a frame that is due, and tells the viewer why it is late where it is. */
  async #isLeftOut(
    { frame, beginning }: Step & { kind: "frame" },
    isPicture: boolean,
  ): Promise<boolean> {
    // What is needed for decoding has no moment of its own.
    if (this.#monitor === undefined || frame.due < beginning) return false;
    const { pacer } = this.#options.controls;
    const { streamId, keyframe, due, data } = frame;
    const lateness = pacer.lateness(due);
    this.#monitor.offer({ due, lateness, size: data.byteLength }, this.#now());
    const candidate = { streamId, keyframe, isPicture };
    if (this.#late === undefined || !this.#late.leavesOut(candidate, lateness)) {
      await this.#explainLate(frame, lateness);
      return false;
    }
    if (!this.#explained) this.#monitor.hold(this.#now());
    const isConnectionSlow = this.#monitor.isConnectionSlow(this.#now());
    await this.#explainLate(frame, lateness);
    if (isConnectionSlow) return true;
    // Leaving out does not help where the frames themselves come late: time has to wait for them.
    pacer.postpone(lateness);
    if (this.#gaps.has(streamId)) return this.#late.leavesOut(candidate, 0);
    this.#late.keep(streamId);
    return false;
  }

  /** Takes note of how late a frame is that has a moment at which it is due. */
  #recordLateness({ frame: { due }, beginning }: Step & { kind: "frame" }): void {
    const { record, speed, controls: { pacer } } = this.#options;
    if (speed === 0 || due < beginning || pacer.isPaused) return;
    record?.sending("file", pacer.lateness(due));
  }

  /** Tells the viewer, once, why frames are late, after they have been for a while. */
  async #explainLate({ due, data }: TimedFrame, lateness: number): Promise<void> {
    if (this.#explained) return;
    const heldFor = this.#monitor?.heldFor(this.#now()) ?? 0;
    if (lateness <= WORTH_TELLING && heldFor <= WORTH_TELLING) return;
    const notice = this.#monitor?.explain({ due, size: data.byteLength }, this.#now());
    // What was held for is told, or was nothing that lasted.
    if (heldFor > WORTH_TELLING) this.#monitor?.reset();
    if (notice === undefined) return;
    this.#explained = true;
    await this.#tell(notice);
  }

  /** Tells the viewer how many frames were left out, at most once a second. */
  async #tellOfGaps(): Promise<void> {
    const now = this.#now();
    if (now - this.#told < NOTICE_INTERVAL) return;
    this.#told = now;
    const { dropped } = this.report;
    const message = `${dropped} ${dropped === 1 ? "frame was" : "frames were"} left out so far`;
    await this.#tell({ code: "dropped", message, dropped });
  }

  async #tell(notice: Notice): Promise<void> {
    await this.#options.connection.send("notice", encodeNotice(notice));
  }

  /** Seconds. */
  #now(): number {
    return this.#clock.now() / 1000;
  }
}

/** Counts what is sent of each stream. */
export class SentTotals {
  /** One for each stream, in the order of the description; they grow. */
  readonly all: StreamTotals[];

  constructor(streams: readonly StreamDescription[]) {
    this.all = streams.map(({ id }) => ({ id, frames: 0, bytes: 0 }));
  }

  /**
   * Takes note of a frame that was sent.
   *
   * @param bytes of its data
   */
  add(streamId: number, bytes: number): void {
    const receipt = this.all.find(({ id }) => id === streamId);
    if (receipt === undefined) return;
    receipt.frames++;
    receipt.bytes += bytes;
  }
}
