import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import {
  elementsIn,
  numberLength,
  readHeader,
  readNumber,
  toFloat,
  toText,
  toUint,
  UNKNOWN_SIZE,
} from "../../../lib/containers/matroska/ebml.ts";
import { concat } from "../../support/media/bytes.ts";
import { element } from "../../support/media/matroska_files.ts";
import { pureTest } from "../../support/pure_test.ts";

function numberOf(hex: string): number {
  const bytes = Uint8Array.fromHex(hex);
  return readNumber(bytes, 0, numberLength(bytes[0]));
}

pureTest("readNumber() reads numbers of 1 to 8 bytes", () => {
  assertEquals(
    ["80", "81", "fe", "4002", "7ffe", "200003", "10000004", "0800000005"].map(numberOf),
    [0, 1, 126, 2, 16382, 3, 4, 5],
  );
  assertEquals(numberOf("011fffffffffffff"), Number.MAX_SAFE_INTEGER);
});

pureTest("readNumber() takes ones for an unknown size, and refuses what is beyond 2^53", () => {
  assertEquals(["ff", "7fff", "01ffffffffffffff"].map(numberOf), Array(3).fill(UNKNOWN_SIZE));
  assertThrows(() => numberOf("0120000000000000"), FormatError, "less than 2^53");
});

pureTest("readHeader() reads a header once it is whole", () => {
  const bytes = Uint8Array.fromHex("1a45dfa34002ffff");
  for (let end = 0; end < 6; end++) assertEquals(readHeader(bytes, 0, end), undefined);
  assertEquals(readHeader(bytes, 0, 6), { id: 0x1a45dfa3, size: 2, length: 6 });
});

pureTest("readHeader() refuses bytes that begin no identifier or size", () => {
  assertThrows(() => readHeader(Uint8Array.of(0x08, 0x80), 0, 2), FormatError, "identifier");
  assertThrows(() => readHeader(Uint8Array.of(0xec, 0x00), 0, 2), FormatError, "size");
});

pureTest("elementsIn() gives the elements of a content", () => {
  const body = concat(element(0xec, Uint8Array.of(1, 2)), element(0x4286), element(0xbf));
  const found = Array.from(elementsIn(body), ({ id, body }) => [id, ...body]);
  assertEquals(found, [[0xec, 1, 2], [0x4286], [0xbf]]);
});

pureTest("elementsIn() refuses elements that do not end within the content", () => {
  for (const hex of ["ec82ff", "ecff", "ec", "4286"]) {
    assertThrows(() => [...elementsIn(Uint8Array.fromHex(hex))], FormatError, "Cannot read");
  }
});

pureTest("toUint(), toFloat() and toText() read the contents of elements", () => {
  assertEquals([toUint(new Uint8Array(0)), toUint(Uint8Array.of(1, 0))], [0, 256]);
  assertThrows(() => toUint(new Uint8Array(9)), FormatError, "at most 8");
  assertThrows(() => toUint(new Uint8Array(8).fill(255)), FormatError, "2^53");
  assertEquals(toFloat(Uint8Array.fromHex("3fc00000")), 1.5);
  assertEquals(toFloat(Uint8Array.fromHex("3ff8000000000000")), 1.5);
  assertEquals(toFloat(new Uint8Array(0)), 0);
  assertThrows(() => toFloat(new Uint8Array(3)), FormatError, "4 or 8");
  assertEquals(toText(concat("webm\0\0")), "webm");
});
