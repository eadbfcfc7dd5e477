import { deadline } from "../core/deadline.ts";
import { DeadlineError, RequestError } from "../core/errors.ts";
import { isWide, keepHighBytes, WIDE_BGR } from "../media/high_bytes.ts";
import {
  CLASSIC_END,
  CLASSIC_REQUEST_LENGTH,
  ClassicFrameWriter,
  parseClassicRequest,
} from "../wire/classic.ts";
import { Pacer } from "./pacer.ts";
import { findMedia, paced, startPlayback } from "./playback.ts";
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
  await using decoder = await startPlayback(file, options, signal);
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
