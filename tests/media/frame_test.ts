import { assertGreaterOrEqual, assertStrictEquals } from "@std/assert";
import { FRAME_HEADROOM, toSeconds } from "../../lib/media/frame.ts";
import { HEADER_LENGTH } from "../../lib/protocol/native/framing.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("toSeconds() counts ticks of the time base", () => {
  assertStrictEquals(toSeconds(90_000, [1, 90_000]), 1);
  assertStrictEquals(toSeconds(-45_000, [1, 90_000]), -0.5);
  assertStrictEquals(toSeconds(30_000, [1001, 30_000]), 1001);
  assertStrictEquals(toSeconds(0, [1, 25]), 0);
});

pureTest("toSeconds() stays exact to the microsecond after a year", () => {
  const year = 365 * 24 * 3600;
  const ticks = year * 1_000_000 + 1;
  assertStrictEquals(Math.round((toSeconds(ticks, [1, 1_000_000]) - year) * 1e6), 1);
});

pureTest("FRAME_HEADROOM holds the native header", () => {
  assertGreaterOrEqual(FRAME_HEADROOM, HEADER_LENGTH);
});
