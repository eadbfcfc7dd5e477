/** Writes frames as messages of scripts: a length, and a payload around the frame's own memory. */
import { RequestError } from "../../base/errors.ts";
import { FRAME_HEADROOM, FRAME_TAILROOM } from "../../media/frame.ts";
import { type PayloadFormat, rawSize, type ScriptFormat } from "./format.ts";
import { LENGTH_PREFIXES, SCRIPT_MAX_LENGTH } from "./lengths.ts";
import { ARRAY_SUFFIX, arrayPrefix } from "./pickle/pickler.ts";

/** The framing of `get_image` and `get_video`. */
export const CLASSIC_FORMAT: ScriptFormat = { length: "i32le", payload: { kind: "pickle" } };

/** Blue, green, red. */
const CHANNELS = 3;

const NOTHING = new Uint8Array(0);

const LINE_FEED = 0x0a;

/** Alignment of the data in a `.npy` file, bytes (numpy/lib/format.py). */
const NPY_ALIGNMENT = 64;

/** The magic of a `.npy` file, and version 1.0. */
const NPY_START = [0x93, ...new TextEncoder().encode("NUMPY"), 1, 0];

/** Size of a picture, pixels. */
interface Size {
  width: number;
  height: number;
}

/** The bytes around a frame's data in its message. */
interface Surroundings {
  before: Uint8Array;
  after: Uint8Array;
}

/**
 * Writes frames of one size in one framing.
 *
 * | payload        | data of a frame                      | around it                           |
 * | -------------- | ------------------------------------ | ----------------------------------- |
 * | `pickle`       | height × width × 3, BGR              | pickle of a numpy `uint8` array     |
 * | `npy`          | the same                             | header of a `.npy` file, version 1.0 |
 * | `raw`          | pixels of the format and its size    | nothing                             |
 * | `jpeg`         | a JPEG                               | nothing                             |
 * | `pickled-jpeg` | a JPEG                               | pickle of a `uint8` array of one axis |
 * | `base64`       | a JPEG, which is encoded as text     | nothing; `line` ends it by `\n`     |
 */
export class ScriptFrameWriter {
  #format: ScriptFormat;
  #size: Size;
  /** Bytes of each frame; absent for JPEGs. */
  #frameLength: number | undefined;
  /** The same for each frame; absent for JPEGs. */
  #surroundings: Surroundings | undefined;

  /**
   * @param size pixels; those of the format for `raw`
   * @throws {RequestError} `unsupported` if a frame is too large for the length of the format
   * @throws {RangeError} if the size is not made of positive integers, or not that of the format
   */
  constructor({ width, height }: Size, format: ScriptFormat = CLASSIC_FORMAT) {
    this.#format = format;
    this.#size = { width, height };
    checkSize({ width, height }, format.payload);
    this.#frameLength = frameLengthOf({ width, height }, format.payload);
    if (this.#frameLength === undefined) return;
    this.#checkLength(this.#frameLength);
    this.#surroundings = this.#surroundingsOf(this.#frameLength);
  }

  /**
   * Encodes a frame in place: writes what surrounds its data into the {@linkcode FRAME_HEADROOM}
   * before and the {@linkcode FRAME_TAILROOM} after it in the same buffer. Base64 takes new memory.
   *
   * @param data as in the table above, rows without padding
   * @returns the message, a view on the same buffer
   * @throws {RangeError} for data of another size, or without that room
   * @throws {RequestError} `unsupported` for a JPEG that is too large for the length of the format
   */
  wrap(data: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    if (this.#format.payload.kind === "base64") return this.#encodeText(data);
    const { before, after } = this.#around(data);
    const start = data.byteOffset - before.byteLength;
    const length = before.byteLength + data.byteLength + after.byteLength;
    if (start < 0 || start + length > data.buffer.byteLength) {
      throw new RangeError(
        "Cannot write a script frame: too little room around it, " +
          `expected ${FRAME_HEADROOM} bytes before and ${FRAME_TAILROOM} behind`,
      );
    }
    const message = new Uint8Array(data.buffer, start, length);
    message.set(before);
    message.set(after, before.byteLength + data.byteLength);
    return message;
  }

  /**
   * Encodes a frame whose memory is shared.
   *
   * @param data as for {@linkcode ScriptFrameWriter.wrap}; not changed
   * @returns the parts of the message, in order
   * @throws {RangeError} for data of another size
   * @throws {RequestError} `unsupported` for a JPEG that is too large for the length of the format
   */
  surround(data: Uint8Array): readonly Uint8Array[] {
    if (this.#format.payload.kind === "base64") return [this.#encodeText(data)];
    const { before, after } = this.#around(data);
    return [before, data, after].filter(({ byteLength }) => byteLength > 0);
  }

  #around({ byteLength }: Uint8Array): Surroundings {
    if (this.#surroundings === undefined) return this.#surroundingsOf(byteLength);
    if (byteLength === this.#frameLength) return this.#surroundings;
    throw new RangeError(
      `Cannot write a script frame: ${byteLength} bytes, expected ${this.#frameLength}`,
    );
  }

  #surroundingsOf(frameLength: number): Surroundings {
    this.#checkLength(frameLength);
    const [header, after] = this.#payloadAround(frameLength);
    const length = header.byteLength + frameLength + after.byteLength;
    this.#checkLength(length);
    return { before: joined(this.#lengthBytes(length), header), after };
  }

  #payloadAround(frameLength: number): [before: Uint8Array, after: Uint8Array] {
    const { width, height } = this.#size;
    switch (this.#format.payload.kind) {
      case "pickle":
        return [arrayPrefix([height, width, CHANNELS]), ARRAY_SUFFIX];
      case "pickled-jpeg":
        return [arrayPrefix([frameLength]), ARRAY_SUFFIX];
      case "npy":
        return [npyHeader([height, width, CHANNELS]), NOTHING];
      default:
        return [NOTHING, NOTHING];
    }
  }

  #encodeText(data: Uint8Array): Uint8Array<ArrayBuffer> {
    // Before the text is made.
    this.#checkLength(Math.ceil(data.byteLength / 3) * 4);
    const text = data.toBase64();
    const length = this.#lengthBytes(text.length);
    const isLine = this.#format.length === "line";
    const message = new Uint8Array(length.byteLength + text.length + (isLine ? 1 : 0));
    message.set(length);
    new TextEncoder().encodeInto(text, message.subarray(length.byteLength));
    if (isLine) message[message.byteLength - 1] = LINE_FEED;
    return message;
  }

  #lengthBytes(length: number): Uint8Array {
    const name = this.#format.length;
    return name === "line" || name === "none" ? NOTHING : LENGTH_PREFIXES[name].encode(length);
  }

  /** @throws {RequestError} `unsupported` if a message is too long */
  #checkLength(length: number): void {
    const name = this.#format.length;
    const max = name === "line" || name === "none" ? Infinity : LENGTH_PREFIXES[name].max;
    const limit = Math.min(max, SCRIPT_MAX_LENGTH);
    if (length <= limit) return;
    const { width, height } = this.#size;
    throw new RequestError(
      "unsupported",
      `Cannot send frames of ${width}x${height} to a script: ${length} bytes, ` +
        `expected at most ${limit}`,
    );
  }
}

function checkSize({ width, height }: Size, payload: PayloadFormat): void {
  const found = `Cannot write script frames of ${width}x${height}`;
  if (![width, height].every((extent) => Number.isInteger(extent) && extent > 0)) {
    throw new RangeError(`${found}: expected positive integers`);
  }
  if (payload.kind !== "raw" || (payload.width === width && payload.height === height)) return;
  throw new RangeError(`${found}: expected ${payload.width}x${payload.height}`);
}

/** Bytes of each frame; `undefined` for JPEGs, whose size varies. */
function frameLengthOf({ width, height }: Size, payload: PayloadFormat): number | undefined {
  if (payload.kind === "raw") return rawSize(payload);
  const isArray = payload.kind === "pickle" || payload.kind === "npy";
  return isArray ? width * height * CHANNELS : undefined;
}

/**
 * The header of a `.npy` file of a `uint8` array in C order, as `numpy.save` writes it: magic,
 * version 1.0, uint16 length, and a Python dict that is padded by spaces and ends with a line feed,
 * so that the data is aligned (NEP 1).
 */
function npyHeader(shape: readonly number[]): Uint8Array {
  const dict = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(", ")}), }`;
  const fixed = NPY_START.length + 2;
  const size = Math.ceil((fixed + dict.length + 1) / NPY_ALIGNMENT) * NPY_ALIGNMENT;
  const length = size - fixed;
  const text = `${dict.padEnd(length - 1)}\n`;
  return Uint8Array.of(
    ...NPY_START,
    ...[length & 0xff, length >> 8],
    ...new TextEncoder().encode(text),
  );
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.byteLength + second.byteLength);
  both.set(first);
  both.set(second, first.byteLength);
  return both;
}
