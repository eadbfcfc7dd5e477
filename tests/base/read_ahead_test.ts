import { assertEquals, assertRejects } from "@std/assert";
import { ReadAhead } from "../../lib/base/async.ts";
import { pureTest } from "../support/pure_test.ts";

/** A source whose items come when a test lets them. */
class Source {
  asked = 0;
  #waiting: PromiseWithResolvers<number | undefined>[] = [];

  next = (): Promise<number | undefined> => {
    this.asked++;
    const item = Promise.withResolvers<number | undefined>();
    this.#waiting.push(item);
    return item.promise;
  };

  get isAsked(): boolean {
    return this.#waiting.length > 0;
  }

  async give(item: number | undefined | Error): Promise<void> {
    const waiting = this.#waiting.shift()!;
    if (item instanceof Error) waiting.reject(item);
    else waiting.resolve(item);
    await settled();
  }
}

/** Lets all that wait for a promise go on, and all that wait for those. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

pureTest("ReadAhead.take() returns all items in order, then the end for ever", async () => {
  const items = [1, 2, 3, 4, 5];
  const ahead = new ReadAhead(() => Promise.resolve(items.shift()), 2);
  const taken: (number | undefined)[] = [];
  for (let at = 0; at < 8; at++) taken.push(await ahead.take());
  assertEquals(taken, [1, 2, 3, 4, 5, undefined, undefined, undefined]);
});

pureTest("ReadAhead reads one item at a time, and no further than its depth", async () => {
  const source = new Source();
  const ahead = new ReadAhead(source.next, 2);
  assertEquals(source.asked, 0);
  const first = ahead.take();
  assertEquals(source.asked, 1);
  await source.give(1);
  assertEquals(source.asked, 2);
  await source.give(2);
  await source.give(3);
  assertEquals(source.asked, 3);
  assertEquals(await first, 1);
  assertEquals(await ahead.take(), 2);
  await Promise.resolve();
  assertEquals(source.asked, 4);
});

pureTest(
  "ReadAhead doubles its depth up to the largest one, with each item that is taken",
  async () => {
    const source = new Source();
    const ahead = new ReadAhead(source.next, 1, 5);
    const asked: number[] = [];
    for (let item = 0; item < 4; item++) {
      const taken = ahead.take();
      await settled();
      while (source.isAsked) await source.give(item);
      await taken;
      asked.push(source.asked);
    }
    assertEquals(asked, [2, 4, 7, 9]);
  },
);

pureTest("ReadAhead does not read after the end", async () => {
  const source = new Source();
  const ahead = new ReadAhead(source.next, 3);
  const taken = [ahead.take(), ahead.take()];
  await source.give(undefined);
  assertEquals(await Promise.all(taken), [undefined, undefined]);
  assertEquals(await ahead.take(), undefined);
  assertEquals(source.asked, 1);
});

pureTest("ReadAhead.take() returns the items before a failure, then fails for ever", async () => {
  const source = new Source();
  const ahead = new ReadAhead(source.next, 2);
  const first = ahead.take();
  await source.give(1);
  await source.give(new TypeError("broken"));
  assertEquals(await first, 1);
  await assertRejects(() => ahead.take(), TypeError, "broken");
  await assertRejects(() => ahead.take(), TypeError, "broken");
  assertEquals(source.asked, 2);
});

pureTest("ReadAhead ignores a failure that is not taken", async () => {
  const source = new Source();
  const ahead = new ReadAhead(source.next, 2);
  const first = ahead.take();
  await source.give(1);
  await source.give(new TypeError("broken"));
  assertEquals(await first, 1);
});
