import { assertEquals } from "@std/assert";
import { FrameRate } from "../../../lib/server/playback/early.ts";
import { pureTest } from "../../support/pure_test.ts";

pureTest("FrameRate.add() measures each second, and forgets after a while without frames", () => {
  const rate = new FrameRate();
  const rates = [10, 10.25, 10.5, 10.75, 11, 11.5, 12, 20, 21].map((now) => {
    rate.add(now);
    return rate.perSecond;
  });
  assertEquals(rates, [0, 0, 0, 0, 4, 4, 2, 0.125, 1]);
});

pureTest("FrameRate.add() begins again with another clock", () => {
  const rate = new FrameRate();
  for (const now of [1000, 1000.5, 0, 1]) rate.add(now);
  assertEquals(rate.perSecond, 1);
});
