/** Requests over the protocol of scripts, which send pickled arrays. */
import { BufferPool } from "../../base/buffer_pool.ts";
import { FormatError, isConnectionLost } from "../../base/errors.ts";
import {
  type Description,
  type Frame,
  FRAME_HEADROOM,
  FRAME_TAILROOM,
  type Rational,
} from "../../media/frame.ts";
import {
  parseScriptLength,
  parseScriptMessage,
  type ScriptCommand,
  type ScriptMessage,
  scriptRequest,
} from "../../protocol/script/framing.ts";
import type { ServerConnection } from "../../net/connection.ts";
import { CutError } from "../../net/errors.ts";
import {
  FrameCounter,
  type MediaResponse,
  type ResponsePart,
} from "../../protocol/media_response.ts";

/** The protocol has no timestamps: frames get their time of arrival, in microseconds. */
const TIME_BASE: Rational = [1, 1_000_000];

/** NUT's name of the pixel format bgr24. */
const BGR24_FOURCC = "BGR\x18";

/** Bytes of the length in front of each pickle. */
const LENGTH_SIZE = 4;

/** Headroom and tailroom of a pickle, bytes. The data of a frame is a view of its pickle. */
const ROOM = { offset: FRAME_HEADROOM, tail: FRAME_TAILROOM };

/**
 * Requests the image or the video of a script that sends pickled arrays. Iterating the response
 * throws
 *
 * - {@linkcode FormatError}: the script sends anything but arrays and an end
 * - {@linkcode CutError}: the connection ends before the response does
 *
 * @param now milliseconds since a fixed time; never goes back
 */
export function requestScript(
  connection: ServerConnection,
  command: ScriptCommand,
  { now = () => performance.now() }: { now?: () => number } = {},
): MediaResponse {
  return {
    [Symbol.asyncIterator]: () => parts(connection, command, now),
    abandon: () => connection[Symbol.dispose](),
  };
}

async function* parts(
  connection: ServerConnection,
  command: ScriptCommand,
  now: () => number,
): AsyncGenerator<ResponsePart> {
  const pool = new BufferPool(2);
  const { observer } = connection;
  const request = scriptRequest(command);
  observer?.sent({ kind: "request", bytes: request.byteLength, words: `${command}, as text` });
  await connection.writer.write(request);
  const counter = new FrameCounter();
  let description: Description | undefined;
  let start = 0;
  let timestamp = -1;
  while (true) {
    const pickle = await nextPickle(connection, pool);
    if (pickle === undefined) {
      // Some scripts close the connection after an image, without an end.
      if (command === "get_image" && description !== undefined) break;
      throw new CutError("the connection was cut");
    }
    const message = parseScriptMessage(pickle);
    const bytes = LENGTH_SIZE + pickle.byteLength;
    observer?.received({ kind: message.kind, bytes, words: wordsOf(message) });
    if (message.kind === "end") break;
    if (description === undefined) {
      description = describe(command, message);
      counter.describe(description.streams);
      start = now();
      yield { kind: "describe", description };
    } else {
      checkSize(description, message);
    }
    timestamp = Math.max(timestamp + 1, Math.round((now() - start) * 1000));
    const data = asPlainMemory(message.data);
    const frame: Frame = { streamId: 0, timestamp, keyframe: true, data };
    counter.count(frame);
    yield { kind: "frame", frame, dropped: false };
    pool.give(pickle.buffer);
    if (command === "get_image") break;
  }
  if (description === undefined) throw new CutError("the server had nothing to send");
  yield { kind: "end", end: { ...counter.totals, dropped: 0, reason: "end" } };
}

function wordsOf(message: ScriptMessage): string {
  const what = message.kind === "end" ? 'b"end"' : `array ${message.width}x${message.height}`;
  return `${what}, a pickle behind a 4-byte length`;
}

/** Reads one length and its pickle; `undefined` if the connection ends instead. */
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

/** @throws {FormatError} if the size differs from that of the first frame */
function checkSize(
  { streams: [stream] }: Description,
  { width, height }: Extract<ScriptMessage, { kind: "frame" }>,
): void {
  if (stream.type !== "video" || (stream.width === width && stream.height === height)) return;
  throw new FormatError(
    `Cannot go on: a frame of ${width}×${height}, expected ${stream.width}×${stream.height}`,
  );
}

/** Views bytes as memory that streams accept. Copies only shared memory. */
function asPlainMemory({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array<ArrayBuffer> {
  if (buffer instanceof ArrayBuffer) return new Uint8Array(buffer, byteOffset, byteLength);
  return new Uint8Array(buffer, byteOffset, byteLength).slice();
}
