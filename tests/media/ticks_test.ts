import { assertStrictEquals } from "@std/assert";
import type { Rational } from "../../lib/media/frame.ts";
import { ticksAt } from "../../lib/media/ticks.ts";
import { pureTest } from "../support/pure_test.ts";

const MILLISECONDS: Rational = [1, 1000];

pureTest("ticksAt() goes by way of microseconds and rounds halves up", () => {
  assertStrictEquals(ticksAt(3.3, [1, 15_360]), 50_688);
  assertStrictEquals(ticksAt(1.0005, MILLISECONDS), 1001);
  assertStrictEquals(ticksAt(1.0004994, MILLISECONDS), 1000);
  // Rounded to whole microseconds first.
  assertStrictEquals(ticksAt(1.0004996, MILLISECONDS), 1001);
  assertStrictEquals(ticksAt(1e8, [1, 1_000_000_000]), 1e17);
  assertStrictEquals(ticksAt(0, [1001, 30_000]), 0);
});
