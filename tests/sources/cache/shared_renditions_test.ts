import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import type { StreamDescription } from "../../../lib/media/frame.ts";
import type { FrameSource, TimedFrame } from "../../../lib/media/source.ts";
import {
  allOf,
  FakeSource,
  frameAt,
  PICTURES,
  TEN_FRAMES as TEN,
} from "../../support/media/fake_source.ts";
import { mediaFolder } from "../../support/media/media_folder.ts";
import { changedAt, LONG_AGO, oldFile, plain, Studio, take } from "../../support/media/studio.ts";

const folder = mediaFolder();

const CODED: StreamDescription = { ...PICTURES, codec: "h264" };

/** Ten frames a second. */
function frames(count: number, options: { first?: number; size?: number } = {}): TimedFrame[] {
  const { first = 0, size } = options;
  return Array.from({ length: count }, (_, at) => frameAt(first + at, { size }));
}

const coded = (count = 30) => () => new FakeSource(frames(count), { streams: [CODED] });

Deno.test("SharedRenditions.open() knows a rendition by the file's state and all options", async () => {
  using _old = changedAt(() => LONG_AGO);
  const studio = new Studio(100_000);
  studio.make = coded();
  const file = await oldFile("known.mkv");
  assertStrictEquals(await studio.decoders(file), 1);
  assertStrictEquals(await studio.decoders(file), 0);
  assertStrictEquals(await studio.decoders(file, { start: undefined }), 0);
  assertStrictEquals(await studio.decoders(file, { start: 0 }), 0);
  assertStrictEquals(await studio.decoders(file, { duration: 2, start: 1 }), 1);
  assertStrictEquals(await studio.decoders(file, { start: 1, duration: 2 }), 0);
  assertStrictEquals(await studio.decoders(file, { start: 1, duration: 3 }), 1);
  assertStrictEquals(await studio.decoders({ ...file, path: `${file.path}2` }), 1);
  const state = { ...file.state!, stamp: "another" };
  assertStrictEquals(await studio.decoders({ ...file, state }), 1);
  const moved = { ...file.state!, identity: "another" };
  assertStrictEquals(await studio.decoders({ ...file, state: moved }), 1);
  assertStrictEquals(studio.hits, 4);
  assertEquals(studio.opened.map(({ isOpen }) => isOpen), studio.opened.map(() => false));
  assertStrictEquals(studio.slots.taken, 0);
});

Deno.test("SharedRenditions.open() keeps the start of raw video, and all of what is small", async () => {
  using _old = changedAt(() => LONG_AGO);
  for (const speed of [0, 1]) {
    const studio = new Studio(100_000);
    const file = await oldFile(`kept${speed}.mkv`);
    await studio.decoders(file, {}, studio.opening({ speed }));
    const [source] = studio.opened;
    // Frames after the start are not even copied at speed 0.
    assert(studio.renditions.taken < (speed === 0 ? 3000 : 10_000));
    const again = await studio.open(file, {}, studio.opening({ speed }));
    assertEquals([again.streams, again.notes], [source.streams, source.notes]);
    const given = again.frames();
    assertEquals(await take(given, 3), [0, 1, 2]);
    assertEquals(await take(given, 20), [3, 4, 5, 6, 7, 8, 9]);
    await again[Symbol.asyncDispose]();
  }
});

Deno.test("SharedRenditions.open() keeps and shares nothing of a file that changes, or just has", async () => {
  const studio = new Studio(100_000);
  let changed = LONG_AGO;
  using _changing = changedAt(() => changed);
  const file = await oldFile("changing.mkv");
  changed++;
  for (let round = 0; round < 3; round++) assertStrictEquals(await studio.decoders(file), 1);
  changed = Date.now() + 1000;
  const fresh = await oldFile("fresh.mkv");
  for (let round = 0; round < 3; round++) assertStrictEquals(await studio.decoders(fresh), 1);
  assertStrictEquals(studio.renditions.taken, 0);
  assertStrictEquals(await studio.decoders({ ...file, state: undefined }), 1);
  assertStrictEquals(studio.slots.taken, 0);
});

Deno.test("SharedRenditions.open() of two at once decodes once, however fast they read", async () => {
  using _old = changedAt(() => LONG_AGO);
  const studio = new Studio(100_000);
  const file = await oldFile("two.mkv");
  const sources = await Promise.all([studio.open(file), studio.open(file)]);
  const [fast, slow] = sources.map((source) => source.frames());
  assertEquals(await take(fast, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
  assertEquals(await take(slow, 2), [0, 1]);
  assertEquals(await take(fast, 8), [8, 9]);
  await sources[0][Symbol.asyncDispose]();
  assertEquals(await take(slow, 20), [2, 3, 4, 5, 6, 7, 8, 9]);
  assertEquals([studio.opened.length, studio.opened[0].given], [1, 10]);
  await sources[1][Symbol.asyncDispose]();
  await sources[1][Symbol.asyncDispose]();
  assertStrictEquals(studio.slots.taken, 0);
});

Deno.test("SharedRenditions.open() at speed 0 has a decoder, and its memory, of its own", async () => {
  using _old = changedAt(() => LONG_AGO);
  const studio = new Studio(100_000);
  const file = await oldFile("hurried.mkv");
  await using calm = await studio.open(file);
  const given = calm.frames();
  await take(given, 5);
  await using hurried = await studio.open(file, {}, studio.opening({ speed: 0 }));
  const borrowed: unknown[] = [];
  for await (const frame of hurried.frames()) borrowed.push(frame.borrowed ?? false);
  // What it does not find in memory is its own.
  assertStrictEquals(borrowed.length, 10);
  assertStrictEquals(borrowed.at(-1), false);
  assertStrictEquals(studio.opened.length, 2);
  assertEquals(await take(given, 20), [5, 6, 7, 8, 9]);
});

Deno.test("SharedRenditions.open() ends a decoder when its last reader leaves", async () => {
  using _old = changedAt(() => LONG_AGO);
  const studio = new Studio(100_000);
  const file = await oldFile("left.mkv");
  const [one, other] = [await studio.open(file), await studio.open(file)];
  const [first, second] = [one.frames(), other.frames()];
  await take(first, 4);
  await take(second, 1);
  await one[Symbol.asyncDispose]();
  assertEquals([studio.opened[0].isOpen, studio.slots.taken], [true, 1]);
  await take(second, 5);
  await other[Symbol.asyncDispose]();
  assertEquals([studio.opened[0].isOpen, studio.slots.taken], [false, 0]);
  // What was made by then stays.
  await using again = await studio.open(file);
  assertEquals(await take(again.frames(), 20), TEN.map(({ timestamp }) => timestamp));
  assertStrictEquals(studio.opened.length, 2);
});

Deno.test("SharedRenditions.open() goes on exactly for a reader whose frames are gone", async () => {
  using _old = changedAt(() => LONG_AGO);
  const studio = new Studio(20_000);
  studio.make = () => new FakeSource(frames(60, { size: 1000 }));
  const file = await oldFile("much.mkv");
  const [fast, slow] = [await studio.open(file), await studio.open(file)];
  const given = slow.frames();
  const taken = await take(given, 2);
  assertStrictEquals((await allOf(fast)).length, 60);
  await fast[Symbol.asyncDispose]();
  taken.push(...await take(given, 100));
  assertEquals(taken, frames(60).map(({ timestamp }) => timestamp));
  assertStrictEquals(studio.opened.length, 2);
  assert(studio.renditions.taken <= 20_000);
  await slow[Symbol.asyncDispose]();
  assertStrictEquals(studio.slots.taken, 0);
});

Deno.test("SharedRenditions.open() takes no more memory than it may, whatever is asked for", async () => {
  using _old = changedAt(() => LONG_AGO);
  const limit = 20_000;
  const studio = new Studio(limit);
  studio.make = coded(10);
  const file = await oldFile("many.mkv");
  for (let start = 1; start <= 30; start++) {
    assertStrictEquals(await studio.decoders(file, { start }), 1);
    assert(studio.renditions.taken <= limit);
  }
  assertStrictEquals(await studio.decoders(file, { start: 30 }), 0);
  assertStrictEquals(await studio.decoders(file, { start: 1 }), 1);
  const none = new Studio(0);
  for (let round = 0; round < 2; round++) assertStrictEquals(await none.decoders(file), 1);
});

Deno.test("SharedRenditions.open() refuses to share what does not start the same twice", async () => {
  using _old = changedAt(() => LONG_AGO);
  const studio = new Studio(100_000);
  const file = await oldFile("unsteady.mkv");
  let begins = 0;
  studio.make = () => new FakeSource(TEN.slice(begins));
  const ask = async () => {
    await using source = await studio.open(file, {}, studio.opening({ speed: 0 }));
    return (await allOf(source)).length;
  };
  assertStrictEquals(await ask(), 10);
  begins = 1;
  const error = await assertRejects(ask, RequestError);
  assertStrictEquals(error.code, "media_error");
  assertStrictEquals(studio.renditions.taken, 0);
  for (let round = 0; round < 2; round++) {
    assertStrictEquals(await ask(), 9);
    begins = 1 - begins;
    assertStrictEquals(await ask(), 10);
    begins = 1 - begins;
  }
});

Deno.test("SharedRenditions.open() does not go on with a file that has replaced its own", async () => {
  using _old = changedAt(() => LONG_AGO);
  const studio = new Studio(100_000);
  const file = await oldFile("replaced.mkv");
  const opening = studio.opening({ speed: 0 });
  await studio.decoders(file, {}, opening);
  const open = async (signal: AbortSignal) => {
    await Deno.rename(await folder.write("new.mkv", "media"), file.path);
    return await opening.open(signal);
  };
  await using replayed = await studio.open(file, {}, { ...opening, open });
  const given: number[] = [];
  const error = await assertRejects(async () => {
    for await (const { timestamp } of replayed.frames()) given.push(timestamp);
  }, RequestError);
  assertEquals(given, [0, 1, 2]);
  assertEquals([error.code, studio.opened.at(-1)?.isOpen], ["media_error", false]);
  assertStrictEquals(
    error.message,
    'Cannot go on with "replaced.mkv": the file was replaced while it was sent, ask again',
  );
});

Deno.test("SharedRenditions.open() postpones the frames that it had to wait for", async () => {
  using _old = changedAt(() => LONG_AGO);
  const studio = new Studio(100_000);
  const file = await oldFile("slow.mkv");
  await studio.decoders(file, {}, studio.opening({ speed: 0 }));
  studio.postponed.length = 0;
  const opening = Promise.withResolvers<FrameSource>();
  await using source = await studio.open(file, {}, studio.opening({ open: () => opening.promise }));
  const given = source.frames();
  assertEquals(await take(given, 3), [0, 1, 2]);
  const next = given.next();
  const since = performance.now();
  while (performance.now() < since + 5);
  opening.resolve(new FakeSource(TEN));
  assertStrictEquals((await next).value?.timestamp, 3);
  assertEquals(studio.postponed, [0.001]);
  await given.return(undefined);
});

Deno.test("SharedRenditions.open() tells all readers of a failure, after the frames before it", async () => {
  using _old = changedAt(() => LONG_AGO);
  const studio = new Studio(100_000);
  const file = await oldFile("failing.mkv");
  const failure = new RequestError("media_error", "Cannot decode");
  studio.make = () => new FakeSource(TEN.slice(0, 6), { failure });
  const readers = await Promise.all([1, 2, 3].map(() => studio.open(file)));
  for (const reader of readers) {
    const given: number[] = [];
    const error = await assertRejects(async () => {
      for await (const { timestamp } of reader.frames()) given.push(timestamp);
    }, RequestError);
    assertEquals([given, error], [[0, 1, 2, 3, 4, 5], failure]);
  }
  for (const reader of readers) await reader[Symbol.asyncDispose]();
  assertEquals([studio.opened.length, studio.slots.taken, studio.renditions.taken], [1, 0, 0]);
  // The next one does not begin with those frames.
  studio.make = () => new FakeSource(TEN);
  assertStrictEquals(await studio.decoders(file), 1);
});

Deno.test("SharedRenditions.open() tells all who wait if a decoder does not open", async () => {
  using _old = changedAt(() => LONG_AGO);
  const studio = new Studio(100_000);
  const file = await oldFile("closed.mkv");
  const open = () => Promise.reject(new RequestError("media_error", "Cannot open"));
  const opening = studio.opening({ open });
  const asked = [1, 2].map(() => studio.open(file, {}, opening));
  await Promise.all(asked.map((one) => assertRejects(() => one, RequestError, "Cannot open")));
  assertStrictEquals(studio.slots.taken, 0);
  assertStrictEquals(await studio.decoders(file), 1);
});

Deno.test("SharedRenditions.open() keeps nothing that FFmpeg complains about", async () => {
  using _old = changedAt(() => LONG_AGO);
  const studio = new Studio(100_000);
  const file = await oldFile("damaged.mkv");
  studio.make = () => {
    const source = coded()();
    source.warning = "damaged";
    return source;
  };
  const readers = await Promise.all([1, 2].map(() => studio.open(file)));
  for (const reader of readers) {
    assertStrictEquals((await allOf(reader)).length, 30);
    assertStrictEquals(reader.warning, "damaged");
  }
  assertStrictEquals(studio.opened.length, 1);
  for (const reader of readers) await reader[Symbol.asyncDispose]();
  assertStrictEquals(studio.renditions.taken, 0);
  assertStrictEquals(await studio.decoders(file), 1);
});

Deno.test("SharedRenditions.open() gives one slot to all who wait for the same rendition", async () => {
  using _old = changedAt(() => LONG_AGO);
  const studio = new Studio(100_000);
  const file = await oldFile("queued.mkv");
  const { signal } = new AbortController();
  const taken = [await studio.slots.take({ signal }), await studio.slots.take({ signal })];
  const asked = [studio.open(file), studio.open(file)];
  while (studio.slots.waiting < 2) await new Promise((resolve) => setTimeout(resolve));
  taken[0][Symbol.dispose]();
  const readers = await Promise.all(asked);
  assertEquals([studio.slots.waiting, studio.slots.taken], [0, 2]);
  for (const frames of await Promise.all(readers.map(allOf))) {
    assertEquals(frames.map(plain), TEN.map(plain));
  }
  assertStrictEquals(studio.opened.length, 1);
  for (const reader of readers) await reader[Symbol.asyncDispose]();
  taken[1][Symbol.dispose]();
  assertStrictEquals(studio.slots.taken, 0);
});

Deno.test("SharedRenditions.open() ends while it waits for a slot that it would need later", async () => {
  using _old = changedAt(() => LONG_AGO);
  const studio = new Studio(100_000);
  const file = await oldFile("leaving.mkv");
  await studio.decoders(file, {}, studio.opening({ speed: 0 }));
  const { signal } = new AbortController();
  const taken = [await studio.slots.take({ signal }), await studio.slots.take({ signal })];
  const source = await studio.open(file, {}, studio.opening({ isStart: false }));
  assertEquals(await take(source.frames(), 3), [0, 1, 2]);
  assertStrictEquals(studio.slots.waiting, 1);
  await source[Symbol.asyncDispose]();
  assertEquals([studio.slots.waiting, studio.opened.length], [0, 1]);
  for (const slot of taken) slot[Symbol.dispose]();
});
