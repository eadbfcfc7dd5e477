/** Finds the image of a message among the values that a script sends with it. */
import { FormatError } from "../../../base/errors.ts";
import type { NumpyArray, PickledValue } from "./unpickler.ts";
import { dtypeNamed } from "./values.ts";

/** A value that JSON can hold. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | JsonValue[]
  | { [key: string]: JsonValue };

/** Content of one message of a script. */
export interface PickledMessage {
  /** The image: its items, or a JPEG of it, which is a view on the pickle if that stores it. */
  image?: { kind: "array"; array: NumpyArray } | { kind: "jpeg"; bytes: Uint8Array };
  /** All but the image, as {@linkcode messageOf} says; absent if nothing is left. */
  rest?: JsonValue;
  /** A short text that is sent alone, such as `end` as last message. */
  text?: string;
}

/** Items of the largest array that stands beside an image. */
const MAX_DATA_ITEMS = 4096;

/** Values in JSON beside an image. */
const MAX_JSON_VALUES = 2 ** 18;

/** A text sent alone: characters that are visible, or spaces. */
const SHORT_TEXT = /^\P{C}{0,64}$/u;

/** The same as bytes. */
const SHORT_BYTES = /^[ -~]{0,64}$/;

/** First bytes of a JPEG: start of image, and of the marker behind it. */
const JPEG_START = [0xff, 0xd8, 0xff];

type Image = NonNullable<PickledMessage["image"]>;

/** A value that may be the image. */
interface Candidate {
  /** The value to leave out. */
  value: PickledValue;
  image: Image;
  /** Whether it is too large to be data beside an image, or compressed. */
  isLarge: boolean;
}

/**
 * Finds the image in a tree of dicts, tuples and lists: an array of two or more axes, or of more than
 * 4,096 items, or a JPEG. A JPEG is bytes, or the `uint8` array of one row or column that
 * `cv2.imencode` returns, also in its pair `(True, array)`.
 *
 * Of several, it is the one with the most bytes; those that could stand beside another as data are
 * only looked at if there is no other. Arrays beside the image become nested lists.
 *
 * `rest` leaves out the image, the keys and items that hold it, and lists and dicts that held nothing
 * else. Keys become strings, as `json.dumps()` of Python has them, and tuples as keys the JSON of
 * them. Bytes become base64, infinities and what is no number null, and integers beyond 2^53 the
 * nearest number.
 *
 * @throws {FormatError} for arrays beside the image of more than 4,096 items or of complex numbers,
 * and if `rest` has more than 2^18 values
 *
 * @example
 * ```ts
 * import { messageOf } from "./message.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xd9);
 * const message = messageOf({
 *   kind: "dict",
 *   entries: [
 *     [{ kind: "text", text: "frame" }, { kind: "bytes", bytes: jpeg }],
 *     [{ kind: "text", text: "id" }, { kind: "number", value: 7 }],
 *   ],
 * });
 * assertEquals(message, { image: { kind: "jpeg", bytes: jpeg }, rest: { id: 7 } });
 * ```
 */
export function messageOf(value: PickledValue): PickledMessage {
  const best = findImages(value).reduce<Candidate | undefined>(
    (best, candidate) => best !== undefined && rank(best, candidate) >= 0 ? best : candidate,
    undefined,
  );
  if (best === undefined) {
    const text = shortText(value);
    if (text !== undefined) return { text };
  }
  const rest = new RestWriter(best?.value).write(value);
  return {
    ...best && { image: best.image },
    ...rest !== undefined && !isEmpty(rest) && { rest },
  };
}

/** Above 0 if `a` is rather the image than `b`. */
function rank(a: Candidate, b: Candidate): number {
  return Number(a.isLarge) - Number(b.isLarge) || sizeOf(a.image) - sizeOf(b.image);
}

/** Bytes of an image. */
function sizeOf(image: Image): number {
  return (image.kind === "array" ? image.array.data : image.bytes).byteLength;
}

/** All images in a value, in its order. */
function findImages(value: PickledValue): Candidate[] {
  const jpeg = jpegOf(value) ?? encodedPair(value);
  if (jpeg !== undefined) {
    return [{ value, image: { kind: "jpeg", bytes: jpeg }, isLarge: true }];
  }
  switch (value.kind) {
    case "array": {
      const { array } = value;
      const isLarge = itemsOf(array) > MAX_DATA_ITEMS;
      if (array.shape.length < 2 && !isLarge) return [];
      return [{ value, image: { kind: "array", array }, isLarge }];
    }
    case "list":
      return value.items.flatMap(findImages);
    case "dict":
      return value.entries.flatMap(([, entry]) => findImages(entry));
    default:
      return [];
  }
}

/** A JPEG as bytes, or as an array of one row or column. */
function jpegOf(value: PickledValue): Uint8Array | undefined {
  if (value.kind === "bytes") return isJpeg(value.bytes) ? value.bytes : undefined;
  if (value.kind !== "array" || value.array.dtype !== "uint8") return undefined;
  const { shape, data } = value.array;
  const isLine = shape.length === 1 || (shape.length === 2 && shape.includes(1));
  return isLine && isJpeg(data) ? data : undefined;
}

function isJpeg(bytes: Uint8Array): boolean {
  return JPEG_START.every((byte, at) => bytes[at] === byte);
}

/** The JPEG in the pair that `cv2.imencode` returns. */
function encodedPair(value: PickledValue): Uint8Array | undefined {
  if (value.kind !== "list" || value.items.length !== 2) return undefined;
  const [isEncoded, encoded] = value.items;
  return isEncoded.kind === "bool" && isEncoded.value ? jpegOf(encoded) : undefined;
}

function itemsOf({ shape }: NumpyArray): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

function shortText(value: PickledValue): string | undefined {
  if (value.kind === "text") return SHORT_TEXT.test(value.text) ? value.text : undefined;
  if (value.kind !== "bytes" || value.bytes.byteLength > 64) return undefined;
  const text = String.fromCharCode(...value.bytes);
  return SHORT_BYTES.test(text) ? text : undefined;
}

/** Whether a value is a list or dict that holds nothing. */
function isEmpty(value: JsonValue): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** Writes a value without the image as JSON. */
class RestWriter {
  #image: PickledValue | undefined;
  #values = 0;

  constructor(image: PickledValue | undefined) {
    this.#image = image;
  }

  /** @returns `undefined` if nothing is left beside the image */
  write(value: PickledValue): JsonValue | undefined {
    if (value === this.#image) return undefined;
    this.#count();
    const jpeg = jpegOf(value);
    if (jpeg !== undefined) return jpeg.toBase64();
    switch (value.kind) {
      case "none":
        return null;
      case "bool":
        return value.value;
      case "number":
        return finite(value.value);
      case "text":
        return value.text;
      case "bytes":
        return value.bytes.toBase64();
      case "array":
        return this.#writeArray(value.array);
      case "list": {
        const items = value.items.map((item) => this.write(item))
          .filter((item) => item !== undefined);
        return items.length === 0 && value.items.length > 0 ? undefined : items;
      }
      case "dict": {
        const entries = value.entries.map(([key, entry]) => [keyOf(key), this.write(entry)])
          .filter(([, entry]) => entry !== undefined);
        const isLeft = entries.length > 0 || value.entries.length === 0;
        return isLeft ? Object.fromEntries(entries) : undefined;
      }
    }
  }

  #writeArray(array: NumpyArray): JsonValue {
    const { shape, dtype, data } = array;
    const items = itemsOf(array);
    const read = dtypeNamed(dtype)?.read;
    if (read === undefined || items > MAX_DATA_ITEMS) {
      return refuse(
        `${dtype} array of shape (${shape.join(", ")}) beside the image`,
        `real numbers, at most ${MAX_DATA_ITEMS}`,
      );
    }
    if (items === 0) return [];
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const itemSize = data.byteLength / items;
    let at = 0;
    const writeAxis = (axis: number): JsonValue => {
      this.#count();
      if (axis < shape.length) {
        return Array.from({ length: shape[axis] }, () => writeAxis(axis + 1));
      }
      const item = read(view, at, !dtype.startsWith(">"));
      at += itemSize;
      return typeof item === "boolean" ? item : finite(item);
    };
    return writeAxis(0);
  }

  #count(): void {
    if (++this.#values > MAX_JSON_VALUES) {
      refuse(`more than ${MAX_JSON_VALUES} values beside the image`, "fewer");
    }
  }
}

/** A number that JSON can hold. */
function finite(value: number | bigint): number | null {
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

/** The name of a dict's key. */
function keyOf(key: PickledValue): string {
  if (key.kind === "text") return key.text;
  if (key.kind === "bytes") return shortText(key) ?? key.bytes.toBase64();
  if (key.kind === "number") return String(key.value);
  return JSON.stringify(new RestWriter(undefined).write(key));
}

/** @throws {FormatError} always */
function refuse(found: string, expected: string): never {
  throw new FormatError(`Cannot read a script message: ${found}, expected ${expected}`);
}
