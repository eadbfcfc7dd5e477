import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { MONOTONIC_CLOCK } from "../../lib/base/clock.ts";
import { pureTest } from "../support/pure_test.ts";

const HOUR = 3_600_000;

pureTest("MONOTONIC_CLOCK sleeps as long as it is asked to", async () => {
  const { signal } = new AbortController();
  const began = MONOTONIC_CLOCK.now();
  await MONOTONIC_CLOCK.sleep(20, signal);
  // Timers count in whole milliseconds.
  assert(MONOTONIC_CLOCK.now() - began > 18);
});

pureTest("MONOTONIC_CLOCK wakes up by a signal, with its reason and without a timer", async () => {
  const reason = new Error("stopped");
  const abort = new AbortController();
  const sleeping = MONOTONIC_CLOCK.sleep(HOUR, abort.signal);
  abort.abort(reason);
  assertStrictEquals(await assertRejects(() => sleeping), reason);
  assertStrictEquals(
    await assertRejects(() => MONOTONIC_CLOCK.sleep(HOUR, abort.signal)),
    reason,
  );
});

pureTest("MONOTONIC_CLOCK leaves no listener behind", async () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const watched = Object.create(signal, {
    aborted: { value: false },
    addEventListener: { value: () => listeners++ },
    removeEventListener: { value: () => listeners-- },
  });
  await MONOTONIC_CLOCK.sleep(1, watched);
  assertEquals(listeners, 0);
});
