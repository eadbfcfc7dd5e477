import { deadline } from "../../base/async.ts";
import type { ByteReader } from "../../base/byte_reader.ts";
import { DeadlineError, RequestError } from "../../base/errors.ts";
import { Pacer } from "../../media/pacer.ts";
import {
  parseScriptRequest,
  SCRIPT_END,
  SCRIPT_REQUEST_LENGTH,
  ScriptFrameWriter,
} from "../../protocol/script/framing.ts";
import type { LiveSource } from "../../sources/live/source_spec.ts";
import { QUEUE_LIMITS } from "../../sources/live/subscriber_queue.ts";
import type { Counts } from "../metrics/metrics.ts";
import type { RequestRecord } from "../metrics/request_log.ts";
import {
  findMedia,
  paced,
  refuseShortened,
  reserveFrames,
  startPlayback,
} from "../playback/play_file.ts";
import { findLive } from "../playback/play_live.ts";
import { type SessionContext, toRefusal } from "./context.ts";

/**
 * How OpenCV's VideoCapture reads the colours of every video, also of those that state another
 * matrix. The scripts on this wire expect its pixels.
 */
const OPENCV_MATRIX = "bt601";

/**
 * Serves one request of the classic wire: the default image or video as numpy arrays, in real
 * time, then the end. The wire has no errors; what goes wrong closes the connection and is thrown.
 */
export async function runScriptSession(
  context: SessionContext,
  abort: AbortController,
): Promise<void> {
  const { reader, timeouts, requestLog } = context;
  let bytes: Uint8Array | undefined;
  {
    const late = new DeadlineError(`no request within ${timeouts.request / 1000} s`);
    using _limit = deadline(timeouts.request, () => abort.abort(late));
    using _unasked = context.shutdown.onDraining((reason) => abort.abort(reason));
    bytes = await reader.peek(SCRIPT_REQUEST_LENGTH);
  }
  if (bytes === undefined) return;
  const command = parseScriptRequest(bytes.subarray(0, SCRIPT_REQUEST_LENGTH));
  using _watch = watchPeer(reader, abort);
  const record = requestLog.begin({ command, wire: "classic" }, context);
  try {
    // A script that is told of an end takes the video for whole: the connection is cut instead.
    using _answer = context.shutdown.addResponse(() =>
      abort.abort(context.shutdown.stopped.reason)
    );
    await playScript(command, { ...context, logger: record.logger, record });
    record.done();
  } catch (error) {
    if (context.signal.aborted) {
      record.broken(context.isDraining() ? "shutdown" : "cut");
      throw error;
    }
    const refusal = toRefusal(error);
    if (refusal === undefined) record.broken("cut");
    else record.refused(refusal);
    // The wire has no errors: the end of the connection says it.
    if (refusal === undefined) throw error;
  }
}

/** A session's context, and the record of its request. */
interface ScriptContext extends SessionContext {
  record: RequestRecord;
}

type ScriptCommand = "get_image" | "get_video";

async function playScript(command: ScriptCommand, context: ScriptContext): Promise<void> {
  const { writer, library, startCache, defaults, timeouts, clock, signal, record } = context;
  const counts = { frames: 0, audioFrames: 0, bytes: 0, dropped: 0 };
  const live = await findLive({ command }, context);
  if (live !== undefined) return await playLiveScript(live, { command, counts }, context);
  const kind = command === "get_image" ? "image" : "video";
  const file = await findMedia(library, kind, { name: undefined, defaults });
  record.named(file.name);
  const still = kind === "image" || file.info.kind === "image";
  const wide = still && isWide(file.info.video?.pixelFormat ?? "");
  const options = {
    still,
    audio: false,
    pixelFormat: wide ? WIDE_BGR : "bgr24",
    colorMatrix: file.info.kind === "video" ? OPENCV_MATRIX : undefined,
  };
  const pacer = new Pacer({ speed: 1, clock });
  await using known = startCache.whole({ file, options });
  using _slot = known === undefined ? await context.slots.take({ signal }) : undefined;
  using _memory = reserveFrames(file, options, context.budget);
  const open = (unwanted?: AbortSignal) =>
    startPlayback(file, options, {
      signal: unwanted ? AbortSignal.any([signal, unwanted]) : signal,
      readTimeout: timeouts.silence,
    });
  await using source = known ?? await startCache.open({ file, options }, { open, pacer });
  const [stream] = source.streams;
  if (stream.type !== "video") {
    throw new RequestError("unsupported", `Cannot send "${file.name}": it has no picture`);
  }
  const frames = new ScriptFrameWriter(stream);
  record.follow(() => counts);
  for await (const frame of paced(source, pacer, signal)) {
    const data = wide ? keepHighBytes(frame.data) : frame.data;
    record.sending("file", pacer.lateness(frame.due));
    await writer.write(frames.wrap(data));
    counts.frames++;
    counts.bytes += data.byteLength;
  }
  const change = await refuseShortened(file);
  if (change !== undefined) record.logger.log("warn", `"${file.name}": ${change}`);
  await writer.write(SCRIPT_END);
}

/** Sends what a live source shows, or its next picture, until the peer has seen enough. */
async function playLiveScript(
  source: LiveSource,
  { command, counts }: { command: ScriptCommand; counts: Counts },
  { live, writer, record, signal }: ScriptContext,
): Promise<void> {
  record.named(source.name);
  const rendition = { pixelFormat: "bgr24", colorMatrix: OPENCV_MATRIX };
  const limits = QUEUE_LIMITS.drop;
  using watch = await live.watch(source, rendition, { signal, limits, sound: false });
  const [stream] = watch.streams;
  if (stream?.type !== "video") {
    throw new RequestError("unsupported", `Cannot send "${source.name}": it has no picture`);
  }
  const frames = new ScriptFrameWriter(stream);
  record.follow(() => ({ ...counts, dropped: watch.queue.dropped }));
  while (command === "get_video" || counts.frames < 1) {
    const item = await watch.queue.take(signal);
    if (item.kind !== "frame") continue;
    try {
      record.sending("live", item.frame.age);
      // The memory belongs to all viewers: the length and the pickle stay outside of it.
      await writer.write(...frames.surround(item.frame.frame.data));
      counts.frames++;
      counts.bytes += item.frame.size;
    } finally {
      item.frame.release();
    }
  }
  await writer.write(SCRIPT_END);
}

/**
 * Notices, until disposed, when the peer resets the connection, also while nothing is due to be
 * written. Scripts may end their own sending; whatever else they send is thrown away.
 */
function watchPeer(reader: ByteReader, abort: AbortController): Disposable {
  let over = false;
  const watch = async () => {
    try {
      reader.consume(reader.buffered);
      while (!over) {
        const scrap = await reader.peek(1);
        if (scrap === undefined) return;
        reader.consume(scrap.byteLength);
      }
    } catch (error) {
      // What comes after the answer is of no interest.
      if (!over) abort.abort(error);
    }
  };
  watch();
  return {
    [Symbol.dispose]() {
      over = true;
    },
  };
}

/** Pictures of 16 bits a sample as OpenCV reads them: the high byte of each. Pure. */

/** FFmpeg's names of formats whose samples have 16 bits, and are colours or grey. */
const WIDE = /^(gray16|ya16|rgb48|bgr48|rgba64|bgra64|gbrp16|gbrap16)[bl]e$/;

/** Blue, green, red, each of them 16 bits with the high byte first. */
export const WIDE_BGR = "bgr48be";

/** Whether samples have 16 bits, and become {@linkcode WIDE_BGR} without loss, but for alpha. */
export function isWide(pixelFormat: string): boolean {
  return WIDE.test(pixelFormat);
}

/**
 * Keeps the first of every two bytes, in place. FFmpeg's own conversion to 8 bits rounds and
 * dithers, so that half of all samples would differ by one from what `cv2.imread` gives.
 *
 * @returns a view on the first half of `data`
 */
export function keepHighBytes(data: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const half = data.subarray(0, data.byteLength >> 1);
  for (let at = 0; at < half.byteLength; at++) half[at] = data[2 * at];
  return half;
}
