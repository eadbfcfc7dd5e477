import { assertEquals } from "@std/assert";
import { keyframeTest } from "../../../../lib/containers/mp4/codecs/keyframes.ts";
import { concat } from "../../../support/media/bytes.ts";
import { pureTest } from "../../../support/pure_test.ts";

/** Units of H.264 behind their lengths of four bytes. */
function units(...parts: readonly string[]): Uint8Array {
  return concat(...parts.flatMap((part) => [`\0\0\0${String.fromCharCode(part.length)}`, part]));
}

const AVCC = Uint8Array.of(1, 100, 0, 10, 0xff);

pureTest("keyframeTest() of H.264 looks for IDR slices and recovery points", () => {
  const test = keyframeTest("h264", AVCC);
  const found = (...parts: readonly string[]) => test?.(units(...parts), true);
  assertEquals(found("\x65abc"), true);
  assertEquals(found("\x09\x10", "\x65abc"), true);
  assertEquals(found("\x41abc"), false);
  assertEquals(found("\x06\x06\x01\x84\x80", "\x41abc"), true);
  assertEquals(found("\x06\x05\x03abc\x06\x01\x84\x80", "\x41abc"), true);
  // An emulation prevention byte within what comes before.
  assertEquals(found("\x06\x05\x03\0\0\x03\x01\x06\x01\x84\x80", "\x41abc"), true);
  assertEquals(found("\x06\x05\x7fabc", "\x41abc"), false);
  assertEquals(found("\x41abc", "\x65abc"), false);
  assertEquals(test?.(Uint8Array.of(0, 0, 0, 9, 0x65), true), false);
  assertEquals(test?.(new Uint8Array(0), true), false);
});

pureTest("keyframeTest() of VP9 keeps what it knows for frames that show another", () => {
  const test = keyframeTest("vp9", new Uint8Array(0));
  const repeated = Uint8Array.of(0b1000_1000);
  assertEquals(test?.(repeated, true), true);
  assertEquals(test?.(Uint8Array.of(0b1000_0000), false), true);
  assertEquals(test?.(repeated, false), true);
  assertEquals(test?.(Uint8Array.of(0b1000_0100), true), false);
  assertEquals(test?.(repeated, true), false);
});

pureTest("keyframeTest() of AV1 looks at the frame that is shown", () => {
  const test = keyframeTest("av1", Uint8Array.of(0x81, 0, 0, 0));
  // Units with a size: frames of one byte.
  const frame = (...first: readonly number[]) =>
    concat(...first.map((byte) => Uint8Array.of(0x32, 1, byte)));
  assertEquals(test?.(frame(0b0001_0000), false), true);
  assertEquals(test?.(frame(0b0011_0000), true), false);
  // A hidden inter frame, then a shown key frame; and a hidden key frame that is repeated.
  assertEquals(test?.(frame(0b0010_0000, 0b0001_0000), false), true);
  assertEquals(test?.(frame(0b0000_0000, 0b1000_0000), true), false);
  // Units that end early, or have none: the container decides.
  assertEquals(test?.(Uint8Array.of(0x32, 9, 0), true), true);
  assertEquals(test?.(Uint8Array.of(0x12, 0), false), false);
});

pureTest("keyframeTest() believes the container for other codecs", () => {
  for (const codec of ["hevc", "mpeg4", "mjpeg", "aac"]) {
    assertEquals(keyframeTest(codec, new Uint8Array(0)), undefined);
  }
});
