import { assert, assertEquals, assertLess, assertStrictEquals } from "@std/assert";
import { StartStore } from "../../../lib/sources/cache/store.ts";
import { frameAt, PICTURES } from "../../support/media/fake_source.ts";
import { pureTest } from "../../support/pure_test.ts";

const LIMIT = 10_000;

const about = { streams: [PICTURES], notes: [], isWhole: false };

/** Keeps a start of one frame. */
function keep(cache: StartStore, key: string, size: number): void {
  const recording = cache.record(key);
  recording?.add(frameAt(1, { size }));
  recording?.keep(about);
}

/** Which of some keys are kept, without using them. */
function kept(cache: StartStore, ...keys: string[]): string[] {
  // In the order in which they would go: looking at all of them leaves that as it is.
  return keys.filter((key) => {
    using held = cache.take(key);
    return held !== undefined;
  });
}

pureTest("StartStore gives what was recorded, in memory of its own", () => {
  const cache = new StartStore(LIMIT);
  const recording = cache.record("a");
  const frames = [frameAt(1), frameAt(2)];
  for (const frame of frames) recording?.add(frame);
  assertStrictEquals(cache.take("a"), undefined);
  assertStrictEquals(recording?.isOver, false);
  recording.keep({ ...about, notes: ["A note"], isWhole: true });
  assertStrictEquals(recording.isOver, true);
  frames[0].data.fill(0);
  using held = cache.take("a");
  assertEquals(held?.start, {
    ...{ streams: [PICTURES], notes: ["A note"], isWhole: true },
    frames: [frameAt(1), frameAt(2)],
  });
  assertStrictEquals(cache.take("b"), undefined);
});

pureTest("StartStore records a key once at a time, and not what it keeps", () => {
  const cache = new StartStore(LIMIT);
  const first = cache.record("a");
  assertStrictEquals(cache.record("a"), undefined);
  first?.drop();
  assertStrictEquals(cache.taken, 0);
  const second = cache.record("a");
  first?.add(frameAt(1));
  first?.keep(about);
  assertStrictEquals(cache.take("a"), undefined);
  second?.keep(about);
  second?.drop();
  assertStrictEquals(cache.record("a"), undefined);
  assertEquals(kept(cache, "a"), ["a"]);
});

pureTest("StartStore lets go of what was not used for the longest time", () => {
  const cache = new StartStore(LIMIT);
  keep(cache, "a", 1000);
  keep(cache, "b", 1000);
  keep(cache, "c", 1000);
  cache.take("a")?.[Symbol.dispose]();
  keep(cache, "d", 3000);
  assertEquals(kept(cache, "b"), []);
  assertEquals(kept(cache, "a", "c", "d"), ["a", "c", "d"]);
  assertLess(cache.taken, LIMIT + 1);
  keep(cache, "e", 3000);
  assertEquals(kept(cache, "a", "c", "d", "e"), ["d", "e"]);
  assertLess(cache.taken, LIMIT + 1);
});

pureTest("StartStore keeps nothing that is larger than half of it, nor tries again", () => {
  const cache = new StartStore(LIMIT);
  keep(cache, "small", 100);
  const recording = cache.record("large");
  for (let count = 0; count < 10; count++) recording?.add(frameAt(count, { size: 1000 }));
  assertStrictEquals(recording?.isOver, true);
  recording.keep(about);
  assertStrictEquals(cache.take("large"), undefined);
  assertStrictEquals(cache.record("large"), undefined);
  assertEquals(kept(cache, "small"), ["small"]);
  assertLess(cache.taken, 4000);
});

pureTest("StartStore counts what is being recorded, which makes room, too", () => {
  const cache = new StartStore(LIMIT);
  const first = cache.record("a");
  first?.add(frameAt(1, { size: 3000 }));
  const second = cache.record("b");
  second?.add(frameAt(1, { size: 3000 }));
  assertStrictEquals(first?.isOver, false);
  const third = cache.record("c");
  third?.add(frameAt(1, { size: 3000 }));
  assertEquals([first.isOver, second?.isOver, third?.isOver], [true, false, false]);
  assertLess(cache.taken, LIMIT + 1);
  assert(cache.record("a") !== undefined);
});

pureTest("StartStore counts what is held until it is let go, and keeps it", () => {
  const cache = new StartStore(LIMIT);
  keep(cache, "a", 3000);
  keep(cache, "b", 3000);
  const held = ["a", "b"].map((key) => cache.take(key));
  keep(cache, "c", 3000);
  assertEquals(kept(cache, "c"), []);
  assertEquals(held.map((hold) => hold?.start.frames.length), [1, 1]);
  cache.refuse("a");
  assertEquals(kept(cache, "a", "b"), ["b"]);
  assertEquals(held[0]?.start.frames.length, 1);
  const before = cache.taken;
  for (const hold of [...held, ...held]) hold?.[Symbol.dispose]();
  assertLess(cache.taken, before - 2999);
  keep(cache, "c", 3000);
  assertEquals(kept(cache, "b", "c"), ["b", "c"]);
  // Refused: it is not recorded again.
  assertStrictEquals(cache.record("a"), undefined);
});

pureTest("StartStore counts what sets decoders up, too", () => {
  const cache = new StartStore(LIMIT);
  const set = (size: number) => [{ ...PICTURES, extradata: new Uint8Array(size) }];
  cache.record("a")?.keep({ ...about, streams: set(5000) });
  assert(cache.taken > 5000);
  cache.record("b")?.keep({ ...about, streams: set(LIMIT) });
  assertEquals(kept(cache, "a", "b"), []);
  assertStrictEquals(cache.taken, 0);
});

pureTest("StartStore of no size keeps nothing", () => {
  const cache = new StartStore(0);
  assertStrictEquals(cache.record("a"), undefined);
  cache.refuse("a");
  assertStrictEquals(cache.taken, 0);
});

pureTest("StartStore remembers but so many keys", () => {
  const cache = new StartStore(LIMIT);
  for (let count = 0; count < 1000; count++) cache.refuse(`key ${count}`);
  assertLess(cache.taken, LIMIT + 1);
  assert(cache.record("key 1") !== undefined);
});
