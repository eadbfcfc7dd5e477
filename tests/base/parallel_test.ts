import { assertEquals, assertRejects } from "@std/assert";
import { parallel } from "../../lib/base/parallel.ts";
import { pureTest } from "../support/pure_test.ts";

/** Actions that end when the test says so. */
function actions() {
  const begun: number[] = [];
  const ends = new Map<number, (value: number) => void>();
  return {
    begun,
    act: (item: number) => {
      begun.push(item);
      const { promise, resolve } = Promise.withResolvers<number>();
      ends.set(item, resolve);
      return promise;
    },
    end: (item: number) => ends.get(item)?.(10 * item),
  };
}

pureTest("parallel() runs so many actions at once, and gives results as they come", async () => {
  const { begun, act, end } = actions();
  const results = parallel([1, 2, 3, 4], act, { limit: 2 });
  const first = results.next();
  assertEquals(begun, [1, 2]);
  end(2);
  assertEquals((await first).value, [20]);
  assertEquals(begun, [1, 2, 3]);
  const second = results.next();
  end(3);
  end(1);
  const rest = [...(await second).value ?? []];
  end(4);
  for await (const more of results) rest.push(...more);
  assertEquals(rest, [30, 10, 40]);
});

pureTest("parallel() gives all results of actions that end at once, however many", async () => {
  const items = Array.from({ length: 100 }, (_, index) => index);
  const results = parallel(items, (item) => Promise.resolve(item), { limit: 3 });
  assertEquals((await Array.fromAsync(results)).flat(), items);
  assertEquals(await Array.fromAsync(parallel([], () => Promise.resolve(1), { limit: 3 })), []);
});

pureTest(
  "parallel() begins nothing more after a failure, the signal, or the end of the iteration",
  async () => {
    const failing = parallel([1, 2], () => Promise.reject(new Error("no")), { limit: 1 });
    await assertRejects(() => failing.next(), Error, "no");
    const stop = new AbortController();
    const stopped = actions();
    const results = parallel([1, 2, 3], stopped.act, { limit: 1, signal: stop.signal });
    const next = results.next();
    stop.abort();
    stopped.end(1);
    assertEquals((await next).value, [10]);
    assertEquals([(await results.next()).done, stopped.begun], [true, [1]]);
    const left = actions();
    const given = parallel([1, 2, 3], left.act, { limit: 1 });
    const only = given.next();
    left.end(1);
    await only;
    await given.return(undefined);
    left.end(2);
    assertEquals(left.begun, [1, 2]);
  },
);
