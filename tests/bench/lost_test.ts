import { assertAlmostEquals, assertEquals } from "@std/assert";
import { lostOf } from "../../bench/lost.ts";
import { pureTest } from "../support/pure_test.ts";

const DUE = { from: 10, to: 14 };

pureTest("lostOf() is nothing where everybody had all that was due", () => {
  assertEquals(lostOf([[9, 10, 11, 12, 13], [10, 11, 12, 13, 14]], DUE), 0);
});

pureTest("lostOf() counts what is missing at the edges as well as in the middle", () => {
  assertAlmostEquals(lostOf([[10, 11, 12, 13], [9, 10, 11]], DUE), 25);
  assertAlmostEquals(lostOf([[10, 13], [10, 11, 12, 13]], DUE), 25);
});

pureTest("lostOf() counts all that a viewer should have had who had nothing", () => {
  assertAlmostEquals(lostOf([[10, 11, 12, 13], []], DUE), 50);
});

pureTest("lostOf() does not let a frame that came twice stand for another", () => {
  assertAlmostEquals(lostOf([[10, 10, 12, 13]], DUE), 25);
});
