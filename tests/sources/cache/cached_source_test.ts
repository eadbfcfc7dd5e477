import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import type { StreamDescription } from "../../../lib/media/frame.ts";
import { RecordedSource } from "../../../lib/sources/cache/cached_source.ts";
import { StartStore } from "../../../lib/sources/cache/store.ts";
import { allOf, FakeSource, frameAt, PICTURES, SOUND } from "../../support/media/fake_source.ts";
import { pureTest } from "../../support/pure_test.ts";

const lasting = () => Promise.resolve(true);

/** A cache, and a source that is recorded there. */
function recorded(source: FakeSource, isLasting = lasting) {
  const cache = new StartStore(100_000);
  return { cache, recorded: new RecordedSource(source, cache.record("key")!, isLasting) };
}

/** What was kept of a source: the timestamps, and whether that is all. */
function keptIn(cache: StartStore) {
  using held = cache.take("key");
  const head = held?.head;
  return head && { timestamps: head.frames.map((frame) => frame.timestamp), whole: head.isWhole };
}

const TEN = Array.from({ length: 10 }, (_, at) => frameAt(at));

pureTest("RecordedSource gives all frames, and keeps the first of them", async () => {
  const source = new FakeSource(TEN);
  const { cache, recorded: own } = recorded(source);
  assertEquals(await allOf(own), TEN);
  assertEquals(keptIn(cache), { timestamps: [0, 1, 2], whole: false });
  using held = cache.take("key");
  assertEquals(held?.head.frames, TEN.slice(0, 3));
  assertEquals([held?.head.streams, held?.head.notes], [source.streams, source.notes]);
  await own[Symbol.asyncDispose]();
  assertStrictEquals(source.isOpen, false);
});

pureTest("RecordedSource keeps more of what is small, and all streams of it", async () => {
  const coded: StreamDescription = { ...PICTURES, codec: "h264" };
  for (const streams of [[SOUND], [coded, SOUND]]) {
    const frames = Array.from({ length: 24 }, (_, at) => frameAt(at, { streamId: 1 }));
    const { cache, recorded: own } = recorded(new FakeSource(frames, { streams }));
    await allOf(own);
    assertEquals(keptIn(cache)?.timestamps, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  }
});

pureTest("RecordedSource counts from the first frame that has a moment", async () => {
  const before = [-9, -5, -1, 5, 6, 7, 8, 9].map((at) => frameAt(at));
  const { cache, recorded: own } = recorded(new FakeSource(before));
  await allOf(own);
  assertEquals(keptIn(cache)?.timestamps, [-9, -5, -1, 5, 6, 7]);
});

pureTest("RecordedSource keeps what ends sooner as a whole", async () => {
  const { cache, recorded: own } = recorded(new FakeSource(TEN.slice(0, 2)));
  await allOf(own);
  assertEquals(keptIn(cache), { timestamps: [0, 1], whole: true });
});

pureTest("RecordedSource keeps nothing that FFmpeg has complained about by then", async () => {
  for (const length of [2, 10]) {
    const source = new FakeSource(TEN.slice(0, length));
    source.warning = "damaged";
    const { cache, recorded: own } = recorded(source);
    assertEquals(await allOf(own), TEN.slice(0, length));
    assertStrictEquals(own.warning, "damaged");
    assertStrictEquals(keptIn(cache), undefined);
    assertStrictEquals(cache.taken, 0);
  }
});

pureTest("RecordedSource keeps nothing of what was left, failed, or may not last", async () => {
  const left = recorded(new FakeSource(TEN));
  for await (const _frame of left.recorded.frames()) break;
  const failed = recorded(new FakeSource(TEN.slice(0, 2), { failure: new Error("Cannot read") }));
  await assertRejects(() => allOf(failed.recorded), Error, "Cannot read");
  const passing = recorded(new FakeSource(TEN), () => Promise.resolve(false));
  assertEquals(await allOf(passing.recorded), TEN);
  const unused = recorded(new FakeSource(TEN));
  await unused.recorded[Symbol.asyncDispose]();
  for (const { cache } of [left, failed, passing, unused]) {
    assertStrictEquals(keptIn(cache), undefined);
    assertStrictEquals(cache.taken, 0);
  }
});
