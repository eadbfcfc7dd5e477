import { assertAlmostEquals, assertEquals } from "@std/assert";
import { median, quantile, slope } from "../../bench/numbers.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("median() gives the middle, or the mean of the two in the middle", () => {
  assertEquals(median([5, 1, 3]), 3);
  assertEquals(median([4, 1, 2, 3]), 2.5);
  assertEquals(median([7]), 7);
  assertEquals(median([]), NaN);
});

pureTest("quantile() lies between two numbers in proportion, and sorts by size", () => {
  assertEquals(quantile([100, 9, 20], 0), 9);
  assertEquals(quantile([100, 9, 20], 1), 100);
  assertAlmostEquals(quantile([0, 10], 0.99), 9.9);
});

pureTest("slope() is that of the line with the least squares", () => {
  assertAlmostEquals(slope([{ x: 0, y: 1 }, { x: 1, y: 3 }, { x: 2, y: 5 }]), 2);
  assertAlmostEquals(slope([{ x: 0, y: 0 }, { x: 1, y: 3 }, { x: 2, y: 0 }]), 0);
});
