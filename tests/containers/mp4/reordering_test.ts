/** How far frames are reordered is estimated as FFmpeg does. */
import { assertEquals } from "@std/assert";
import { reorderingOf } from "../../../lib/containers/mp4/reordering.ts";
import { pureTest } from "../../support/pure_test.ts";

function reordering(times: readonly number[]): number {
  return reorderingOf({
    count: times.length,
    decodeTimes: Float64Array.from(times, (_, at) => at),
    delays: Int32Array.from(times, (time, at) => time - at),
  });
}

pureTest("reorderingOf() counts the earlier frames that are shown later", () => {
  assertEquals(reordering([0, 1, 2]), 0);
  assertEquals(reordering([0, 2, 1, 4, 3]), 1);
  assertEquals(reordering([0, 4, 2, 1, 3, 8, 6, 5, 7]), 2);
  // Parts that overlap.
  assertEquals(reordering([0, 8, 4, 2, 6, 1]), 4);
});

pureTest("reorderingOf() compares a frame with 16 earlier ones", () => {
  const times = Array.from({ length: 40 }, (_, at) => at + 1);
  assertEquals(reordering([...times, 0]), 16);
});

pureTest("reorderingOf() gives 0 for a table without delays", () => {
  assertEquals(reorderingOf({ count: 2, decodeTimes: Float64Array.of(0, 1) }), 0);
});
