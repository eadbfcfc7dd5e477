import { assertEquals, assertRejects } from "@std/assert";
import { Semaphore } from "../../lib/base/async.ts";
import { pureTest } from "../support/pure_test.ts";

const { signal } = new AbortController();

pureTest("Semaphore.take() runs a limited number of actions at once, others in order", async () => {
  const turns = new Semaphore(2);
  const gates = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  const began: number[] = [];
  const all = gates.map(({ promise }, index) =>
    turns.take(async () => {
      began.push(index);
      await promise;
      return index;
    }, { signal })
  );
  await Promise.resolve();
  assertEquals(began, [0, 1]);
  gates[1].resolve();
  assertEquals(await all[1], 1);
  gates[2].resolve();
  assertEquals(await all[2], 2);
  gates[3].resolve();
  assertEquals(await all[3], 3);
  assertEquals(began, [0, 1, 2, 3]);
  gates[0].resolve();
  assertEquals(await all[0], 0);
});

pureTest("Semaphore.take() frees the slot of an action that fails", async () => {
  const turns = new Semaphore(1);
  await assertRejects(() => turns.take(() => Promise.reject(new Error("no")), { signal }), "no");
  assertEquals(await turns.take(() => Promise.resolve(1), { signal }), 1);
});

pureTest("Semaphore.take() forgets aborted waits", async () => {
  const turns = new Semaphore(1);
  const gate = Promise.withResolvers<void>();
  const first = turns.take(() => gate.promise, { signal });
  const leaving = new AbortController();
  const second = turns.take(() => Promise.resolve("second"), leaving);
  const third = turns.take(() => Promise.resolve("third"), { signal });
  leaving.abort(new Error("left"));
  await assertRejects(() => second, Error, "left");
  gate.resolve();
  await first;
  assertEquals(await third, "third");
  await assertRejects(() => turns.take(() => Promise.resolve(), leaving), Error, "left");
});

pureTest("Semaphore.take() keeps the slot if one signal ends the action and a wait", async () => {
  const semaphore = new Semaphore(1);
  const control = new AbortController();
  const { promise, reject } = Promise.withResolvers<void>();
  const first = semaphore.take(() => promise, control);
  control.signal.addEventListener("abort", () => reject(new Error("ended")));
  const second = semaphore.take(() => Promise.resolve(), control);
  control.abort(new Error("ended"));
  await assertRejects(() => first, "ended");
  await assertRejects(() => second, "ended");
  assertEquals(await semaphore.take(() => Promise.resolve(1), { signal }), 1);
});
