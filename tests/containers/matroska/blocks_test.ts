import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import { framesOf, readBlockHeader } from "../../../lib/containers/matroska/blocks.ts";
import { concat, sample } from "../../support/media/bytes.ts";
import { pureTest } from "../../support/pure_test.ts";

const XIPH = 0x02, FIXED = 0x04, EBML = 0x06;

function sizesOf(flags: number, hex: string, length: number): number[] {
  const data = concat(Uint8Array.fromHex(hex), sample(length));
  const frames = framesOf(data, flags);
  // All bytes behind the sizes, once each and in order.
  assertEquals(concat(...frames), sample(length));
  return frames.map(({ byteLength }) => byteLength);
}

pureTest("readBlockHeader() reads the track, a signed time, and flags", () => {
  const bytes = Uint8Array.fromHex("82ffff80aa");
  const header = { track: 2, time: -1, flags: 0x80, length: 4 };
  assertEquals(readBlockHeader(bytes, 0, 5), header);
  assertEquals(readBlockHeader(Uint8Array.fromHex("4100010200"), 0, 5).track, 256);
  assertThrows(() => readBlockHeader(bytes, 0, 3), FormatError, "3 bytes");
  assertThrows(() => readBlockHeader(new Uint8Array(4), 0, 4), FormatError, "4 bytes");
});

pureTest("framesOf() takes a block without lacing for one frame", () => {
  assertEquals(sizesOf(0x80, "", 5), [5]);
});

pureTest("framesOf() cuts blocks by Xiph lacing", () => {
  assertEquals(sizesOf(XIPH, "02" + "03" + "ff01", 300), [3, 256, 41]);
  assertEquals(sizesOf(XIPH, "01" + "ff00", 255), [255, 0]);
  assertEquals(sizesOf(XIPH, "00", 7), [7]);
});

pureTest("framesOf() cuts blocks by fixed lacing", () => {
  assertEquals(sizesOf(FIXED, "02", 9), [3, 3, 3]);
});

pureTest("framesOf() cuts blocks by EBML lacing", () => {
  // RFC 9559, section 10.3.3: 800, 500 and 1000 bytes.
  assertEquals(sizesOf(EBML, "02" + "4320" + "5ed3", 2300), [800, 500, 1000]);
  assertEquals(sizesOf(EBML, "03" + "85" + "c0" + "be", 20), [5, 6, 5, 4]);
});

pureTest("framesOf() refuses sizes that do not fit", () => {
  const refused: [flags: number, hex: string][] = [
    [XIPH, ""],
    [XIPH, "01"],
    [XIPH, "01ff"],
    [XIPH, "0105aa"],
    [FIXED, "01aabbcc"],
    [EBML, "00aa"],
    [EBML, "01"],
    [EBML, "0140"],
    [EBML, "0185aa"],
    [EBML, "01ff"],
    [EBML, "028180aabb"],
  ];
  for (const [flags, hex] of refused) {
    const error = assertThrows(() => framesOf(Uint8Array.fromHex(hex), flags), FormatError);
    assertEquals(error.message.slice(0, 30), `Cannot read Matroska "lacing":`);
  }
});
