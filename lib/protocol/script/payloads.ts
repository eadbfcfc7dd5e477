/** Decodes the messages of scripts: images as OpenCV has them, and the values beside them. */
import { FormatError } from "../../base/errors.ts";
import { type PayloadFormat, RAW_FORMATS, type RawFormatName, rawSize } from "./format.ts";
import { isJpeg, jpegSize } from "./jpeg.ts";
import { SCRIPT_MAX_LENGTH } from "./lengths.ts";
import { type JsonValue, messageOf } from "./pickle/message.ts";
import { readNpy } from "./npy.ts";
import { type NumpyArray, readPickle } from "./pickle/unpickler.ts";
import { asciiOf, quotable } from "./pickle/values.ts";

/** An image of a script. */
export interface ScriptImage {
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** Pixel format of raw frames; absent for a JPEG. */
  pixelFormat?: RawFormatName;
  /** Rows without padding, or the JPEG; a view on the message if it stores them this way. */
  data: Uint8Array;
}

/** Content of a message. */
export type ScriptContent =
  /** An image, and the other values of the message, if there are any. */
  | { kind: "image"; image: ScriptImage; rest?: JsonValue }
  /** Values without an image. */
  | { kind: "values"; rest: JsonValue }
  /** The last message, `end`. */
  | { kind: "end" };

/** Last message of many scripts. */
const END = "end";

/**
 * Decodes a message.
 *
 * - An array of `uint8`, `uint16` or `float32` and of 1, 3 or 4 channels (height × width, or height ×
 *   width × channels, in the order blue, green, red, alpha) becomes gray, BGR or BGRA of that depth.
 * - A JPEG stays as it is.
 *
 * @throws {FormatError} for anything else
 */
export function decodePayload(bytes: Uint8Array, payload: PayloadFormat): ScriptContent {
  if (bytes.byteLength === END.length && asciiOf(bytes) === END) return { kind: "end" };
  switch (payload.kind) {
    case "jpeg":
      return { kind: "image", image: toJpeg(bytes) };
    case "base64":
      return { kind: "image", image: toJpeg(fromBase64(bytes)) };
    case "npy":
      return { kind: "image", image: toImage(readNpy(bytes)) };
    case "raw":
      return { kind: "image", image: toRaw(bytes, payload) };
    case "pickle":
    case "pickled-jpeg":
      return fromPickle(bytes, payload.kind);
  }
}

function fromPickle(bytes: Uint8Array, kind: "pickle" | "pickled-jpeg"): ScriptContent {
  const { image, rest, text } = messageOf(readPickle(bytes));
  if (image === undefined) {
    if (text === END) return { kind: "end" };
    return { kind: "values", rest: rest ?? text ?? null };
  }
  if (image.kind === "jpeg") return { kind: "image", image: toJpeg(image.bytes), rest };
  if (kind === "pickle") return { kind: "image", image: toImage(image.array), rest };
  const { dtype, shape } = image.array;
  throw new FormatError(
    `Cannot read a script frame: a ${dtype} array of shape (${shape.join(", ")}), expected a JPEG`,
  );
}

function toJpeg(data: Uint8Array): ScriptImage {
  if (!isJpeg(data)) {
    throw new FormatError(
      `Cannot read a script frame: ${data.byteLength} bytes "${quotable(data)}", expected a JPEG`,
    );
  }
  const { width, height } = jpegSize(data);
  return { width, height, data };
}

function toRaw(
  data: Uint8Array,
  { width, height, pixelFormat }: Extract<PayloadFormat, { kind: "raw" }>,
): ScriptImage {
  const size = rawSize({ width, height, pixelFormat });
  if (data.byteLength === size) return { width, height, pixelFormat, data };
  throw new FormatError(
    `Cannot read a script frame: ${data.byteLength} bytes, expected ${size} for ${width}x` +
      `${height} ${pixelFormat}`,
  );
}

/** Ignores white space, and the head of a data URL. */
function fromBase64(bytes: Uint8Array): Uint8Array {
  const text = new TextDecoder("latin1").decode(bytes).replace(/^data:image\/jpeg;base64,/, "");
  try {
    return Uint8Array.fromBase64(text);
  } catch (cause) {
    const message = `Cannot read a script frame: "${quotable(bytes)}", expected base64 of a JPEG`;
    throw new FormatError(message, { cause });
  }
}

/** Pixel formats of arrays, by item type and channels. */
const ARRAY_FORMATS: Record<string, Partial<Record<number, RawFormatName>>> = {
  uint8: { 1: "gray", 3: "bgr24", 4: "bgra" },
  uint16: { 1: "gray16le", 3: "bgr48le", 4: "rgba64le" },
  float32: { 1: "grayf32le", 3: "gbrpf32le", 4: "gbrapf32le" },
};

function toImage({ shape, dtype, data }: NumpyArray): ScriptImage {
  const [height, width, channels = 1] = shape;
  const isBigEndian = dtype.startsWith(">");
  const pixelFormat = ARRAY_FORMATS[isBigEndian ? dtype.slice(1) : dtype]?.[channels];
  const isImage = (shape.length === 2 || shape.length === 3) && width > 0 && height > 0;
  if (!isImage || pixelFormat === undefined) {
    throw new FormatError(
      `Cannot read a script frame: a ${dtype} array of shape (${shape.join(", ")}), expected ` +
        "height × width, or height × width × 1, 3 or 4, of uint8, uint16 or float32",
    );
  }
  const size = rawSize({ width, height, pixelFormat });
  if (size > SCRIPT_MAX_LENGTH) {
    throw new FormatError(
      `Cannot read a script frame: ${size} bytes, expected at most ${SCRIPT_MAX_LENGTH}`,
    );
  }
  const bits = RAW_FORMATS[pixelFormat].bits / channels;
  const littleEndian = isBigEndian ? swapped(data, bits / 8) : data;
  if (bits === 32 && channels > 1) {
    return { width, height, pixelFormat, data: toPlanes(littleEndian, channels) };
  }
  const ordered = pixelFormat === "rgba64le" ? toRgba(littleEndian) : littleEndian;
  return { width, height, pixelFormat, data: ordered };
}

/** Reverses the bytes of each item. */
function swapped(data: Uint8Array, itemSize: number): Uint8Array {
  const result = new Uint8Array(data.byteLength);
  const last = itemSize - 1;
  for (let at = 0; at < data.byteLength; at += itemSize) {
    for (let byte = 0; byte < itemSize; byte++) result[at + byte] = data[at + last - byte];
  }
  return result;
}

/** Puts red, the third of four items of 16 bits, in front of blue, the first. */
function toRgba(bgra: Uint8Array): Uint8Array {
  const items = new Uint16Array(bgra.slice().buffer);
  for (let at = 0; at < items.length; at += 4) {
    [items[at], items[at + 2]] = [items[at + 2], items[at]];
  }
  return new Uint8Array(items.buffer);
}

/** Separates blue, green, red and alpha of 32 bits into the planes green, blue, red and alpha. */
function toPlanes(data: Uint8Array, channels: number): Uint8Array {
  const items = new Uint32Array(data.slice().buffer);
  const planes = new Uint32Array(items.length);
  const length = items.length / channels;
  const starts = [length, 0, 2 * length, 3 * length];
  for (let channel = 0; channel < channels; channel++) {
    let to = starts[channel];
    for (let from = channel; from < items.length; from += channels) planes[to++] = items[from];
  }
  return new Uint8Array(planes.buffer);
}
