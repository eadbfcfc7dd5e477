import { assertEquals } from "@std/assert";
import { Backoff } from "../../lib/base/async.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("Backoff.next() doubles the wait from 1 s to 30 s", () => {
  const backoff = new Backoff(() => 0.5);
  const waits = Array.from({ length: 7 }, () => backoff.next());
  assertEquals(waits, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
});

pureTest("Backoff.next() leaves a part to chance, within the bounds", () => {
  const least = new Backoff(() => 0);
  assertEquals([least.next(), least.next(), least.next()], [1000, 1500, 3000]);
  const most = new Backoff(() => 0.999999);
  assertEquals([most.next(), most.next(), most.next()], [1250, 2500, 5000]);
  for (let times = 0; times < 5; times++) most.next();
  assertEquals(most.next(), 30_000);
});

pureTest("Backoff.reset() begins anew", () => {
  const backoff = new Backoff(() => 0.5);
  backoff.next();
  backoff.next();
  backoff.reset();
  assertEquals(backoff.next(), 1000);
});
