/** Serves a connection of the script protocol: one request, whose frames are numpy arrays. */
import type { ByteReader } from "../../base/byte_reader.ts";
import type { ByteWriter } from "../../base/byte_writer.ts";
import { RequestError } from "../../base/errors.ts";
import type { Description, Frame } from "../../media/frame.ts";
import type { ConversationObserver } from "../../net/observer.ts";
import {
  parseScriptRequest,
  SCRIPT_END,
  SCRIPT_REQUEST_LENGTH,
  ScriptFrameWriter,
} from "../../protocol/script/framing.ts";
import type { MediaFile } from "../../sources/file/library.ts";
import type { MediaOptions } from "../../sources/file/plan.ts";
import type { SharedFrame } from "../../sources/live/shared_frame.ts";
import { Controls } from "../playback/controls.ts";
import { playMedia } from "../playback/play_file.ts";
import type { ResponseWriter } from "../playback/sender.ts";
import type { PlayContext, SessionContext } from "./context.ts";
import { requestTimeout, runRequest } from "./outcome.ts";

/** Scripts expect the pixels of OpenCV's VideoCapture, which ignores the matrix of a video. */
const OPENCV_MATRIX = "bt601";

/** The framing and the payload, in words. */
const FRAMING = "a pickle behind a 4-byte length";

/** The pixel format of scripts: height × width × 3 bytes, BGR. */
const BGR = "bgr24";

/**
 * Serves one request of the script protocol: the default image or video as numpy arrays, in real
 * time, then the end. The protocol has no errors: a failure closes the connection.
 */
export async function runScriptSession(
  context: SessionContext,
  abort: AbortController,
): Promise<void> {
  const { reader, writer, timeouts, requestLog, shutdown } = context;
  let bytes: Uint8Array | undefined;
  {
    using _limit = requestTimeout(timeouts, abort);
    using _shutdown = shutdown.onDraining((reason) => abort.abort(reason));
    bytes = await reader.peek(SCRIPT_REQUEST_LENGTH);
  }
  if (bytes === undefined) return;
  const command = parseScriptRequest(bytes.subarray(0, SCRIPT_REQUEST_LENGTH));
  const { observer } = context;
  const words = `${command}, as text`;
  observer?.received({ kind: "request", bytes: SCRIPT_REQUEST_LENGTH, words });
  using _watch = watchPeer(reader, abort);
  const record = requestLog.begin({ command, wire: "classic" }, context);
  await runRequest(record, context, async () => {
    // Behind the end of a response a script takes it for complete: the connection is cut instead.
    using _response = shutdown.addResponse(() => abort.abort(shutdown.stopped.reason));
    await playForScript(command, { ...context, record }, new ScriptResponse(writer, observer));
    return undefined;
  });
}

/**
 * Plays the default image or video for a script.
 *
 * @param response writes in the framing of the script's protocol
 */
export async function playForScript(
  command: "get_image" | "get_video",
  context: Omit<PlayContext, "controls" | "response">,
  response: ResponseWriter,
): Promise<void> {
  const request = {
    ...{ command, audio: false, pixelFormat: BGR, colorMatrix: OPENCV_MATRIX },
    lateLive: "drop" as const,
  };
  const controls = new Controls({ command: "get_video" }, context);
  await playMedia(request, { ...context, controls, response, adapt: adaptFile });
}

/** Keeps the 16 bits of still images until {@linkcode keepHighBytes}, and the matrix of images. */
function adaptFile(options: MediaOptions, { info }: MediaFile): MediaOptions {
  const isWideStill = options.still && isWide(info.video?.pixelFormat ?? "");
  return {
    ...options,
    pixelFormat: isWideStill ? WIDE_BGR : BGR,
    colorMatrix: info.kind === "video" ? OPENCV_MATRIX : undefined,
  };
}

/** Writes a response as numpy arrays; the protocol has neither notices nor controls. */
class ScriptResponse implements ResponseWriter {
  #writer: ByteWriter;
  #frames: ScriptFrameWriter | undefined;
  #isWide = false;
  #observer: ConversationObserver | undefined;
  /** Width and height of the arrays, in pixels. */
  #size = "";

  constructor(writer: ByteWriter, observer?: ConversationObserver) {
    this.#writer = writer;
    this.#observer = observer;
  }

  /** @throws {RequestError} `unsupported` if there is no video, or its frames are too large */
  describe({ name, streams: [stream] }: Description): Promise<void> {
    if (stream.type !== "video") {
      throw new RequestError("unsupported", `Cannot send "${name}": it has no picture`);
    }
    this.#frames = new ScriptFrameWriter(stream);
    this.#isWide = stream.pixelFormat === WIDE_BGR;
    this.#size = `${stream.width}x${stream.height}`;
    return Promise.resolve();
  }

  async write({ data }: Frame): Promise<number> {
    const pixels = this.#isWide ? keepHighBytes(data) : data;
    await this.#send("frame", this.#framing.wrap(pixels));
    return pixels.byteLength;
  }

  async writeShared({ frame: { data } }: SharedFrame): Promise<number> {
    // The memory is shared: length and pickle are written from elsewhere.
    await this.#send("frame", ...this.#framing.surround(data));
    return data.byteLength;
  }

  async end(): Promise<void> {
    await this.#send("end", SCRIPT_END);
  }

  async #send(kind: "frame" | "end", ...parts: readonly Uint8Array[]): Promise<void> {
    this.#observer?.sent({
      kind,
      bytes: parts.reduce((sum, { byteLength }) => sum + byteLength, 0),
      words: `${kind === "end" ? 'b"end"' : `array ${this.#size}`}, ${FRAMING}`,
    });
    await this.#writer.write(...parts);
  }

  get #framing(): ScriptFrameWriter {
    if (this.#frames === undefined) throw new Error("Cannot write a frame: not described yet");
    return this.#frames;
  }
}

/**
 * Aborts when the peer resets the connection, even while no frame is due, until disposed. Scripts
 * may end their own sending; further bytes of theirs are discarded.
 */
function watchPeer(reader: ByteReader, abort: AbortController): Disposable {
  let isDisposed = false;
  const watch = async () => {
    try {
      reader.consume(reader.buffered);
      while (!isDisposed) {
        const discarded = await reader.peek(1);
        if (discarded === undefined) return;
        reader.consume(discarded.byteLength);
      }
    } catch (error) {
      if (!isDisposed) abort.abort(error);
    }
  };
  watch();
  return {
    [Symbol.dispose]() {
      isDisposed = true;
    },
  };
}

/** FFmpeg's names of RGB and grey formats with 16 bits per sample. */
const WIDE = /^(gray16|ya16|rgb48|bgr48|rgba64|bgra64|gbrp16|gbrap16)[bl]e$/;

/** Blue, green, red, 16 bits each, high byte first. */
export const WIDE_BGR = "bgr48be";

/** Whether a format converts to {@linkcode WIDE_BGR} without loss, except of alpha. */
export function isWide(pixelFormat: string): boolean {
  return WIDE.test(pixelFormat);
}

/**
 * Keeps the first of every two bytes, in place, as `cv2.imread` does. FFmpeg's own conversion to 8
 * bits rounds and dithers, which changes half of all samples by one.
 *
 * @returns a view on the first half of `data`
 */
export function keepHighBytes(data: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const half = data.subarray(0, data.byteLength >> 1);
  for (let at = 0; at < half.byteLength; at++) half[at] = data[2 * at];
  return half;
}
