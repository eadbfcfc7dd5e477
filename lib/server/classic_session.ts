import type { ByteReader } from "../core/byte_reader.ts";
import { deadline } from "../core/deadline.ts";
import { DeadlineError, RequestError } from "../core/errors.ts";
import { isWide, keepHighBytes, WIDE_BGR } from "../media/high_bytes.ts";
import {
  CLASSIC_END,
  CLASSIC_REQUEST_LENGTH,
  ClassicFrameWriter,
  parseClassicRequest,
} from "../wire/classic.ts";
import type { LiveSource } from "../media/live_input.ts";
import { findLive } from "./live_play.ts";
import { QUEUE_LIMITS } from "./live_queue.ts";
import { Pacer } from "./pacer.ts";
import { findMedia, paced, reserveFrames, startPlayback } from "./playback.ts";
import type { SessionContext } from "./context.ts";

/**
 * How OpenCV's VideoCapture reads the colours of every video, also of those that state another
 * matrix. The scripts on this wire expect its pixels.
 */
const OPENCV_MATRIX = "bt601";

/**
 * Serves one request of the classic wire: the default image or video as numpy arrays, in real
 * time, then the end. The wire has no errors; what goes wrong closes the connection and is thrown.
 */
export async function runClassicSession(
  context: SessionContext,
  abort: AbortController,
): Promise<void> {
  const { reader, writer, library, defaults, timeouts, logger, signal } = context;
  let bytes: Uint8Array | undefined;
  {
    const late = new DeadlineError(`no request within ${timeouts.request / 1000} s`);
    using _limit = deadline(timeouts.request, () => abort.abort(late));
    bytes = await reader.peek(CLASSIC_REQUEST_LENGTH);
  }
  if (bytes === undefined) return;
  const command = parseClassicRequest(bytes.subarray(0, CLASSIC_REQUEST_LENGTH));
  using _watch = watchPeer(reader, abort);
  const live = await findLive({ command }, context);
  if (live !== undefined) return await playLiveClassic(live, command, context);
  const kind = command === "get_image" ? "image" : "video";
  const file = await findMedia(library, kind, { name: undefined, defaults });
  logger.log("info", `${command} "${file.name}" (classic)`);
  const still = kind === "image" || file.info.kind === "image";
  const wide = still && isWide(file.info.video?.pixelFormat ?? "");
  const options = {
    still,
    audio: false,
    pixelFormat: wide ? WIDE_BGR : "bgr24",
    colorMatrix: file.info.kind === "video" ? OPENCV_MATRIX : undefined,
  };
  using _memory = reserveFrames(file, options, context.budget);
  const limits = { signal, silenceTimeout: timeouts.silence };
  await using decoder = await startPlayback(file, options, limits);
  const [stream] = decoder.streams;
  if (stream.type !== "video") {
    throw new RequestError("unsupported", `Cannot send "${file.name}": it has no picture`);
  }
  const frames = new ClassicFrameWriter(stream);
  let count = 0;
  for await (const frame of paced(decoder, new Pacer({ speed: 1 }), signal)) {
    await writer.write(frames.wrap(wide ? keepHighBytes(frame.data) : frame.data));
    count++;
  }
  await writer.write(CLASSIC_END);
  logger.log("info", `sent ${count} frames of "${file.name}"`);
}

/** Sends what a live source shows, or its next picture, until the peer has seen enough. */
async function playLiveClassic(
  source: LiveSource,
  command: "get_image" | "get_video",
  { live, writer, logger, signal }: SessionContext,
): Promise<void> {
  logger.log("info", `${command} "${source.name}" (classic, live)`);
  const rendition = { pixelFormat: "bgr24", colorMatrix: OPENCV_MATRIX };
  const limits = QUEUE_LIMITS.drop;
  using watch = await live.watch(source, rendition, { signal, limits, sound: false });
  const [stream] = watch.streams;
  if (stream?.type !== "video") {
    throw new RequestError("unsupported", `Cannot send "${source.name}": it has no picture`);
  }
  const frames = new ClassicFrameWriter(stream);
  for (let count = 0; command === "get_video" || count < 1;) {
    const item = await watch.queue.take(signal);
    if (item.kind !== "frame") continue;
    try {
      // The memory belongs to all viewers: the length and the pickle stay outside of it.
      await writer.write(...frames.surround(item.frame.frame.data));
      count++;
    } finally {
      item.frame.release();
    }
  }
  await writer.write(CLASSIC_END);
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
