import { toSeconds } from "../core/frame.ts";
import { encodeNotice, type EndReport } from "../wire/answer.ts";
import type { Connection } from "../wire/connection.ts";
import { formatRate } from "./link_monitor.ts";
import type { LiveItem } from "./live_queue.ts";
import type { LiveWatch } from "./live_sources.ts";
import { Receipts } from "./receipts.ts";
import type { RequestRecord } from "./request_record.ts";

/** Milliseconds between notices about frames that were left out. */
const DROPS_TOLD = 1000;

/** Milliseconds of being late after which it is clear how much the link takes. */
const MEASURED = 1000;

/** How a live source is sent. */
export interface LiveDeliveryOptions {
  connection: Connection;
  /** Seconds after which it ends. */
  duration: number;
  /** End with the first picture. */
  still: boolean;
  /** Told how old frames are. */
  record?: Pick<RequestRecord, "sending">;
}

/** Sends what comes from a queue, and counts it. */
export class LiveDelivery {
  readonly end: EndReport = { frames: 0, audioFrames: 0, bytes: 0, dropped: 0, reason: "end" };
  #receipts: Receipts;
  /** All that was wanted has been sent. */
  isComplete = false;
  #watch: LiveWatch;
  #options: LiveDeliveryOptions;
  #told = { dropped: 0, at: -Infinity };
  /** Seconds, of the first frame of the stream that the duration is measured by. */
  #first: number | undefined;
  /** When the last frame in time was sent, milliseconds, and the bytes until then. */
  #span: { since: number; offered: number; sent: number } | undefined;
  #isSlowTold = false;

  constructor(watch: LiveWatch, options: LiveDeliveryOptions) {
    this.#watch = watch;
    this.#options = options;
    this.#receipts = new Receipts(watch.streams);
    this.end.streams = this.#receipts.all;
  }

  /** Sends one item, with news of what was left out where there is any. */
  async send(item: LiveItem): Promise<void> {
    const { connection, still } = this.#options;
    if (item.kind === "notice") {
      await connection.send("notice", encodeNotice(item.notice));
      return;
    }
    const { frame, dropped, discontinuity } = item;
    try {
      this.isComplete = this.#isBeyond(frame.frame);
      if (this.isComplete) return;
      this.#measure(frame.size);
      this.#options.record?.sending("live", frame.age);
      await connection.sendShared(frame.message, { dropped, discontinuity });
    } finally {
      frame.release();
    }
    if (frame.isPicture) this.end.frames++;
    else this.end.audioFrames++;
    this.end.bytes += frame.size;
    this.#receipts.add(frame.frame.streamId, frame.size);
    this.isComplete = still;
    await this.#tellDrops();
  }

  #isBeyond({ streamId, timestamp }: { streamId: number; timestamp: number }): boolean {
    const [stream] = this.#watch.streams;
    if (stream?.id !== streamId) return false;
    const moment = toSeconds(timestamp, stream.timeBase);
    this.#first ??= moment;
    return moment - this.#first >= this.#options.duration;
  }

  async #tellDrops(): Promise<void> {
    const { dropped } = this.#watch.queue;
    const now = performance.now();
    if (dropped === this.#told.dropped || now - this.#told.at < DROPS_TOLD) return;
    this.#told = { dropped, at: now };
    const message = `${dropped} ${dropped === 1 ? "frame was" : "frames were"} left out so far`;
    const notice = { code: "dropped", message, dropped };
    await this.#options.connection.send("notice", encodeNotice(notice));
    await this.#tellSlowLink(now);
  }

  /** Takes note of a frame that is about to be sent: where none waits behind it, it is in time. */
  #measure(size: number): void {
    const { isEmpty, offered } = this.#watch.queue;
    if (!isEmpty && this.#span !== undefined) return;
    this.#span = { since: performance.now(), offered: offered - size, sent: this.end.bytes };
  }

  /** Tells once what the link takes, and what it should. */
  async #tellSlowLink(now: number): Promise<void> {
    if (this.#isSlowTold || this.#span === undefined) return;
    const { since, offered, sent } = this.#span;
    const seconds = (now - since) / 1000;
    if (seconds * 1000 < MEASURED) return;
    const needed = Math.round((this.#watch.queue.offered - offered) / seconds);
    const achieved = Math.round((this.end.bytes - sent) / seconds);
    if (achieved >= needed) return;
    this.#isSlowTold = true;
    const message = `The link takes ${formatRate(achieved)} and these frames need ` +
      `${formatRate(needed)}: ask for a smaller size, or for copy, h264 or mjpeg`;
    const notice = { code: "slow_link", message, needed, achieved };
    await this.#options.connection.send("notice", encodeNotice(notice));
  }
}
