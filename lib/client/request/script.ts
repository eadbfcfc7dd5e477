import { BufferPool } from "../../base/buffer_pool.ts";
import { FormatError, isConnectionLost } from "../../base/errors.ts";
import {
  type Description,
  type Frame,
  FRAME_HEADROOM,
  FRAME_TAILROOM,
  type Rational,
} from "../../media/frame.ts";
import type { EndReport } from "../../protocol/native/response.ts";
import {
  parseScriptLength,
  parseScriptMessage,
  type ScriptCommand,
  type ScriptMessage,
  scriptRequest,
} from "../../protocol/script/framing.ts";
import type { ServerConnection } from "../connection/connection.ts";
import { CutError } from "../connection/errors.ts";
import type { MediaResponse, ResponsePart } from "./response.ts";

/** The classic wire has no timestamps: frames get their moment of arrival, in microseconds. */
const TIME_BASE: Rational = [1, 1_000_000];

/** NUT's name of the pixel format bgr24. */
const BGR24_FOURCC = "BGR\x18";

/** Bytes of the length in front of each pickle. */
const LENGTH_SIZE = 4;

/** Room around a pickle. Pixels are left where they are in it, with the room of its beginning. */
const ROOM = { offset: FRAME_HEADROOM, tail: FRAME_TAILROOM };

/** What differs from one use to another. */
export interface ScriptOptions {
  /** Milliseconds since some fixed moment; never goes back. */
  now?: () => number;
}

/**
 * Asks a script that speaks the classic wire for its image or video, and gives the answer in the
 * form that the native wire's has. Iterating throws
 *
 * - {@linkcode FormatError}: for anything but arrays and an end
 * - {@linkcode CutError}: the connection ended before the answer did
 */
export function requestScript(
  link: ServerConnection,
  command: ScriptCommand,
  { now = () => performance.now() }: ScriptOptions = {},
): MediaResponse {
  return {
    [Symbol.asyncIterator]: () => parts(link, command, now),
    abandon: () => link[Symbol.dispose](),
  };
}

async function* parts(
  link: ServerConnection,
  command: ScriptCommand,
  now: () => number,
): AsyncGenerator<ResponsePart> {
  const pool = new BufferPool(2);
  await link.writer.write(scriptRequest(command));
  const end: EndReport = { frames: 0, audioFrames: 0, bytes: 0, dropped: 0, reason: "end" };
  let description: Description | undefined;
  let begin = 0;
  let last = -1;
  while (true) {
    const received = await nextPickle(link, pool);
    if (received === undefined) {
      // Some scripts close right after an image, without an end.
      if (command === "get_image" && end.frames > 0) break;
      throw new CutError("the connection was cut");
    }
    const message = parseScriptMessage(received);
    if (message.kind === "end") break;
    if (description === undefined) {
      description = describe(command, message);
      begin = now();
      yield { kind: "describe", description };
    } else {
      checkSize(description, message);
    }
    last = Math.max(last + 1, Math.round((now() - begin) * 1000));
    const data = asPlainMemory(message.data);
    const frame: Frame = { streamId: 0, timestamp: last, keyframe: true, data };
    end.frames++;
    end.bytes += data.byteLength;
    yield { kind: "frame", frame, dropped: false };
    pool.give(received.buffer);
    if (command === "get_image") break;
  }
  if (description === undefined) throw new CutError("the server had nothing to send");
  yield { kind: "end", end };
}

/** Reads one length and the pickle behind it; `undefined` where the connection ends instead. */
async function nextPickle(
  { reader }: ServerConnection,
  pool: BufferPool,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const bytes = await reader.peek(LENGTH_SIZE);
    if (bytes === undefined) return undefined;
    const length = parseScriptLength(bytes.subarray(0, LENGTH_SIZE));
    reader.consume(LENGTH_SIZE);
    const memory = pool.take(ROOM.offset + length + ROOM.tail);
    return await reader.readGrowing(memory, length, ROOM);
  } catch (cause) {
    if (!isConnectionLost(cause)) throw cause;
    throw new CutError("the connection was cut", { cause });
  }
}

function describe(
  command: ScriptCommand,
  { width, height }: Extract<ScriptMessage, { kind: "frame" }>,
): Description {
  return {
    name: command === "get_image" ? "image" : "video",
    live: false,
    streams: [{
      id: 0,
      type: "video",
      codec: "rawvideo",
      fourcc: BGR24_FOURCC,
      timeBase: TIME_BASE,
      extradata: new Uint8Array(0),
      width,
      height,
      pixelFormat: "bgr24",
    }],
  };
}

/** @throws {FormatError} where a frame has another size than the first */
function checkSize(
  { streams: [stream] }: Description,
  { width, height }: Extract<ScriptMessage, { kind: "frame" }>,
): void {
  if (stream.type !== "video" || (stream.width === width && stream.height === height)) return;
  throw new FormatError(
    `Cannot go on: a frame of ${width}×${height}, expected ${stream.width}×${stream.height}`,
  );
}

/** The same bytes where they lie, typed as memory that can be handed to streams. */
function asPlainMemory({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array<ArrayBuffer> {
  if (buffer instanceof ArrayBuffer) return new Uint8Array(buffer, byteOffset, byteLength);
  return new Uint8Array(buffer, byteOffset, byteLength).slice();
}
