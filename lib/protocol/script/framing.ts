/** Requests and responses of the script protocol: pickles, each behind its length. */
import { FormatError } from "../../base/errors.ts";
import { bytesPickle, type NumpyArray, type PickledValue, readPickle } from "./unpickler.ts";
import { asciiOf, quotable } from "./values.ts";

/** First bytes of every request. Read as a length of the native protocol, they exceed its limit. */
export const SCRIPT_MAGIC = "get_";

/** Bytes of a request. */
export const SCRIPT_REQUEST_LENGTH = 9;

/** Commands of requests. */
export type ScriptCommand = "get_image" | "get_video";

/** Bytes of the largest pickle. */
export const SCRIPT_MAX_LENGTH = 2 ** 28;

/** Bytes of the length in front of a pickle, Python's `struct.pack("i", …)`. */
const LENGTH_SIZE = 4;

/** Last message of a response. */
const END = "end";

/** Blue, green, red. */
const CHANNELS = 3;

/**
 * Parses the nine bytes of a request.
 *
 * @throws {FormatError} for anything but `get_image` and `get_video`
 */
export function parseScriptRequest(bytes: Uint8Array): ScriptCommand {
  const text = asciiOf(bytes.subarray(0, SCRIPT_REQUEST_LENGTH + 1));
  if (text === "get_image" || text === "get_video") return text;
  throw new FormatError(
    `Cannot serve "${quotable(bytes)}": unknown request, expected get_image or get_video`,
  );
}

/** Encodes the nine bytes of a request. */
export function scriptRequest(command: ScriptCommand): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(command);
}

/** Last message of a response: length and pickle of `b"end"`. */
export const SCRIPT_END: Uint8Array<ArrayBuffer> = endMessage();

/**
 * Parses the length in front of a pickle: an int32, little-endian.
 *
 * @returns bytes of the pickle that follows, 1 … {@linkcode SCRIPT_MAX_LENGTH}
 * @throws {FormatError} for any other length
 */
export function parseScriptLength(fourBytes: Uint8Array): number {
  const { buffer, byteOffset, byteLength } = fourBytes;
  const length = new DataView(buffer, byteOffset, byteLength).getInt32(0, true);
  if (length < 1 || length > SCRIPT_MAX_LENGTH) {
    throw new FormatError(
      `Cannot read a script message: length ${length}, expected 1 to ${SCRIPT_MAX_LENGTH}`,
    );
  }
  return length;
}

/** A message of the server. */
export type ScriptMessage =
  | {
    kind: "frame";
    /** Pixels. */
    width: number;
    /** Pixels. */
    height: number;
    /** Height × width × 3 bytes, BGR; a view on the pickle if it stores them this way. */
    data: Uint8Array;
  }
  | { kind: "end" };

/**
 * Parses the pickle of a message. Converts OpenCV's grey images (height × width, or height × width ×
 * 1) and images with alpha (height × width × 4, BGRA) to BGR.
 *
 * @throws {FormatError} for any other value, dtype or shape, and for pickles that
 * {@linkcode readPickle} refuses
 */
export function parseScriptMessage(pickle: Uint8Array): ScriptMessage {
  const value = readPickle(pickle);
  if (value.kind === "array") return toFrame(value.array);
  if (value.kind === "bytes" && asciiOf(value.bytes.subarray(0, END.length + 1)) === END) {
    return { kind: "end" };
  }
  throw new FormatError(
    `Cannot read a script message: ${found(value)}, expected an array or "${END}"`,
  );
}

/** Describes a value in an error message. */
function found(value: PickledValue): string {
  if (value.kind === "bytes") return `${value.bytes.byteLength} bytes "${quotable(value.bytes)}"`;
  if (value.kind !== "text") return `a value of kind ${value.kind}`;
  return `text "${quotable(new TextEncoder().encode(value.text))}"`;
}

function toFrame({ shape, dtype, data }: NumpyArray): ScriptMessage {
  const [height, width, channels = 1] = shape;
  const found = `${dtype} array of shape (${shape.join(", ")})`;
  const known = (shape.length === 2 || shape.length === 3) && [1, CHANNELS, 4].includes(channels);
  if (dtype !== "uint8" || !known || width === 0 || height === 0) {
    throw new FormatError(
      `Cannot read a script frame: ${found}, expected uint8 of height × width × ${CHANNELS}`,
    );
  }
  if (width * height * CHANNELS > SCRIPT_MAX_LENGTH) {
    throw new FormatError(
      `Cannot read a script frame: ${found}, expected at most ${SCRIPT_MAX_LENGTH} bytes as BGR`,
    );
  }
  return { kind: "frame", width, height, data: toBgr(data, channels) };
}

/** Repeats grey for each colour; drops alpha. */
function toBgr(data: Uint8Array, channels: number): Uint8Array {
  if (channels === CHANNELS) return data;
  const [green, red] = channels === 1 ? [0, 0] : [1, 2];
  const bgr = new Uint8Array(data.byteLength / channels * CHANNELS);
  for (let from = 0, to = 0; from < data.byteLength; from += channels, to += CHANNELS) {
    bgr[to] = data[from];
    bgr[to + 1] = data[from + green];
    bgr[to + 2] = data[from + red];
  }
  return bgr;
}

function endMessage(): Uint8Array<ArrayBuffer> {
  const pickle = bytesPickle(new TextEncoder().encode(END));
  const message = new Uint8Array(LENGTH_SIZE + pickle.byteLength);
  new DataView(message.buffer).setInt32(0, pickle.byteLength, true);
  message.set(pickle, LENGTH_SIZE);
  return message;
}
