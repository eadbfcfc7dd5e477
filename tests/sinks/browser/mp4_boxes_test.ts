import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import { findBox, readBoxes, readBoxHeader } from "../../../lib/sinks/browser/mp4_codecs.ts";
import { pureTest } from "../../support/pure_test.ts";

/** A box of four letters around some bytes. */
function box(type: string, ...content: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const size = 8 + content.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const bytes = new Uint8Array(size);
  new DataView(bytes.buffer).setUint32(0, size);
  bytes.set(new TextEncoder().encode(type), 4);
  content.reduce((at, part) => (bytes.set(part, at), at + part.byteLength), 8);
  return bytes;
}

const LEAF = Uint8Array.of(1, 2, 3);

pureTest("readBoxHeader() needs a complete header", () => {
  const bytes = box("moov", LEAF);
  for (let end = 0; end < 8; end++) assertEquals(readBoxHeader(bytes.subarray(0, end)), undefined);
  assertEquals(readBoxHeader(bytes.subarray(0, 8)), { size: 11, header: 8, type: "moov" });
});

pureTest("readBoxHeader() reads sizes of 64 bits", () => {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 1);
  bytes.set(new TextEncoder().encode("mdat"), 4);
  view.setBigUint64(8, 2n ** 33n);
  assertEquals(readBoxHeader(bytes), { size: 2 ** 33, header: 16, type: "mdat" });
  assertEquals(readBoxHeader(bytes.subarray(0, 15)), undefined);
});

pureTest("readBoxHeader() refuses a box that is smaller than its own header", () => {
  const bytes = box("moov");
  bytes[3] = 7;
  assertThrows(() => readBoxHeader(bytes), FormatError, '"moov": 7 bytes, expected 8 at least');
});

pureTest("readBoxes() reads consecutive boxes anywhere in memory", () => {
  const bytes = Uint8Array.of(9, ...box("ftyp", LEAF), ...box("free"));
  assertEquals(readBoxes(bytes.subarray(1)), [
    { type: "ftyp", size: 11, body: LEAF },
    { type: "free", size: 8, body: new Uint8Array(0) },
  ]);
});

pureTest("readBoxes() refuses one that is cut off", () => {
  const bytes = box("ftyp", LEAF);
  assertThrows(() => readBoxes(bytes.subarray(0, 10)), FormatError, "10 bytes, expected 11");
  assertThrows(() => readBoxes(bytes.subarray(0, 5)), FormatError, '"box"');
});

pureTest("findBox() follows a path", () => {
  const bytes = Uint8Array.of(...box("free"), ...box("mdia", box("hdlr"), box("minf", LEAF)));
  assertEquals(findBox(bytes, "mdia/minf"), LEAF);
  assertEquals(findBox(bytes, "mdia/stbl"), undefined);
  assertEquals(findBox(bytes, "none/minf"), undefined);
});
