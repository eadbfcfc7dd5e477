import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import { BitReader } from "../../../lib/containers/codecs/bit_reader.ts";
import { pureTest } from "../../support/pure_test.ts";

pureTest("bits() reads numbers across bytes, up to 32 bits", () => {
  const reader = new BitReader(Uint8Array.of(0xff, 0x00, 0xab, 0xcd, 0xef, 0x01));
  assertEquals([reader.bits(0), reader.bits(3), reader.bits(7)], [0, 7, 0b1111100]);
  assertEquals([reader.position, reader.left], [10, 38]);
  assertEquals(reader.bits(32), 0x02af37bc);
  assertEquals([reader.flag(), reader.bits(5), reader.left], [false, 1, 0]);
  assertEquals(new BitReader(new Uint8Array(4).fill(0xff)).bits(32), 2 ** 32 - 1);
});

pureTest("unsigned() and signed() read Exp-Golomb codes", () => {
  // 1, 010, 011, 00100, 00101, 0001000
  const bytes = Uint8Array.of(0b10100110, 0b01000010, 0b10001000);
  const reader = new BitReader(bytes);
  assertEquals(Array.from({ length: 6 }, () => reader.unsigned()), [0, 1, 2, 3, 4, 7]);
  const again = new BitReader(bytes);
  assertEquals(Array.from({ length: 6 }, () => again.signed()), [0, 1, -1, 2, -2, 4]);
});

pureTest("a BitReader never reads beyond the end", () => {
  const read: ((reader: BitReader) => unknown)[] = [
    (reader) => reader.bits(9),
    (reader) => reader.skip(9),
    (reader) => reader.unsigned(),
    (reader) => Array.from({ length: 9 }, () => reader.flag()),
  ];
  for (const each of read) assertThrows(() => each(new BitReader(Uint8Array.of(0))), FormatError);
});

pureTest("unsigned() refuses codes of more than 32 bits", () => {
  const reader = new BitReader(Uint8Array.of(0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff));
  assertThrows(() => reader.unsigned(), FormatError, "more than 31 zeros");
});
