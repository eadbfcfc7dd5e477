import { assert, assertEquals, assertRejects } from "@std/assert";
import { merge, type Track } from "../../../lib/sources/file/interleave.ts";
import { pureTest } from "../../support/pure_test.ts";

/** An item: its track, and its time in seconds. */
type Item = readonly [track: string, time: number];

/** A track whose items are there from the beginning. */
function track(name: string, times: readonly number[]): Track<Item> {
  const rest = times.map((time): Item => [name, time]);
  return { take: () => Promise.resolve(rest.shift()), timeOf: ([, time]) => time };
}

/** A track whose items come when a test lets them. */
class SlowTrack implements Track<Item> {
  taken = 0;
  #name: string;
  #waiting: PromiseWithResolvers<Item | undefined> | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  take(): Promise<Item | undefined> {
    this.taken++;
    this.#waiting = Promise.withResolvers();
    return this.#waiting.promise;
  }

  timeOf([, time]: Item): number {
    return time;
  }

  give(time: number | undefined): void {
    this.#waiting?.resolve(time === undefined ? undefined : [this.#name, time]);
  }

  fail(error: Error): void {
    this.#waiting?.reject(error);
  }
}

/** Whether a promise is settled once all that can go on has gone on. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = () => settled = true;
  promise.then(note, note);
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  return settled;
}

pureTest("merge() gives a single track as it is", async () => {
  const items = await Array.fromAsync(merge([track("a", [0, 2, 1, 3])]));
  assertEquals(items.map(([, time]) => time), [0, 2, 1, 3]);
});

pureTest("merge() gives nothing if there are no items", async () => {
  assertEquals(await Array.fromAsync(merge<Item>([])), []);
  assertEquals(await Array.fromAsync(merge([track("a", []), track("b", [])])), []);
});

pureTest("merge() puts two tracks into one order of time, up to the lead", async () => {
  const pictures = Array.from({ length: 75 }, (_, at) => at / 25);
  const sounds = Array.from({ length: 141 }, (_, at) => at * 1024 / 48_000);
  const items = await Array.fromAsync(merge([track("p", pictures), track("s", sounds)]));
  assertEquals(items.length, 75 + 141);
  for (const name of ["p", "s"]) {
    const own = items.filter(([owner]) => owner === name).map(([, time]) => time);
    assertEquals(own, name === "p" ? pictures : sounds);
  }
  let newest = 0;
  for (const [, time] of items) {
    assert(newest - time < 0.25, `${time} after ${newest}`);
    newest = Math.max(newest, time);
  }
});

for (const rate of [30, 4]) {
  pureTest(
    `merge() keeps the exact order of items that take a while to come: ${rate} a second`,
    () => {
      return keepsOrder(rate);
    },
  );
}

/** Merges audio with so many video frames a second. */
async function keepsOrder(rate: number): Promise<void> {
  const pictures = Array.from({ length: rate }, (_, at) => at / rate);
  const sounds = Array.from({ length: 47 }, (_, at) => at * 1024 / 48_000);
  const slowly = ({ take, timeOf }: Track<Item>): Track<Item> => ({
    timeOf,
    take: async () => {
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      return await take();
    },
  });
  const tracks = [slowly(track("p", pictures)), slowly(track("s", sounds))];
  const times: number[] = [];
  for await (const [, time] of merge(tracks, { patience: 1000 })) times.push(time);
  assertEquals(times, times.toSorted((a, b) => a - b));
}

pureTest("merge() goes on with one track when the other has ended", async () => {
  const items = await Array.fromAsync(merge([track("a", [0, 0.1]), track("b", [0, 5, 10])]));
  assertEquals(items.filter(([name]) => name === "b").map(([, time]) => time), [0, 5, 10]);
  assertEquals(items.length, 5);
});

pureTest("merge() gives the first item while the other track is still being opened", async () => {
  const slow = new SlowTrack("slow");
  await using items = merge([track("fast", [0, 0.1, 0.3, 0.4]), slow]);
  assertEquals((await items.next()).value, ["fast", 0]);
  assertEquals((await items.next()).value, ["fast", 0.1]);
  const third = items.next();
  assertEquals(await isSettled(third), false);
  slow.give(0.05);
  assertEquals((await third).value, ["slow", 0.05]);
  assertEquals((await items.next()).value, ["fast", 0.3]);
  slow.give(undefined);
  assertEquals((await items.next()).value, ["fast", 0.4]);
  assertEquals((await items.next()).done, true);
});

pureTest("merge() waits for a track that lags, until that ends", async () => {
  const slow = new SlowTrack("slow");
  await using items = merge([track("fast", [10, 20]), slow]);
  const first = items.next();
  assertEquals(await isSettled(first), false);
  slow.give(undefined);
  assertEquals((await first).value, ["fast", 10]);
  assertEquals((await items.next()).value, ["fast", 20]);
});

pureTest("merge() takes an item's successor only when the next item is asked for", async () => {
  const slow = new SlowTrack("slow");
  await using items = merge([slow]);
  const first = items.next();
  slow.give(0);
  assertEquals((await first).value, ["slow", 0]);
  assertEquals(await isSettled(Promise.resolve()), true);
  assertEquals(slow.taken, 1);
  const second = items.next();
  await isSettled(second);
  assertEquals(slow.taken, 2);
  slow.give(undefined);
  assertEquals((await second).done, true);
});

pureTest("merge() throws the error of a track once it is needed", async () => {
  const slow = new SlowTrack("slow");
  await using items = merge([track("fast", [0, 1]), slow]);
  assertEquals((await items.next()).value, ["fast", 0]);
  const second = items.next();
  slow.fail(new TypeError("broken"));
  await assertRejects(() => second, TypeError, "broken");
});

pureTest("merge() throws the error of a track that is not waited for", async () => {
  const slow = new SlowTrack("slow");
  const items = merge([track("fast", [0, 0.1, 0.2]), slow]);
  assertEquals((await items.next()).value, ["fast", 0]);
  slow.fail(new TypeError("broken"));
  await assertRejects(async () => await Array.fromAsync(items), TypeError, "broken");
});
