import { assert, assertEquals, assertLess, assertRejects, assertStrictEquals } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import type { FrameSource } from "../../../lib/media/source.ts";
import { StartCache } from "../../../lib/sources/cache/start_cache.ts";
import { stateOf } from "../../../lib/sources/file/file_state.ts";
import type { MediaFile } from "../../../lib/sources/file/library.ts";
import type { MediaOptions } from "../../../lib/sources/file/plan.ts";
import { allOf, FakeSource, frameAt } from "../../support/media/fake_source.ts";
import { mediaFolder } from "../../support/media/media_folder.ts";

const folder = mediaFolder();

const TEN = Array.from({ length: 10 }, (_, at) => frameAt(at));
const PACER = { lateness: () => 0, postpone: () => {} };

/** Milliseconds since 1970, long ago. */
const LONG_AGO = 1e12;

/** A file that was last changed long ago, by what the system is said to tell of it. */
async function oldFile(name: string): Promise<MediaFile> {
  const path = await folder.write(name, "media");
  const state = stateOf(await Deno.stat(path));
  return { name, path, size: 5, state, info: { kind: "video", format: "matroska,webm" } };
}

/** Has the system say of all files that they were changed at some time. */
function changedAt(milliseconds: () => number): Disposable {
  const { stat } = Deno;
  Deno.stat = async (path) => ({ ...await stat(path), ctime: new Date(milliseconds()) });
  return { [Symbol.dispose]: () => void (Deno.stat = stat) };
}

/** Opens a response and takes all of it; whether it started from the cache. */
async function played(startCache: StartCache, file: MediaFile, options: MediaOptions = {}) {
  let opened = 0;
  const open = () => {
    opened++;
    return Promise.resolve(new FakeSource(TEN));
  };
  await using source = await startCache.open({ file, options }, { open, pacer: PACER });
  const isReplayed = opened === 0;
  assertEquals(await allOf(source), TEN);
  assertStrictEquals(opened, 1);
  return isReplayed;
}

Deno.test("StartCache.open() knows a response by the file's state and all options", async () => {
  using _old = changedAt(() => LONG_AGO);
  let hits = 0;
  const startCache = new StartCache(100_000, () => hits++);
  const file = await oldFile("known.mkv");
  assertStrictEquals(await played(startCache, file), false);
  assertStrictEquals(await played(startCache, file), true);
  assertStrictEquals(await played(startCache, file, { start: undefined }), true);
  assertStrictEquals(await played(startCache, file, { duration: 2, start: 1 }), false);
  assertStrictEquals(await played(startCache, file, { start: 1, duration: 2 }), true);
  assertStrictEquals(await played(startCache, file, { start: 1, duration: 3 }), false);
  assertStrictEquals(await played(startCache, { ...file, path: `${file.path}2` }), false);
  const state = { ...file.state!, stamp: "another" };
  assertStrictEquals(await played(startCache, { ...file, state }), false);
  const moved = { ...file.state!, identity: "another" };
  assertStrictEquals(await played(startCache, { ...file, state: moved }), false);
  assertStrictEquals(hits, 3);
});

Deno.test("StartCache.open() records nothing of a file that changes, or just has", async () => {
  const startCache = new StartCache(100_000);
  let changed = LONG_AGO;
  using _changing = changedAt(() => changed);
  const file = await oldFile("changing.mkv");
  changed++;
  for (let round = 0; round < 3; round++) {
    assertStrictEquals(await played(startCache, file), false);
  }
  changed = Date.now() + 1000;
  const fresh = await oldFile("fresh.mkv");
  for (let round = 0; round < 3; round++) {
    assertStrictEquals(await played(startCache, fresh), false);
  }
  assertStrictEquals(startCache.taken, 0);
  assertStrictEquals(await played(startCache, { ...file, state: undefined }), false);
});

Deno.test("StartCache.open() of two at once records one, and decodes for the other", async () => {
  using _old = changedAt(() => LONG_AGO);
  const startCache = new StartCache(100_000);
  const file = await oldFile("two.mkv");
  const open = () => Promise.resolve(new FakeSource(TEN));
  const sources = [
    await startCache.open({ file, options: {} }, { open, pacer: PACER }),
    await startCache.open({ file, options: {} }, { open, pacer: PACER }),
  ];
  const taken = startCache.taken;
  for (const frames of await Promise.all(sources.map(allOf))) assertEquals(frames, TEN);
  assertLess(startCache.taken, taken + 2000);
  assertStrictEquals(await played(startCache, file), true);
});

Deno.test("StartCache.open() takes no more memory than it may, whatever is asked for", async () => {
  using _old = changedAt(() => LONG_AGO);
  const limit = 20_000;
  const startCache = new StartCache(limit);
  const file = await oldFile("much.mkv");
  for (let start = 1; start <= 30; start++) {
    assertStrictEquals(await played(startCache, file, { start }), false);
    assert(startCache.taken <= limit);
  }
  assertStrictEquals(await played(startCache, file, { start: 30 }), true);
  assertStrictEquals(await played(startCache, file, { start: 1 }), false);
  const none = new StartCache(0);
  for (let round = 0; round < 2; round++) assertStrictEquals(await played(none, file), false);
});

Deno.test("StartCache.open() refuses to record what does not start the same twice", async () => {
  using _old = changedAt(() => LONG_AGO);
  const startCache = new StartCache(100_000);
  const file = await oldFile("unsteady.mkv");
  let begins = 0;
  const ask = async () => {
    const open = () => Promise.resolve(new FakeSource(TEN.slice(begins)));
    await using source = await startCache.open({ file, options: {} }, { open, pacer: PACER });
    return (await allOf(source)).length;
  };
  assertStrictEquals(await ask(), 10);
  begins = 1;
  const error = await ask().catch((error) => error);
  assertStrictEquals(error.code, "media_error");
  for (let round = 0; round < 2; round++) {
    assertStrictEquals(await ask(), 9);
    begins = 1 - begins;
    assertStrictEquals(await ask(), 10);
    begins = 1 - begins;
  }
});

Deno.test("StartCache.open() does not go on with a file that has replaced its own", async () => {
  using _old = changedAt(() => LONG_AGO);
  const startCache = new StartCache(100_000);
  const file = await oldFile("replaced.mkv");
  await played(startCache, file);
  const source = new FakeSource(TEN);
  const open = async () => {
    await Deno.rename(await folder.write("new.mkv", "media"), file.path);
    return source;
  };
  await using replayed = await startCache.open({ file, options: {} }, { open, pacer: PACER });
  const given: number[] = [];
  const error = await assertRejects(async () => {
    for await (const { timestamp } of replayed.frames()) given.push(timestamp);
  }, RequestError);
  assertEquals(given, [0, 1, 2]);
  assertEquals([error.code, source.isOpen], ["media_error", false]);
  assertStrictEquals(
    error.message,
    'Cannot go on with "replaced.mkv": the file was replaced while it was sent, ask again',
  );
});

Deno.test("StartCache.open() postpones the frames that it had to wait for", async () => {
  using _old = changedAt(() => LONG_AGO);
  const startCache = new StartCache(100_000);
  const file = await oldFile("slow.mkv");
  await played(startCache, file);
  const opening = Promise.withResolvers<FrameSource>();
  const asked: number[] = [];
  const postponed: number[] = [];
  const pacer = {
    lateness: (due: number) => asked.push(due) * 0.001,
    postpone: (seconds: number) => void postponed.push(seconds),
  };
  const open = () => opening.promise;
  await using source = await startCache.open({ file, options: {} }, { open, pacer });
  const frames = source.frames();
  for (let count = 0; count < 3; count++) await frames.next();
  const next = frames.next();
  const since = performance.now();
  while (performance.now() < since + 5);
  opening.resolve(new FakeSource(TEN));
  assertStrictEquals((await next).value?.timestamp, 3);
  assertEquals([asked, postponed], [[0.3], [0.001]]);
  await frames.return(undefined);
});

Deno.test("StartCache.whole() returns only responses that are cached whole", async () => {
  using _old = changedAt(() => LONG_AGO);
  let hits = 0;
  const startCache = new StartCache(100_000, () => hits++);
  const file = await oldFile("whole.png");
  const still = { file, options: { still: true } };
  assertStrictEquals(startCache.whole(still), undefined);
  const open = () => Promise.resolve(new FakeSource(TEN.slice(0, 1)));
  await allOf(await startCache.open(still, { open, pacer: PACER }));
  await played(startCache, file);
  assertStrictEquals(startCache.whole({ file, options: {} }), undefined);
  await using known = startCache.whole(still);
  assertEquals(known && await allOf(known), TEN.slice(0, 1));
  assertStrictEquals(hits, 1);
});
