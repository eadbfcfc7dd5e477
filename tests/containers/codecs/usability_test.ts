import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import { BitReader } from "../../../lib/containers/codecs/bit_reader.ts";
import { lowestRatio, readUsability } from "../../../lib/containers/codecs/usability.ts";
import { pureTest } from "../../support/pure_test.ts";

/** A reader of bits that are written as 0 and 1. */
function bits(text: string): BitReader {
  const bytes = text.replaceAll(" ", "").match(/.{1,8}/g) ?? [];
  return new BitReader(Uint8Array.from(bytes, (byte) => parseInt(byte.padEnd(8, "0"), 2)));
}

pureTest("readUsability() reads nothing where nothing is stated", () => {
  const reader = bits("000");
  assertEquals(readUsability(reader), { sampleAspectRatio: undefined });
  assertEquals(reader.position, 3);
});

pureTest("readUsability() reads aspect ratios from the table and in full", () => {
  const aspectOf = (text: string) => readUsability(bits(`1 ${text} 00`)).sampleAspectRatio;
  assertEquals(aspectOf("00000000"), undefined);
  assertEquals(aspectOf("00000001"), [1, 1]);
  assertEquals(aspectOf("00001110"), [4, 3]);
  assertEquals(aspectOf("00010000"), [2, 1]);
  assertEquals(aspectOf("11111111 0000000000010000 0000000000001100"), [4, 3]);
  assertEquals(aspectOf("11111111 0000000000000000 0000000000001100"), undefined);
  assertThrows(() => aspectOf("00010001"), FormatError, "aspect ratio 17 is reserved");
});

pureTest("readUsability() reads range and matrix behind the overscan", () => {
  const { colorRange, colorSpace } = readUsability(
    bits("0 11 1 101 1 1 00000001 00000001 00001001"),
  );
  assertEquals([colorRange, colorSpace], ["pc", "bt2020nc"]);
  assertEquals(readUsability(bits("0 0 1 101 0 0")).colorRange, "tv");
  const reserved = bits("0 0 1 101 0 1 00000001 00000001 00000011");
  assertThrows(() => readUsability(reserved), FormatError, "reserved");
});

pureTest("lowestRatio() reduces fractions", () => {
  assertEquals(lowestRatio(64, 48), [4, 3]);
  assertEquals(lowestRatio(0, 48), undefined);
  assertEquals(lowestRatio(1, 0), undefined);
});
