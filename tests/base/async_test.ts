import { assertEquals, assertStrictEquals } from "@std/assert";
import { Changes, deadline } from "../../lib/base/async.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("deadline() calls when the time is over, once", async () => {
  const expired = Promise.withResolvers<void>();
  let calls = 0;
  using _limit = deadline(1, () => {
    calls++;
    expired.resolve();
  });
  await expired.promise;
  assertStrictEquals(calls, 1);
});

pureTest("deadline() never calls after it was disposed", async () => {
  let calls = 0;
  {
    const limit = deadline(1, () => calls++);
    limit[Symbol.dispose]();
    limit[Symbol.dispose]();
  }
  const later = Promise.withResolvers<void>();
  // Timers fire in order: this one would come after it.
  using _later = deadline(2, later.resolve);
  await later.promise;
  assertStrictEquals(calls, 0);
});

pureTest("deadline() is harmless to dispose after it has called", async () => {
  const expired = Promise.withResolvers<void>();
  const limit = deadline(1, expired.resolve);
  await expired.promise;
  limit[Symbol.dispose]();
});

pureTest("Changes calls back each subscriber until it is disposed", () => {
  const changes = new Changes<[number]>();
  const heard: string[] = [];
  const first = changes.subscribe((change) => heard.push(`first ${change}`));
  const hear = (change: number) => void heard.push(`again ${change}`);
  const twice = [changes.subscribe(hear), changes.subscribe(hear)];
  changes.notify(1);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  twice[0][Symbol.dispose]();
  changes.notify(2);
  assertEquals(heard, ["first 1", "again 1", "again 1", "again 2"]);
  assertEquals(changes.subscribers, 1);
});
