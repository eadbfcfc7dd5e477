import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import {
  checkLength,
  LENGTH_PREFIXES,
  type PrefixName,
  SCRIPT_MAX_LENGTH,
} from "../../../lib/protocol/script/lengths.ts";
import { latin1 } from "../../support/media/bytes.ts";
import { pureTest } from "../../support/pure_test.ts";

/** As Python packs 1,234,567. */
const PACKED: Record<PrefixName, Uint8Array> = {
  i32le: Uint8Array.of(0x87, 0xd6, 0x12, 0),
  u64le: Uint8Array.of(0x87, 0xd6, 0x12, 0, 0, 0, 0, 0),
  u32be: Uint8Array.of(0, 0x12, 0xd6, 0x87),
  ascii16: latin1("1234567         "),
};

for (const [name, bytes] of Object.entries(PACKED) as [PrefixName, Uint8Array][]) {
  pureTest(`LENGTH_PREFIXES.${name} reads and writes what Python packs`, () => {
    const { size, parse, encode } = LENGTH_PREFIXES[name];
    assertEquals(bytes.byteLength, size);
    assertEquals(parse(bytes), 1_234_567);
    assertEquals<Uint8Array>(encode(1_234_567), bytes);
    assertEquals(parse(encode(SCRIPT_MAX_LENGTH)), SCRIPT_MAX_LENGTH);
  });
}

const { i32le, u64le, u32be, ascii16 } = LENGTH_PREFIXES;

pureTest("ascii16 takes padding on either side, and no sign, point or other text", () => {
  for (const text of ["            4711", "4711            ", "0000000000004711"]) {
    assertEquals(ascii16.parse(latin1(text)), 4711);
  }
  for (const text of ["", " ", "-4711", "47.11", "4 711", "0x11", "４７"]) {
    assertEquals(ascii16.parse(latin1(text.padEnd(16))), undefined, text);
  }
});

const HOSTILE: [what: string, length: number | undefined][] = [
  ["zero", i32le.parse(new Uint8Array(4))],
  ["negative", i32le.parse(new Uint8Array(4).fill(0xff))],
  ["beyond the limit", u32be.parse(Uint8Array.of(0x10, 0, 0, 1))],
  ["giant", u64le.parse(new Uint8Array(8).fill(0xff))],
  ["giant digits", ascii16.parse(latin1("9999999999999999"))],
  ["no number", ascii16.parse(latin1("Content-Length: "))],
];

for (const [what, length] of HOSTILE) {
  pureTest(`checkLength() refuses a length that is ${what}`, () => {
    assertThrows(() => checkLength(length), FormatError, "expected 1 to 268435456");
  });
}

pureTest("checkLength() gives lengths in range", () => {
  for (const length of [1, 2 ** 20, SCRIPT_MAX_LENGTH]) assertEquals(checkLength(length), length);
});
