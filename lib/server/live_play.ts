import { deadline } from "../core/deadline.ts";
import { RequestError } from "../core/errors.ts";
import type { StreamDescription } from "../core/frame.ts";
import { sizeNotes } from "../media/described_streams.ts";
import type { LiveSource } from "../media/live_input.ts";
import { refuseContradictions, refuseCopiedStill } from "../media/option_checks.ts";
import { bitsPerPixel } from "../media/pixel_format.ts";
import { encodeDescription, encodeEnd, type EndReport } from "../wire/answer.ts";
import type { MediaRequest } from "../wire/request.ts";
import type { SessionContext } from "./context.ts";
import { inLine } from "./decoder_line.ts";
import { LiveDelivery } from "./live_delivery.ts";
import { QUEUE_LIMITS } from "./live_queue.ts";
import { LONGEST_SLEEP } from "./pacer.ts";
import type { PlayContext } from "./play_media.ts";

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
    sound: !still && request.audio !== false,
    isPaused: () => controls.pacer.isPaused && !still,
  };
  using watch = await inLine(context, (line) => {
    return live.watch(source, request, { ...queueOptions, line, signal: context.signal });
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
