import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import { frameHeader, FrameParser, MAX_PAYLOAD, OPCODES } from "../../../lib/server/http/frames.ts";
import { pureTest } from "../../support/pure_test.ts";

const MASK = [0x37, 0xfa, 0x21, 0x3d];

/** A masked frame of a client. */
function clientFrame(first: number, payload: readonly number[]): Uint8Array {
  const { length } = payload;
  const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 0xff];
  return Uint8Array.of(first, ...size, ...MASK, ...payload.map((byte, at) => byte ^ MASK[at % 4]));
}

pureTest("FrameParser.take() reads the masked text of RFC 6455, section 5.7", () => {
  const bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
  const [frame] = new FrameParser().take(Uint8Array.from(bytes));
  assertEquals([frame.opcode, frame.isLast], [OPCODES.text, true]);
  assertEquals(new TextDecoder().decode(frame.payload), "Hello");
});

pureTest("FrameParser.take() gives the same frames for whole, split and single bytes", () => {
  const frames = [
    clientFrame(0x81, [49, 50]),
    clientFrame(0x89, []),
    clientFrame(0x01, Array.from({ length: MAX_PAYLOAD }, (_, at) => at & 0xff)),
    clientFrame(0x88, [3, 232]),
  ];
  const all = Uint8Array.from(frames.flatMap((frame) => [...frame]));
  const whole = new FrameParser().take(all);
  assertEquals(whole.map(({ opcode }) => opcode), [1, 9, 1, 8]);
  assertEquals(whole.map(({ isLast }) => isLast), [true, true, false, true]);
  assertEquals(whole[2].payload.byteLength, MAX_PAYLOAD);
  for (const size of [1, 2, 7, 500]) {
    const parser = new FrameParser();
    const found = [];
    for (let at = 0; at < all.byteLength; at += size) {
      found.push(...parser.take(all.subarray(at, at + size)));
    }
    assertEquals(found, whole);
  }
});

for (
  const [what, bytes] of [
    ["without a mask", [0x81, 2, 49, 50]],
    ["of an extension", [0xc1, 0x80, ...MASK]],
    ["of control in parts", [0x09, 0x80, ...MASK]],
    ["of control that is long", [0x89, 0x80 | 126, 0, 126]],
    ["that is too long", [0x81, 0x80 | 126, 4, 1]],
    ["of gigabytes", [0x82, 0x80 | 127, 0, 0, 0, 1]],
  ] as const
) {
  pureTest(`FrameParser.take() refuses a frame ${what}`, () => {
    assertThrows(() => new FrameParser().take(Uint8Array.from(bytes)), FormatError);
  });
}

pureTest("frameHeader() states each length in its shortest form", () => {
  assertEquals([...frameHeader(OPCODES.text, 125)], [0x81, 125]);
  assertEquals([...frameHeader(OPCODES.binary, 126)], [0x82, 126, 0, 126]);
  assertEquals([...frameHeader(OPCODES.binary, 65535)], [0x82, 126, 255, 255]);
  assertEquals([...frameHeader(OPCODES.binary, 65536)], [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
});
