import { assertAlmostEquals, assertEquals } from "@std/assert";
import { LatencyHistogram } from "../../lib/playback/statistics.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("LatencyHistogram.percentile() is exact to 1 %", () => {
  const histogram = new LatencyHistogram();
  assertEquals(histogram.percentile(0.5), undefined);
  for (let each = 1; each <= 1000; each++) histogram.add(each);
  for (const [share, expected] of [[0.001, 1], [0.5, 500], [0.95, 950], [1, 1000]]) {
    assertAlmostEquals(histogram.percentile(share) ?? 0, expected, expected * 0.011);
  }
});

pureTest("LatencyHistogram.add() takes negative and infinite values", () => {
  const histogram = new LatencyHistogram();
  for (const odd of [-5, 0, Infinity, 1e300]) histogram.add(odd);
  assertAlmostEquals(histogram.percentile(0.25) ?? 0, 0.1, 0.01);
  assertEquals((histogram.percentile(1) ?? 0) > 1e8, true);
});
