import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { FRAME_HEADROOM, FRAME_TAILROOM } from "../../../lib/media/frame.ts";
import {
  LENGTH_NAMES,
  type LengthName,
  parseScriptFormat,
  PAYLOAD_NAMES,
  type ScriptFormat,
} from "../../../lib/protocol/script/format.ts";
import { parseScriptLength, parseScriptMessage } from "../../support/peers/script_messages.ts";
import { readPickle } from "../../../lib/protocol/script/pickle/unpickler.ts";
import { ScriptFrameWriter } from "../../../lib/protocol/script/writer.ts";
import { latin1 } from "../../support/media/bytes.ts";
import { pureTest } from "../../support/pure_test.ts";

const SIZE = { width: 3, height: 2 };

/** Counted bytes with free room around them, as frames have it. */
function frameData(
  length: number,
  { before = FRAME_HEADROOM, after = FRAME_TAILROOM } = {},
): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(before + length + after).subarray(before, before + length);
  data.forEach((_, index) => data[index] = index);
  return data;
}

/** The parts of a message as one. */
function whole(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** Reads the length that a message begins with: its bytes, and its value if it has one. */
const LENGTHS: Record<LengthName, (message: Uint8Array) => [size: number, length?: number]> = {
  i32le: (message) => [4, viewOf(message).getInt32(0, true)],
  u64le: (message) => [8, Number(viewOf(message).getBigUint64(0, true))],
  u32be: (message) => [4, viewOf(message).getUint32(0)],
  ascii16: (message) => {
    const text = String.fromCharCode(...message.subarray(0, 16));
    assert(/^\d+ *$/.test(text), text);
    return [16, parseInt(text)];
  },
  line: () => [0],
  none: () => [0],
};

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Payloads of a frame of {@linkcode SIZE}: its bytes, and how they are found in the payload. */
const PAYLOADS: Record<string, { length: number; read: (payload: Uint8Array) => Uint8Array }> = {
  pickle: { length: 18, read: (payload) => readArray(payload, [2, 3, 3]) },
  jpeg: { length: 700, read: (payload) => payload },
  "pickled-jpeg": { length: 700, read: (payload) => readArray(payload, [700]) },
  "raw:3x2:rgba": { length: 24, read: (payload) => payload },
  base64: { length: 700, read: (payload) => Uint8Array.fromBase64(textOf(payload)) },
  npy: { length: 18, read: readNpy },
};

function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function readArray(payload: Uint8Array, shape: readonly number[]): Uint8Array {
  const value = readPickle(payload);
  if (value.kind !== "array") throw new Error("Cannot find an array: the pickle holds bytes");
  const { array } = value;
  assertEquals([array.dtype, array.shape], ["uint8", shape]);
  return array.data;
}

function readNpy(payload: Uint8Array): Uint8Array {
  const size = 10 + viewOf(payload).getUint16(8, true);
  assertEquals(payload.subarray(0, 8), latin1("\x93NUMPY\x01\x00"));
  assertStrictEquals(size % 64, 0);
  const header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 3), }";
  assertEquals(textOf(payload.subarray(10, size)), `${header.padEnd(size - 11)}\n`);
  return payload.subarray(size);
}

/** Every format that there is: names of length and payload. */
function allFormats(): [name: string, format: ScriptFormat, payload: string][] {
  assertEquals(Object.keys(PAYLOADS).map((name) => name.split(":")[0]), [...PAYLOAD_NAMES]);
  return LENGTH_NAMES.flatMap((length) =>
    Object.keys(PAYLOADS).flatMap((payload): ReturnType<typeof allFormats> => {
      const name = `${length}+${payload}`;
      try {
        return [[name, parseScriptFormat(name), payload]];
      } catch {
        return [];
      }
    })
  );
}

const FORMATS = allFormats();

pureTest("ScriptFrameWriter has four lengths for each payload, and two ways without one", () => {
  const names = FORMATS.map(([name]) => name);
  assertStrictEquals(names.length, 4 * 6 + 4);
  assertEquals(names.slice(-4), ["line+base64", "none+jpeg", "none+raw:3x2:rgba", "none+npy"]);
});

for (const [name, format, payload] of FORMATS) {
  const { length, read } = PAYLOADS[payload];

  pureTest(`ScriptFrameWriter writes ${name}`, () => {
    const data = frameData(length);
    const pixels = data.slice();
    const message = new ScriptFrameWriter(SIZE, format).wrap(data);
    if (payload !== "base64") assertStrictEquals(message.buffer, data.buffer);
    const [size, found] = LENGTHS[format.length](message);
    if (found !== undefined) assertStrictEquals(found, message.byteLength - size);
    const isLine = format.length === "line";
    if (isLine) assertStrictEquals(message.at(-1), 0x0a);
    assertEquals(read(message.subarray(size, isLine ? -1 : undefined)), pixels);
  });

  pureTest(`ScriptFrameWriter.surround() leaves shared memory alone in ${name}`, () => {
    const data = frameData(length);
    const before = new Uint8Array(data.buffer).slice();
    const writer = new ScriptFrameWriter(SIZE, format);
    const parts = writer.surround(data);
    assertEquals(new Uint8Array(data.buffer), before);
    if (payload !== "base64") assert(parts.includes(data), "the data is copied");
    assertEquals(whole(parts), writer.wrap(frameData(length)));
  });
}

pureTest("ScriptFrameWriter writes JPEGs of different sizes one after the other", () => {
  for (const name of ["u64le+jpeg", "i32le+pickled-jpeg", "ascii16+base64"]) {
    const format = parseScriptFormat(name);
    const writer = new ScriptFrameWriter(SIZE, format);
    for (const length of [1, 70_000, 2]) {
      const [size, found] = LENGTHS[format.length](writer.wrap(frameData(length)));
      assertStrictEquals(found, whole(writer.surround(frameData(length))).byteLength - size);
    }
  }
});

pureTest("ScriptFrameWriter writes i32le+pickle if nothing else is asked for", () => {
  const data = frameData(18);
  const message = new ScriptFrameWriter(SIZE).wrap(data);
  assertStrictEquals(parseScriptLength(message.subarray(0, 4)), message.byteLength - 4);
  assertEquals<unknown>(parseScriptMessage(message.subarray(4)), { kind: "frame", ...SIZE, data });
  assertEquals(
    message,
    new ScriptFrameWriter(SIZE, parseScriptFormat("i32le+pickle")).wrap(frameData(18)),
  );
});

pureTest("ScriptFrameWriter fits in the room that frames have, at every size", () => {
  for (const [width, height] of [[1, 1], [1920, 1080], [65_535, 1], [1, 70_000]]) {
    for (const name of ["i32le+pickle", "ascii16+pickle", "ascii16+npy"]) {
      const writer = new ScriptFrameWriter({ width, height }, parseScriptFormat(name));
      const data = frameData(width * height * 3);
      assertStrictEquals(writer.wrap(data).buffer, data.buffer);
    }
  }
  const format = parseScriptFormat("ascii16+pickled-jpeg");
  const data = frameData(2_000_000);
  assertStrictEquals(new ScriptFrameWriter(SIZE, format).wrap(data).buffer, data.buffer);
});

pureTest("ScriptFrameWriter refuses data of another size, or without room", () => {
  const writer = new ScriptFrameWriter({ width: 2, height: 1 });
  assertThrows(() => writer.wrap(frameData(7)), RangeError, "7 bytes, expected 6");
  assertThrows(() => writer.surround(frameData(7)), RangeError, "7 bytes, expected 6");
  assertThrows(() => writer.wrap(frameData(6, { before: 20 })), RangeError, "room");
  assertThrows(() => writer.wrap(frameData(6, { after: 2 })), RangeError, "room");
});

pureTest("ScriptFrameWriter refuses sizes over the limit of the protocol", () => {
  for (const name of ["i32le+pickle", "u64le+npy", "u32be+pickle", "ascii16+pickle", "none+npy"]) {
    const format = parseScriptFormat(name);
    const tooLarge = () => new ScriptFrameWriter({ width: 16_384, height: 5462 }, format);
    assertStrictEquals(assertThrows(tooLarge, RequestError, "16384x5462").code, "unsupported");
    const huge = { width: 1e9, height: 1e9 };
    assertThrows(() => new ScriptFrameWriter(huge, format), RequestError);
    // 2^28 - 1 bytes of pixels, without what stands around them.
    const widest = { width: (2 ** 28 - 1) / 3, height: 1 };
    assertThrows(() => new ScriptFrameWriter(widest, format), RequestError, "at most 268435456");
    assertThrows(() => new ScriptFrameWriter({ width: 0, height: 2 }, format), RangeError);
    assertThrows(() => new ScriptFrameWriter({ width: NaN, height: 2 }, format), RangeError);
  }
  const raw = parseScriptFormat("u32be+raw:65535x65535:rgba64le");
  const size = { width: 65_535, height: 65_535 };
  assertThrows(() => new ScriptFrameWriter(size, raw), RequestError, "expected at most");
});

pureTest("ScriptFrameWriter refuses JPEGs over the limit of the protocol", () => {
  // The memory is never touched.
  const data = new Uint8Array(2 ** 28 + 1);
  for (const name of ["i32le+jpeg", "none+jpeg", "u64le+pickled-jpeg", "line+base64"]) {
    const writer = new ScriptFrameWriter(SIZE, parseScriptFormat(name));
    const { code } = assertThrows(() => writer.surround(data), RequestError, "expected at most");
    assertStrictEquals(code, "unsupported");
  }
  const base64 = new ScriptFrameWriter(SIZE, parseScriptFormat("ascii16+base64"));
  const fits = data.subarray(0, 2 ** 28 / 4 * 3 + 1);
  assertThrows(() => base64.wrap(fits), RequestError, "268435460 bytes");
});

pureTest("ScriptFrameWriter refuses raw frames of another size than that of the framing", () => {
  const format = parseScriptFormat("u64le+raw:640x480:bgr24");
  const other = () => new ScriptFrameWriter({ width: 640, height: 360 }, format);
  assertThrows(other, RangeError, "640x360: expected 640x480");
});
