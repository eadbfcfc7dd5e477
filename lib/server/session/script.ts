/** Serves a connection of the script protocol: one request, whose frames are messages of a framing. */
import type { ByteWriter } from "../../base/byte_writer.ts";
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { DeadlineError, RequestError } from "../../base/errors.ts";
import { isRgb } from "../../ffmpeg/rendition.ts";
import type { Description, Frame } from "../../media/frame.ts";
import type { ConversationObserver } from "../../net/observer.ts";
import {
  describeFormat,
  type PayloadFormat,
  type ScriptFormat,
} from "../../protocol/script/format.ts";
import {
  parseScriptRequest,
  SCRIPT_END,
  SCRIPT_REQUEST_LENGTH,
  type ScriptCommand,
} from "../../protocol/script/request.ts";
import { CLASSIC_FORMAT, ScriptFrameWriter } from "../../protocol/script/writer.ts";
import type { MediaFile } from "../../sources/file/library.ts";
import type { MediaOptions } from "../../sources/file/plan.ts";
import type { SharedFrame } from "../../sources/live/shared_frame.ts";
import { Controls } from "../playback/controls.ts";
import { playMedia } from "../playback/play_file.ts";
import type { ResponseWriter } from "../playback/sender.ts";
import type { PlayContext, PlayRequest, SessionContext } from "./context.ts";
import { endByYielding, runRequest } from "./outcome.ts";
import { PEER_LIMITS } from "./peer_limits.ts";
import { ScriptBacklog } from "./script_backlog.ts";

/** Scripts expect the pixels of OpenCV's VideoCapture, which ignores the matrix of a video. */
const OPENCV_MATRIX = "bt601";

/** The pixel format of arrays: height × width × 3 bytes, BGR. */
const BGR = "bgr24";

/** The media and the framing that a script gets. */
export interface ScriptRequest extends Pick<PlayRequest, "name" | "late" | "redescribe"> {
  command: ScriptCommand;
  /** @default CLASSIC_FORMAT */
  format?: ScriptFormat;
  /** Sent behind the last frame. @default nothing */
  end?: Uint8Array;
}

/**
 * Serves one request of the script protocol: the default image or video as numpy arrays, in real
 * time, then the end. The protocol has no errors: a failure closes the connection.
 */
export async function runScriptSession(
  context: SessionContext,
  abort: AbortController,
): Promise<void> {
  const { reader, requestTimeout, shutdown, observer } = context;
  let bytes: Uint8Array | undefined;
  {
    using _yield = endByYielding(context, abort);
    using _shutdown = shutdown.onDraining((reason) => abort.abort(reason));
    bytes = await reader.peek(SCRIPT_REQUEST_LENGTH);
  }
  requestTimeout.end();
  if (bytes === undefined) return;
  const command = parseScriptRequest(bytes.subarray(0, SCRIPT_REQUEST_LENGTH));
  const words = `"${command}", as text`;
  observer?.received({ kind: "request", bytes: SCRIPT_REQUEST_LENGTH, words });
  await serveScript({ command, end: SCRIPT_END }, context, abort);
}

/**
 * Sends a script what it gets, and discards whatever it sends.
 *
 * @param abort ends the session
 * @returns the failure of the request, about which the script learns nothing; absent if it got all
 * @throws what ended the connection
 */
export async function serveScript(
  request: ScriptRequest,
  context: SessionContext,
  abort: AbortController,
): Promise<RequestError | undefined> {
  const { requestLog, shutdown } = context;
  const { command, name } = request;
  using _watch = watchPeer(context, abort);
  using _yield = endByYielding(context, abort);
  const record = requestLog.begin({ command, wire: "classic", name }, context);
  return await runRequest(record, context, async () => {
    // Behind the end of a response a script takes it for complete: the connection is cut instead.
    using _response = shutdown.addResponse(() => abort.abort(shutdown.stopped.reason));
    const backlog = command === "get_video" ? backlogOf(context, abort) : undefined;
    const response = new ScriptResponse(request, { ...context, backlog });
    await playForScript(request, { ...context, record }, response);
    return undefined;
  });
}

function backlogOf(
  { unread, signal, timeouts, clock }: SessionContext,
  abort: AbortController,
): ScriptBacklog | undefined {
  if (unread === undefined) return undefined;
  const onStall = () => abort.abort(new DeadlineError("The peer took nothing for too long"));
  return new ScriptBacklog({ unread, signal, stallTimeout: timeouts.stall, onStall, clock });
}

/**
 * Plays an image or a video for a script.
 *
 * @param response writes in the framing of the script's protocol
 */
export async function playForScript(
  { command, name, late, redescribe, format = CLASSIC_FORMAT }: ScriptRequest,
  context: Omit<PlayContext, "controls" | "response">,
  response: ResponseWriter,
): Promise<void> {
  const request: PlayRequest = {
    ...{ command, name, late, redescribe, audio: false, lateLive: "drop" },
    ...renditionFor(format.payload),
  };
  const controls = new Controls({ command: "get_video" }, context);
  const adapt = adaptationFor(format.payload);
  await playMedia(request, { ...context, controls, response, adapt });
}

/** How the frames of a payload are made. */
function renditionFor(payload: PayloadFormat): Partial<PlayRequest> {
  switch (payload.kind) {
    case "pickle":
    case "npy":
      return { pixelFormat: BGR, colorMatrix: OPENCV_MATRIX };
    case "raw": {
      const { width, height, pixelFormat } = payload;
      return { width, height, pixelFormat, colorMatrix: matrixFor(pixelFormat) };
    }
    default:
      return { encoding: "mjpeg" };
  }
}

/** Only RGB is converted by a matrix. */
function matrixFor(pixelFormat: string): string | undefined {
  return isRgb(pixelFormat) ? OPENCV_MATRIX : undefined;
}

/** Adapts files: arrays keep the 16 bits of still images until {@linkcode keepHighBytes}. */
function adaptationFor(
  payload: PayloadFormat,
): ((options: MediaOptions, file: MediaFile) => MediaOptions) | undefined {
  if (payload.kind === "raw") {
    const { pixelFormat } = payload;
    return (options, file) => ({ ...options, colorMatrix: matrixOf(file, pixelFormat) });
  }
  if (payload.kind !== "pickle" && payload.kind !== "npy") return undefined;
  return (options, file) => {
    const isWideStill = options.still && isWide(file.info.video?.pixelFormat ?? "");
    const pixelFormat = isWideStill ? WIDE_BGR : BGR;
    return { ...options, pixelFormat, colorMatrix: matrixOf(file, BGR) };
  };
}

/** The matrix of images is respected, as OpenCV does. */
function matrixOf({ info: { kind } }: MediaFile, pixelFormat: string): string | undefined {
  return kind === "video" ? matrixFor(pixelFormat) : undefined;
}

/** Writes a response in a framing; the protocol has neither notices nor controls. */
class ScriptResponse implements ResponseWriter {
  #writer: ByteWriter;
  #format: ScriptFormat | undefined;
  #end: Uint8Array | undefined;
  #frames: ScriptFrameWriter | undefined;
  #isWide = false;
  #observer: ConversationObserver | undefined;
  #backlog: ScriptBacklog | undefined;
  #clock: Pick<Clock, "now">;
  /** Size and pixel format of the frames, in words. */
  #picture = "";

  constructor(
    { format, end }: Pick<ScriptRequest, "format" | "end">,
    { writer, observer, clock = MONOTONIC_CLOCK, backlog }:
      & Pick<SessionContext, "writer" | "observer" | "clock">
      & { backlog?: ScriptBacklog },
  ) {
    this.#writer = writer;
    this.#format = format;
    this.#end = end;
    this.#observer = observer;
    this.#clock = clock;
    this.#backlog = backlog;
  }

  /** @throws {RequestError} `unsupported` if there is no video, or its frames are too large */
  describe({ name, streams: [stream] }: Description): Promise<void> {
    if (stream.type !== "video") {
      throw new RequestError("unsupported", `Cannot send "${name}": it has no picture`);
    }
    this.#frames = new ScriptFrameWriter(stream, this.#format);
    this.#isWide = stream.pixelFormat === WIDE_BGR;
    const { width, height, codec, pixelFormat } = stream;
    const pixels = codec === "mjpeg" ? "JPEG" : this.#isWide ? BGR : pixelFormat;
    this.#picture = `${width}x${height} ${pixels}`;
    return Promise.resolve();
  }

  async write({ data, borrowed }: Frame): Promise<number> {
    const pixels = this.#isWide ? keepHighBytes(borrowed ? data.slice() : data) : data;
    const parts = borrowed ? this.#framing.surround(pixels) : [this.#framing.wrap(pixels)];
    await this.#send("frame", ...parts);
    return pixels.byteLength;
  }

  async writeShared({ frame: { data } }: SharedFrame): Promise<number> {
    const begun = this.#clock.now();
    // The memory is shared: what surrounds it is written from elsewhere.
    await this.#send("frame", ...this.#framing.surround(data));
    await this.#backlog?.afterFrame(data.byteLength, begun);
    return data.byteLength;
  }

  async end(): Promise<void> {
    if (this.#end !== undefined) await this.#send("end", this.#end);
  }

  async #send(kind: "frame" | "end", ...parts: readonly Uint8Array[]): Promise<void> {
    this.#observer?.sent({
      kind,
      bytes: parts.reduce((sum, { byteLength }) => sum + byteLength, 0),
      words: this.#wordsOf(kind),
    });
    await this.#writer.write(...parts);
  }

  /** The words of who receives it. */
  #wordsOf(kind: "frame" | "end"): string {
    const content = kind === "end" ? "the end" : this.#picture;
    return `${content}: ${describeFormat(this.#format ?? CLASSIC_FORMAT)}`;
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
function watchPeer(
  { reader, rate }: Pick<SessionContext, "reader" | "rate">,
  abort: AbortController,
): Disposable {
  const over = new AbortController();
  // Tokens are no part of the protocol.
  rate.limits = PEER_LIMITS;
  const watch = async () => {
    try {
      reader.consume(reader.buffered);
      while (!over.signal.aborted) {
        const discarded = await reader.peek(1);
        if (discarded === undefined) return;
        rate.count({ bytes: discarded.byteLength });
        reader.consume(discarded.byteLength);
        await rate.pause(over.signal);
      }
    } catch (error) {
      if (!over.signal.aborted) abort.abort(error);
    }
  };
  watch();
  return { [Symbol.dispose]: () => over.abort() };
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
