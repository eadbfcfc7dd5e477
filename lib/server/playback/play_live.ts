import { deadline } from "../../base/async.ts";
import { RequestError } from "../../base/errors.ts";
import { bitsPerPixel } from "../../ffmpeg/pixel_formats.ts";
import { type StreamDescription, toSeconds } from "../../media/frame.ts";
import { LONGEST_SLEEP } from "../../media/pacer.ts";
import type { Connection } from "../../protocol/native/connection.ts";
import type { MediaRequest } from "../../protocol/native/request.ts";
import {
  encodeDescription,
  encodeEnd,
  encodeNotice,
  type EndReport,
} from "../../protocol/native/response.ts";
import { refuseContradictions, refuseCopiedStill } from "../../sources/file/plan.ts";
import { sizeNotes } from "../../sources/file/stream_info.ts";
import type { LiveWatch } from "../../sources/live/registry.ts";
import type { LiveSource } from "../../sources/live/source_spec.ts";
import { type LiveItem, QUEUE_LIMITS } from "../../sources/live/subscriber_queue.ts";
import type { RequestRecord } from "../metrics/request_log.ts";
import type { SessionContext } from "../session/context.ts";
import { inLine } from "./decoder_queue.ts";
import { formatRate } from "./lateness.ts";
import type { PlayContext } from "./play_file.ts";
import { SentTotals } from "./sender.ts";

/** Seconds for which the frame is waited for that comes after the duration. */
const PATIENCE = 1;

/**
 * Tells which live source a request is about, if any. Without a name, that is the one that the
 * server shows as its video, or the first one where there is no video in the folder.
 */
export async function findLive(
  { command, name }: Pick<MediaRequest, "command" | "name">,
  { live, defaults, library }: Pick<SessionContext, "live" | "defaults" | "library">,
): Promise<LiveSource | undefined> {
  if (live.names.length === 0) return undefined;
  const wanted = name ?? (command === "get_image" ? defaults.image : defaults.video);
  if (wanted !== undefined) return live.find(wanted);
  if (command === "get_image") return undefined;
  try {
    await library.first("video");
    return undefined;
  } catch (error) {
    if (error instanceof RequestError && error.code === "not_found") return live.find();
    throw error;
  }
}

/**
 * Answers a request for a live source: description, frames as they come, end. For an image, that
 * is its next picture.
 *
 * @returns what was sent
 * @throws {RequestError} for what cannot be sent, and when the source changes
 */
export async function playLive(
  source: LiveSource,
  request: MediaRequest,
  context: PlayContext,
): Promise<EndReport> {
  const { connection, controls, live, record } = context;
  record.named(source.name);
  refuseTimes(source, request);
  refuseFormat(request);
  const still = request.command === "get_image";
  refuseContradictions(request);
  refuseCopiedStill({ ...request, still }, { name: source.name, info: { kind: "video" } });
  const queueOptions = {
    limits: QUEUE_LIMITS[request.late ?? "wait"],
    audio: !still && request.audio !== false,
    isPaused: () => controls.pacer.isPaused && !still,
  };
  using watch = await inLine(context, (line) => {
    return live.watch(source, request, { ...queueOptions, slot: line, signal: context.signal });
  });
  if (watch.streams.length === 0) {
    throw new RequestError("unsupported", `Cannot send "${source.name}": it has no picture`);
  }
  const description = {
    name: source.name,
    live: true,
    streams: [...watch.streams],
    notes: notesOf(watch.streams, request),
  };
  await connection.send("describe", encodeDescription(description));
  // Not before: also an answer that is stopped early begins with its description.
  controls.begin({ seekable: false });
  using over = new LateEnd(request.duration);
  const signal = AbortSignal.any([context.signal, controls.stopped, over.signal]);
  const { duration = Infinity } = request;
  const delivery = new LiveDelivery(watch, { connection, duration, still, record });
  record.follow(() => ({ ...delivery.end, dropped: watch.queue.dropped }));
  try {
    while (!delivery.isComplete) {
      const item = await watch.queue.take(signal);
      if (item.kind === "frame") over.begin();
      await delivery.send(item);
    }
  } catch (error) {
    if (!signal.aborted || context.signal.aborted) throw error;
    if (controls.stopReason !== undefined) delivery.end.reason = controls.stopReason;
  }
  const { end } = delivery;
  end.dropped = watch.queue.dropped;
  await connection.send("end", encodeEnd(end));
  return end;
}

/** Fires when a duration is over for sure, and no frame came that would have told so. */
class LateEnd implements Disposable {
  #over = new AbortController();
  #milliseconds: number;
  #limit: Disposable | undefined;

  /** @param duration seconds; absent for no end */
  constructor(duration = Infinity) {
    this.#milliseconds = (duration + PATIENCE) * 1000;
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** Says that the first frame is there. Harmless when repeated. */
  begin(): void {
    if (this.#milliseconds > LONGEST_SLEEP) return;
    this.#limit ??= deadline(this.#milliseconds, () => this.#over.abort());
  }

  [Symbol.dispose](): void {
    this.#limit?.[Symbol.dispose]();
  }
}

/** What is other than asked for; nothing is known of the size that a source has by itself. */
function notesOf(
  [stream]: readonly StreamDescription[],
  { encoding = "raw", width, height }: MediaRequest,
): string[] | undefined {
  if (stream.type !== "video") return undefined;
  const notes = sizeNotes(stream, { width, height }, encoding);
  return notes.length === 0 ? undefined : notes;
}

/** @throws {RequestError} for what makes no sense where there is neither beginning nor end */
function refuseTimes({ name }: LiveSource, { start = 0, loop, every, resume }: MediaRequest): void {
  const [field, reason] = start > 0
    ? ["start", "it has no beginning, and comes as it is now"]
    : loop
    ? ["loop", "it has no end"]
    : every !== undefined
    ? ["every", "a live source gives one picture at a time, ask again for the next"]
    : resume !== undefined
    ? ["resume", "what came while nobody took it is gone, ask anew"]
    : [];
  if (field === undefined) return;
  throw new RequestError(
    "bad_request",
    `Cannot use ${field} with "${name}", which is live: ${reason}`,
  );
}

/** @throws {RequestError} for a pixel format that cannot be sent */
function refuseFormat({ pixelFormat }: MediaRequest): void {
  if (pixelFormat === undefined || bitsPerPixel(pixelFormat) !== undefined) return;
  throw new RequestError(
    "bad_request",
    `Cannot send pixel format "${pixelFormat}": expected one that can be sent raw, such as bgr24`,
  );
}

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
  #totals: SentTotals;
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
    this.#totals = new SentTotals(watch.streams);
    this.end.streams = this.#totals.all;
  }

  /** Sends one item, with news of what was left out where there is any. */
  async send(item: LiveItem): Promise<void> {
    const { connection, still } = this.#options;
    if (item.kind === "event") {
      await connection.send("notice", encodeNotice(item.event));
      return;
    }
    if (item.kind === "end") {
      this.isComplete = true;
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
    if (frame.isVideo) this.end.frames++;
    else this.end.audioFrames++;
    this.end.bytes += frame.size;
    this.#totals.add(frame.frame.streamId, frame.size);
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
    await this.#notifySlowConnection(now);
  }

  /** Takes note of a frame that is about to be sent: where none waits behind it, it is in time. */
  #measure(size: number): void {
    const { isEmpty, offered } = this.#watch.queue;
    if (!isEmpty && this.#span !== undefined) return;
    this.#span = { since: performance.now(), offered: offered - size, sent: this.end.bytes };
  }

  /** Tells once what the link takes, and what it should. */
  async #notifySlowConnection(now: number): Promise<void> {
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
