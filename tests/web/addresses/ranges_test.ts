import { assertEquals } from "@std/assert";
import { parseRange } from "../../../lib/web/addresses/ranges.ts";
import { pureTest } from "../../support/pure_test.ts";

const HUGE = "9".repeat(400);

pureTest("parseRange() gives the bytes that a single range names", () => {
  for (
    const [header, start, end] of [
      ...[["bytes=0-0", 0, 1], ["bytes=0-99", 0, 100], ["bytes=99-", 99, 100]] as const,
      ...[["bytes=5-1000", 5, 100], [`bytes=5-${HUGE}`, 5, 100], ["bytes=-1", 99, 100]] as const,
      ...[["bytes=-1000", 0, 100], [`bytes=-${HUGE}`, 0, 100], ["BYTES= 1 - 2 ", 1, 3]] as const,
      ["bytes=0000000000000000000000-01", 0, 2] as const,
    ]
  ) {
    assertEquals(parseRange(header, 100), { start, end }, header);
  }
});

pureTest("parseRange() refuses ranges behind the end", () => {
  for (const header of ["bytes=100-", "bytes=100-200", `bytes=${HUGE}-`, "bytes=-0"]) {
    assertEquals(parseRange(header, 100), null, header);
  }
  assertEquals(parseRange("bytes=0-", 0), null);
  assertEquals(parseRange("bytes=-5", 0), null);
});

pureTest("parseRange() ignores ranges that are malformed, several, or of another unit", () => {
  for (
    const header of [
      ...["bytes=9-1", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "bytes=1-2-3", "bytes=--1"],
      ...["bytes=0-1,5-6", "bytes=0-0,-1", "seconds=0-1", "bytes 0-1", "", "bytes=0x1-2"],
      ...["bytes=1.5-2", "bytes=+1-2", "bytes=٣-", `bytes=${HUGE}-1`],
    ]
  ) {
    assertEquals(parseRange(header, 100), undefined, header);
  }
  assertEquals(parseRange(null, 100), undefined);
});
