import { assertStrictEquals } from "@std/assert";
import { deadline } from "../../lib/base/async.ts";
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
