import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import {
  ConfigurationReader,
  splitNalUnits,
  unescape,
} from "../../../lib/containers/codecs/nal_units.ts";
import { pureTest } from "../../support/pure_test.ts";

pureTest("splitNalUnits() reads lengths of one to four bytes", () => {
  for (const size of [1, 2, 3, 4]) {
    const lengths = [...new Uint8Array(size - 1), 2, 9, 8, ...new Uint8Array(size - 1), 1, 7];
    const units = splitNalUnits(Uint8Array.from(lengths), size).map((unit) => [...unit]);
    assertEquals(units, [[9, 8], [7]], `lengths of ${size}`);
  }
});

pureTest("splitNalUnits() refuses units that are empty or cut", () => {
  for (const packet of [[0, 0], [0, 3, 1, 2], [0], [0, 1, 5, 0]]) {
    assertThrows(() => splitNalUnits(Uint8Array.from(packet), 2), FormatError, "NAL unit");
  }
});

pureTest("unescape() removes what keeps start codes away", () => {
  const unit = Uint8Array.of(0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 3, 0, 3);
  assertEquals([...unescape(unit)], [0, 0, 1, 0, 0, 0, 0, 3, 0, 3]);
});

pureTest("a ConfigurationReader never reads beyond the end", () => {
  const reader = new ConfigurationReader(Uint8Array.of(0, 1, 7, 0, 2, 1));
  assertEquals([...reader.unit()], [7]);
  assertThrows(() => reader.unit(), FormatError, "6 bytes, expected 7");
});
