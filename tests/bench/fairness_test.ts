import { assertAlmostEquals, assertEquals } from "@std/assert";
import { fairGoal, latenessOf } from "../../bench/fairness.ts";
import { isMet, measured } from "../../bench/measurement.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("fairGoal() allows 1.3 times what it is without abusers plus 50 ms", () => {
  const isFair = (ours: number) =>
    isMet(measured({ ours: [ours] }, { what: "w", unit: "ms", goal: fairGoal(100) }));
  assertEquals([isFair(179), isFair(181)], [true, false]);
});

pureTest("latenessOf() is the lateness of the frames that came, if all did", () => {
  const lateness = Array.from({ length: 101 }, (_, frame) => frame);
  assertAlmostEquals(latenessOf({ first: 100, lateness, speed: 1 }, 5000), 99, 0.1);
  assertAlmostEquals(latenessOf({ first: 100, lateness: [-5], speed: 1.01 }, 5000), 0, 0.1);
});

pureTest("latenessOf() counts frames that did not come as if they came at the end", () => {
  // Two of five seconds have come, in time; the oldest of the others is three seconds late.
  const lateness = Array.from({ length: 60 }, () => 0);
  const late = latenessOf({ first: 0, lateness, speed: 0.4 }, 5000);
  assertAlmostEquals(late, 2930, 40);
});

pureTest("latenessOf() takes a viewer without a frame for late by the whole time", () => {
  assertAlmostEquals(latenessOf({ lateness: [], speed: 0 }, 5000), 4930, 40);
});
