import { assertStrictEquals } from "@std/assert";
import { wallClock } from "../../lib/base/clock.ts";

Deno.test("wallClock() returns whole microseconds between two reads of the system's clock", () => {
  const before = Date.now();
  const moment = wallClock();
  const after = Date.now();
  assertStrictEquals(Number.isSafeInteger(moment), true);
  assertStrictEquals(before * 1000 <= moment && moment < (after + 1) * 1000, true);
});
