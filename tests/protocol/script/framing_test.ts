import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { FormatError, RequestError } from "../../../lib/base/errors.ts";
import { FRAME_HEADROOM, FRAME_TAILROOM } from "../../../lib/media/frame.ts";
import {
  CLASSIC_END,
  CLASSIC_MAGIC,
  CLASSIC_MAX_LENGTH,
  CLASSIC_REQUEST_LENGTH,
  ClassicFrameWriter,
  classicRequest,
  parseClassicLength,
  parseClassicMessage,
  parseClassicRequest,
} from "../../../lib/protocol/script/framing.ts";
import { bytesPickle } from "../../../lib/protocol/script/unpickler.ts";
import { latin1, numpyPickle, uint32 } from "../../support/pickle_fixtures.ts";

function test(name: string, fn: () => void): void {
  Deno.test({ name, permissions: "none", fn });
}

/** Counted bytes with free room around them, as frames have it. */
function frameData(
  length: number,
  { before = FRAME_HEADROOM, after = FRAME_TAILROOM } = {},
): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(before + length + after).subarray(before, before + length);
  data.forEach((_, index) => data[index] = index);
  return data;
}

for (const command of ["get_image", "get_video"] as const) {
  test(`classicRequest() and parseClassicRequest() agree on ${command}`, () => {
    const request = classicRequest(command);
    assertEquals(request.byteLength, CLASSIC_REQUEST_LENGTH);
    assertEquals(request.subarray(0, 4), latin1(CLASSIC_MAGIC));
    assertEquals(parseClassicRequest(request), command);
  });
}

test("parseClassicRequest() refuses anything else and quotes it", () => {
  for (const request of ["get_audio", "get_imag", "get_image\n", "GET_IMAGE", ""]) {
    const shown = request.replace("\n", "?");
    assertThrows(() => parseClassicRequest(latin1(request)), FormatError, `"${shown}"`);
  }
});

test("ClassicFrameWriter puts length and pickle around the pixels in place", () => {
  const data = frameData(2 * 3 * 3);
  const message = new ClassicFrameWriter({ width: 3, height: 2 }).wrap(data);
  assertStrictEquals(message.buffer, data.buffer);
  assertEquals(parseClassicLength(message.subarray(0, 4)), message.byteLength - 4);
  const frame = parseClassicMessage(message.subarray(4));
  assertEquals<unknown>(frame, { kind: "frame", width: 3, height: 2, data });
  assertStrictEquals(frame.kind === "frame" && frame.data.buffer, data.buffer);
});

test("ClassicFrameWriter.surround() gives the same message, and leaves shared memory alone", () => {
  const data = frameData(18);
  const before = new Uint8Array(data.buffer).slice();
  const writer = new ClassicFrameWriter({ width: 3, height: 2 });
  const parts = writer.surround(data);
  assertEquals(new Uint8Array(data.buffer), before);
  assertStrictEquals(parts[1], data);
  const whole = new Uint8Array(parts.flatMap((part) => [...part]));
  assertEquals(whole, writer.wrap(frameData(18)));
  assertThrows(() => writer.surround(frameData(17)), RangeError, "17 bytes, expected 18");
});

test("ClassicFrameWriter fits in the room that frames have, at every size", () => {
  for (const [width, height] of [[1, 1], [1920, 1080], [65_535, 1], [1, 70_000]]) {
    const message = new ClassicFrameWriter({ width, height }).wrap(frameData(width * height * 3));
    const frame = parseClassicMessage(message.subarray(4));
    assertEquals(frame.kind === "frame" && [frame.width, frame.height], [width, height]);
  }
});

test("ClassicFrameWriter refuses data of another size, or without room", () => {
  const writer = new ClassicFrameWriter({ width: 2, height: 1 });
  assertThrows(() => writer.wrap(frameData(7)), RangeError, "7 bytes, expected 6");
  assertThrows(() => writer.wrap(frameData(6, { before: 20 })), RangeError, "room");
  assertThrows(() => writer.wrap(frameData(6, { after: 2 })), RangeError, "room");
});

test("ClassicFrameWriter refuses sizes that the wire cannot carry", () => {
  const tooLarge = () => new ClassicFrameWriter({ width: 16_384, height: 5462 });
  assertEquals(assertThrows(tooLarge, RequestError, "16384x5462").code, "unsupported");
  assertThrows(() => new ClassicFrameWriter({ width: 1e9, height: 1e9 }), RequestError);
  assertThrows(() => new ClassicFrameWriter({ width: 0, height: 2 }), RangeError);
  assertThrows(() => new ClassicFrameWriter({ width: NaN, height: 2 }), RangeError);
});

test("CLASSIC_END is a message that ends", () => {
  assertEquals(parseClassicLength(CLASSIC_END.subarray(0, 4)), CLASSIC_END.byteLength - 4);
  assertEquals(parseClassicMessage(CLASSIC_END.subarray(4)), { kind: "end" });
});

test("parseClassicLength() reads lengths within the limit", () => {
  assertEquals(parseClassicLength(latin1(uint32(1))), 1);
  assertEquals(parseClassicLength(latin1(uint32(CLASSIC_MAX_LENGTH))), CLASSIC_MAX_LENGTH);
  for (const length of [0, -1, CLASSIC_MAX_LENGTH + 1, 2 ** 31 - 1, -(2 ** 31)]) {
    const bytes = latin1(uint32(length));
    assertThrows(() => parseClassicLength(bytes), FormatError, `length ${length}, expected 1 to`);
  }
});

test("parseClassicMessage() turns grey into BGR", () => {
  const data = Uint8Array.of(7, 9);
  const frame = { kind: "frame", width: 2, height: 1, data: Uint8Array.of(7, 7, 7, 9, 9, 9) };
  for (const shape of [[1, 2], [1, 2, 1]]) {
    assertEquals<unknown>(parseClassicMessage(numpyPickle({ shape, data })), frame);
  }
});

test("parseClassicMessage() leaves alpha out", () => {
  const data = Uint8Array.of(1, 2, 3, 255, 4, 5, 6, 128);
  assertEquals<unknown>(parseClassicMessage(numpyPickle({ shape: [2, 1, 4], data })), {
    kind: "frame",
    width: 1,
    height: 2,
    data: Uint8Array.of(1, 2, 3, 4, 5, 6),
  });
});

test("parseClassicMessage() refuses arrays that are no pictures", () => {
  const refused: [shape: number[], dtype: string, length: number][] = [
    [[6], "u1", 6],
    [[1, 3, 2], "u1", 6],
    [[1, 1, 1, 3], "u1", 3],
    [[0, 2, 3], "u1", 0],
    [[2, 0, 3], "u1", 0],
    [[2, 2, 0], "u1", 0],
    [[], "u1", 1],
    [[1, 2, 3], "i1", 6],
    [[1, 2, 3], "b1", 6],
    [[1, 2, 3], "f4", 24],
    [[1, 2, 3], "u2", 12],
  ];
  for (const [shape, dtype, length] of refused) {
    const pickle = numpyPickle({ shape, dtype, data: new Uint8Array(length) });
    assertThrows(
      () => parseClassicMessage(pickle),
      FormatError,
      `array of shape (${shape.join(", ")}), expected uint8`,
    );
  }
});

test("parseClassicMessage() refuses grey pictures that are too large as BGR", () => {
  const shape = [1, Math.ceil(CLASSIC_MAX_LENGTH / 3)];
  const pickle = numpyPickle({ shape, data: new Uint8Array(shape[1]) });
  assertThrows(() => parseClassicMessage(pickle), FormatError, "as BGR");
});

test("parseClassicMessage() refuses other bytes than the end, and quotes them", () => {
  assertThrows(() => parseClassicMessage(bytesPickle(latin1("ending"))), FormatError, '"ending"');
  assertThrows(() => parseClassicMessage(bytesPickle(latin1("\x1b[2J"))), FormatError, '"?[2J"');
  assertThrows(() => parseClassicMessage(bytesPickle(latin1(""))), FormatError, "0 bytes");
});
