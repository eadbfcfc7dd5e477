import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import type { StreamDescription } from "../../../lib/media/frame.ts";
import { StartRecorder } from "../../../lib/sources/cache/cached_source.ts";
import { StartStore } from "../../../lib/sources/cache/store.ts";
import { allOf, FakeSource, frameAt, PICTURES, SOUND } from "../../support/media/fake_source.ts";
import { pureTest } from "../../support/pure_test.ts";

const unchanged = () => Promise.resolve(true);

/** A store, and a source whose start is recorded there. */
function recorded(source: FakeSource, isUnchanged = unchanged) {
  const store = new StartStore(100_000);
  source.tap = new StartRecorder(source, store.record("key")!, isUnchanged);
  return { store, source };
}

/** What was kept of a source: the timestamps, and whether that is all. */
function keptIn(store: StartStore) {
  using held = store.take("key");
  const start = held?.start;
  return start &&
    { timestamps: start.frames.map((frame) => frame.timestamp), whole: start.isWhole };
}

const TEN = Array.from({ length: 10 }, (_, at) => frameAt(at));

pureTest("StartRecorder lets all frames pass, and keeps the first of them", async () => {
  const source = new FakeSource(TEN);
  const { store, source: own } = recorded(source);
  assertEquals(await allOf(own), TEN);
  assertEquals(keptIn(store), { timestamps: [0, 1, 2], whole: false });
  using held = store.take("key");
  assertEquals(held?.start.frames, TEN.slice(0, 3));
  assertEquals([held?.start.streams, held?.start.notes], [source.streams, source.notes]);
  await own[Symbol.asyncDispose]();
  assertStrictEquals(source.isOpen, false);
});

pureTest("StartRecorder keeps more of what is small, and all streams of it", async () => {
  const coded: StreamDescription = { ...PICTURES, codec: "h264" };
  for (const streams of [[SOUND], [coded, SOUND]]) {
    const frames = Array.from({ length: 24 }, (_, at) => frameAt(at, { streamId: 1 }));
    const { store, source: own } = recorded(new FakeSource(frames, { streams }));
    await allOf(own);
    assertEquals(keptIn(store)?.timestamps, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  }
});

pureTest("StartRecorder counts from the first frame that is shown", async () => {
  const before = [-9, -5, -1, 5, 6, 7, 8, 9].map((at) => frameAt(at));
  const { store, source: own } = recorded(new FakeSource(before));
  await allOf(own);
  assertEquals(keptIn(store)?.timestamps, [-9, -5, -1, 5, 6, 7]);
});

pureTest("StartRecorder keeps what ends sooner as a whole", async () => {
  const { store, source: own } = recorded(new FakeSource(TEN.slice(0, 2)));
  await allOf(own);
  assertEquals(keptIn(store), { timestamps: [0, 1], whole: true });
});

pureTest("StartRecorder keeps nothing that FFmpeg has complained about by then", async () => {
  for (const length of [2, 10]) {
    const source = new FakeSource(TEN.slice(0, length));
    source.warning = "damaged";
    const { store, source: own } = recorded(source);
    assertEquals(await allOf(own), TEN.slice(0, length));
    assertStrictEquals(own.warning, "damaged");
    assertStrictEquals(keptIn(store), undefined);
    assertStrictEquals(store.taken, 0);
  }
});

pureTest("StartRecorder keeps nothing of what was left, failed, or may not last", async () => {
  const left = recorded(new FakeSource(TEN));
  for await (const _frame of left.source.frames()) break;
  const failed = recorded(new FakeSource(TEN.slice(0, 2), { failure: new Error("Cannot read") }));
  await assertRejects(() => allOf(failed.source), Error, "Cannot read");
  const passing = recorded(new FakeSource(TEN), () => Promise.resolve(false));
  assertEquals(await allOf(passing.source), TEN);
  const unused = recorded(new FakeSource(TEN));
  await unused.source[Symbol.asyncDispose]();
  for (const { store } of [left, failed, passing, unused]) {
    assertStrictEquals(keptIn(store), undefined);
    assertStrictEquals(store.taken, 0);
  }
});
