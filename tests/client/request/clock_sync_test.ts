import { assertAlmostEquals, assertEquals } from "@std/assert";
import { ClockOffset } from "../../../lib/client/request/clock_sync.ts";
import { pureTest } from "../../support/pure_test.ts";

/** A sample of a clock that is ahead by `offset`, microseconds. */
function sample(sent: number, { offset = 5000, there = 100, back = 100 } = {}) {
  return { sent, received: sent + there + back, remote: sent + there + offset };
}

pureTest("ClockOffset knows nothing before the first sample, and exactly what is symmetric", () => {
  const clock = new ClockOffset();
  assertEquals(clock.microseconds, undefined);
  clock.add(sample(1000));
  assertEquals(clock.microseconds, 5000);
  clock.add(sample(2000, { there: 9000, back: 9000 }));
  assertEquals(clock.microseconds, 5000);
});

pureTest("ClockOffset goes by the shortest way, whatever asymmetric ones say", () => {
  const clock = new ClockOffset();
  clock.add(sample(0, { there: 40_000, back: 100 }));
  assertAlmostEquals(clock.microseconds ?? 0, 5000, 20_000);
  clock.add(sample(1e6, { there: 90, back: 110 }));
  clock.add(sample(2e6, { there: 100, back: 70_000 }));
  assertAlmostEquals(clock.microseconds ?? 0, 5000, 10);
});

pureTest("ClockOffset follows a clock that was set anew, and ignores time that goes back", () => {
  const clock = new ClockOffset();
  clock.add(sample(0, { there: 10, back: 10 }));
  for (let second = 1; second <= 30; second++) clock.add(sample(second * 1e6, { offset: -7e6 }));
  assertEquals(clock.microseconds, -7e6);
  clock.add({ sent: 9e9, received: 8e9, remote: 0 });
  assertEquals(clock.microseconds, -7e6);
});
