/** Receives what a script sends, whatever its framing, as the parts of a response. */
import { BufferPool } from "../../base/buffer_pool.ts";
import type { ByteReader } from "../../base/byte_reader.ts";
import type { ByteWriter } from "../../base/byte_writer.ts";
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { FormatError, isConnectionLost, TruncatedError } from "../../base/errors.ts";
import {
  allStreams,
  type DataStream,
  type Description,
  type Frame,
  FRAME_HEADROOM,
  FRAME_TAILROOM,
  type Rational,
  type VideoStream,
} from "../../media/frame.ts";
import { CutError } from "../../net/errors.ts";
import type { ConversationObserver } from "../../net/observer.ts";
import { FrameCounter, type MediaResponse, type ResponsePart } from "../media_response.ts";
import { describeFormat, RAW_FORMATS, type ScriptFormat } from "./format.ts";
import type { JsonValue } from "./pickle/message.ts";
import { MessageReader } from "./message_reader.ts";
import { decodePayload, type ScriptContent, type ScriptImage } from "./payloads.ts";
import { Replies } from "./replies.ts";

/** A connection to a script. */
export interface ScriptConnection extends Disposable {
  readonly reader: ByteReader;
  readonly writer: ByteWriter;
  /** Sees each message. */
  readonly observer?: ConversationObserver;
}

/** Options of {@linkcode receiveScript}. */
export interface ScriptOptions {
  /** Name in the description. */
  name: string;
  /** Insist on this format. @default by the first bytes */
  format?: ScriptFormat;
  /** Sent at once; `"none"` for nothing, not even the one below. */
  request?: string;
  /** Sent if the script sends nothing at first, unless there is a request. */
  fallbackRequest?: string;
  /**
   * Sent after each frame: a word, or `"none"` for nothing. With `"auto"` it is found out whether
   * the script waits for one.
   *
   * @default "auto"
   */
  ack?: string;
  /** Only the first image. */
  still?: boolean;
  /** Pixels of the largest picture. @default Infinity */
  maxPixels?: number;
  /**
   * Reserves memory for a large message while it arrives.
   *
   * @throws {RequestError} `busy` if there is too little left
   */
  reserve?: (bytes: number) => Disposable;
  /** Frames stay valid until they are given to `recycle()` of the response. @default false */
  keepsFrames?: boolean;
  /** @default MONOTONIC_CLOCK */
  clock?: Clock;
  /** Called once the format is known. */
  onFormat?: (format: ScriptFormat) => void;
  /** Called with sentences for the user. */
  notify?: (line: string) => void;
}

/** Scripts send no timestamps: frames get their moment of arrival, in microseconds. */
const TIME_BASE: Rational = [1, 1_000_000];

/** Stream ids of the image and of the values beside it. */
const VIDEO_ID = 0;
const DATA_ID = 2;

/** NUT's four bytes of JPEG frames. */
const MJPEG_FOURCC = "MJPG";

/** Characters of a script's values that are shown. */
const LONGEST_REST = 60;

/** Sentence for the user if the last frames may be lost with a connection that was reset. */
const UNREAD = "The script closed the connection without reading what it was sent, so its last " +
  'frames may be missing; with "none" as request and as ack it is sent nothing';

/** Free buffers that are kept for reuse. */
const POOLED_BUFFERS = 4;

/**
 * Receives the frames of a script. Each has the moment of its arrival as its timestamp; the first
 * is at 0. Values beside the images are JSON messages of a data stream. If the size or the format
 * changes, another description follows.
 *
 * A close between two messages is the end. Iterating the response throws
 *
 * - {@linkcode FormatError}: the script sends what is not known, and the sentence names what
 * - {@linkcode CutError}: the connection ends inside a message, or before the first frame
 */
export function receiveScript(
  connection: ScriptConnection,
  options: ScriptOptions,
): MediaResponse {
  const pool = new BufferPool(POOLED_BUFFERS);
  return {
    [Symbol.asyncIterator]: () => parts(connection, { ...options, pool }),
    abandon: () => connection[Symbol.dispose](),
    recycle: ({ data }) => pool.give(data.buffer),
  };
}

async function* parts(
  connection: ScriptConnection,
  options: ScriptOptions & { pool: BufferPool },
): AsyncGenerator<ResponsePart> {
  const { pool, still = false, keepsFrames = false, clock = MONOTONIC_CLOCK } = options;
  const { maxPixels = Infinity, format, onFormat, reserve } = options;
  const messages = new MessageReader(connection.reader, { pool, format, onFormat, reserve });
  const { observer } = connection;
  const replies = new Replies(connection.writer, {
    ...{ ...options, clock },
    onSent: (word, kind) =>
      observer?.sent({ kind, bytes: word.length, words: `${JSON.stringify(word)}, as text` }),
  });
  const stream = new ScriptStream(options.name, { still });
  let start: number | undefined;
  let timestamp = -1;
  /** Values that came before any image, as JSON. */
  let words: string | undefined;
  while (true) {
    const bytes = await nextMessage(messages, replies, {
      isCut: !stream.hasImage && words === undefined,
      notify: options.notify,
    });
    if (bytes === undefined) break;
    const content = decodePayload(bytes, messages.format.payload);
    observer?.received({
      kind: content.kind === "end" ? "end" : "frame",
      bytes: messages.size,
      words: `${wordsOf(content)}: ${describeFormat(messages.format)}`,
    });
    if (content.kind === "end") break;
    const now = clock.now();
    timestamp = Math.max(timestamp + 1, Math.round((now - (start ?? now)) * 1000));
    if (content.kind === "image") {
      start ??= now;
      refuseLarge(content.image, maxPixels);
      const description = stream.next(content.image, content.rest);
      if (description !== undefined) yield { kind: "describe", description };
    }
    if (content.kind === "values" && !stream.hasImage) {
      words = JSON.stringify(content.rest).slice(0, LONGEST_REST);
      replies.onMessage();
      continue;
    }
    if (content.rest !== undefined && stream.hasData) {
      yield stream.part({ streamId: DATA_ID, timestamp, data: withRoom(toJson(content.rest)) });
    }
    if (content.kind === "image") {
      const data = inPlace(content.image.data, bytes) ?? withRoom(content.image.data, pool);
      yield stream.part({ streamId: VIDEO_ID, timestamp, data });
      if (!keepsFrames) pool.give(data.buffer);
      if (data.buffer !== bytes.buffer) pool.give(bytes.buffer);
      if (still) break;
    }
    replies.onMessage();
  }
  if (!stream.hasImage) throw new CutError(nothing(words));
  yield { kind: "end", end: { ...stream.totals, dropped: 0, reason: "end" } };
}

function wordsOf(content: ScriptContent): string {
  if (content.kind === "end") return "the end";
  const rest = content.rest === undefined
    ? ""
    : JSON.stringify(content.rest).slice(0, LONGEST_REST);
  if (content.kind === "values") return `values ${rest}`;
  const { width, height, pixelFormat = "JPEG" } = content.image;
  return `${width}x${height} ${pixelFormat}${rest === "" ? "" : ` with ${rest}`}`;
}

function nothing(words: string | undefined): string {
  return words === undefined
    ? "the script had nothing to send"
    : `the script sent no image, but ${words}`;
}

/**
 * Reads one message.
 *
 * @param options whether an end of the connection is no end of the media
 * @returns `undefined` if the connection ends between two messages
 */
async function nextMessage(
  messages: MessageReader,
  replies: Replies,
  { isCut, notify }: { isCut: boolean; notify?: (line: string) => void },
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    if (!await replies.untilInput(() => messages.hasInput())) {
      if (isCut) throw new CutError("the connection was closed without a frame");
      return undefined;
    }
  } catch (cause) {
    if (!isConnectionLost(cause)) throw cause;
    // A script that closes with replies unread resets the connection.
    if (!isCut && replies.hasSent) {
      notify?.(UNREAD);
      return undefined;
    }
    throw new CutError("the connection was cut", { cause });
  }
  try {
    return await messages.next();
  } catch (cause) {
    if (!isConnectionLost(cause)) throw cause;
    const inside = cause instanceof TruncatedError
      ? `the connection was cut inside a frame, after ${cause.received} of ${cause.expected} bytes`
      : "the connection was cut inside a frame";
    throw new CutError(inside, { cause });
  }
}

/** Describes and counts the frames of a script. */
class ScriptStream {
  #name: string;
  #isStill: boolean;
  #image: ScriptImage | undefined;
  #hasData = false;
  #counter = new FrameCounter();

  constructor(name: string, { still }: { still: boolean }) {
    this.#name = name;
    this.#isStill = still;
  }

  get hasImage(): boolean {
    return this.#image !== undefined;
  }

  /** Values beside the images are passed on. */
  get hasData(): boolean {
    return this.#hasData;
  }

  get totals(): FrameCounter["totals"] {
    return this.#counter.totals;
  }

  /** The description that an image needs; `undefined` if it is like the one before. */
  next(image: ScriptImage, rest: JsonValue | undefined): Description | undefined {
    const before = this.#image;
    const isNew = before === undefined || image.width !== before.width ||
      image.height !== before.height || image.pixelFormat !== before.pixelFormat ||
      (rest !== undefined && !this.#hasData && !this.#isStill);
    if (!isNew) return undefined;
    this.#image = image;
    this.#hasData ||= rest !== undefined && !this.#isStill;
    const description: Description = {
      name: this.#name,
      live: !this.#isStill,
      streams: [describeImage(image)],
      data: this.#hasData ? [DATA_STREAM] : undefined,
    };
    this.#counter.describe(allStreams(description));
    return description;
  }

  part(frame: Omit<Frame, "keyframe">): ResponsePart {
    const counted = { ...frame, keyframe: true };
    this.#counter.count(counted);
    return { kind: "frame", frame: counted, dropped: false };
  }
}

const DATA_STREAM: DataStream = { id: DATA_ID, type: "data", codec: "json", timeBase: TIME_BASE };

function describeImage({ width, height, pixelFormat }: ScriptImage): VideoStream {
  const isRaw = pixelFormat !== undefined;
  return {
    id: VIDEO_ID,
    type: "video",
    codec: isRaw ? "rawvideo" : "mjpeg",
    fourcc: isRaw ? RAW_FORMATS[pixelFormat].fourcc : MJPEG_FOURCC,
    timeBase: TIME_BASE,
    extradata: new Uint8Array(0),
    ...{ width, height, pixelFormat },
  };
}

/** @throws {FormatError} for a picture of too many pixels */
function refuseLarge({ width, height }: ScriptImage, maxPixels: number): void {
  if (width * height <= maxPixels) return;
  throw new FormatError(
    `Cannot take a script frame of ${width}x${height}: expected at most ${maxPixels} pixels`,
  );
}

/** The data as part of the message's memory; `undefined` if it is in other memory. */
function inPlace(
  { buffer, byteOffset, byteLength }: Uint8Array,
  message: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> | undefined {
  if (buffer !== message.buffer) return undefined;
  return new Uint8Array(message.buffer, byteOffset, byteLength);
}

/** Copies data into memory with room for the header of a message. */
function withRoom(data: Uint8Array, pool?: BufferPool): Uint8Array<ArrayBuffer> {
  const size = FRAME_HEADROOM + data.byteLength + FRAME_TAILROOM;
  const memory = pool?.take(size) ?? new ArrayBuffer(size);
  const copy = new Uint8Array(memory, FRAME_HEADROOM, data.byteLength);
  copy.set(data);
  return copy;
}

function toJson(value: JsonValue): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
