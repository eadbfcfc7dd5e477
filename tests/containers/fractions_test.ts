import { assertEquals } from "@std/assert";
import { reduced, rescaled } from "../../lib/containers/fractions.ts";
import type { Rational } from "../../lib/media/frame.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("reduced() divides by what both terms have in common", () => {
  assertEquals(reduced(50n * 90_000n, 180_000n), [25, 1]);
  assertEquals(reduced(0n, 7n), [0, 1]);
});

pureTest("reduced() gives the nearest fraction with small terms", () => {
  assertEquals(reduced(314_159n, 100_000n, 1000), [355, 113]);
  assertEquals(reduced(66_666n, 33_334n, 32_767), [32_767, 16_384]);
  assertEquals(reduced(2n ** 40n, 3n), [2 ** 31 - 1, 1]);
});

pureTest("reduced() approximates as FFmpeg does", () => {
  const cases: [numerator: number, denominator: number, most: number, result: Rational][] = [
    [1_000_000, 1_000_000_000, 2 ** 31 - 1, [1, 1000]],
    [1_000_000_000, 40_000_000, 30_000, [25, 1]],
    // Durations of frames are whole nanoseconds.
    [1_000_000_000, 33_366_666, 30_000, [30000, 1001]],
    [1_000_000_000, 41_708_333, 30_000, [24000, 1001]],
    [1_000_000_000, 16_683_333, 30_000, [19001, 317]],
    [1_000_000_000, 123_456_789, 30_000, [81, 10]],
    [314_159_265, 100_000_000, 255, [245, 78]],
    [1, 1_000_000, 255, [0, 1]],
  ];
  for (const [numerator, denominator, most, result] of cases) {
    assertEquals(reduced(numerator, denominator, most), result, `${numerator}/${denominator}`);
  }
});

pureTest("rescaled() rounds to the nearest, halves away from 0", () => {
  assertEquals([1, 2, 3].map((value) => rescaled(value, 1, 2)), [1, 1, 2]);
  assertEquals(rescaled(-1, 1, 2), -1);
  assertEquals(rescaled(2 ** 40, 1_000_000, 90_000), Math.round(2 ** 40 * 100 / 9));
});
