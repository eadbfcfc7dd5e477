import { assertEquals, assertStrictEquals } from "@std/assert";
import type { StreamDescription } from "../../../lib/media/frame.ts";
import { gridStart, partFrom, SoughtSource } from "../../../lib/sources/cache/sought.ts";
import type { MediaFile } from "../../../lib/sources/file/library.ts";
import type { MediaOptions } from "../../../lib/sources/file/plan.ts";
import { allOf, FakeSource, frameAt, PICTURES, SOUND } from "../../support/media/fake_source.ts";
import { changedAt, LONG_AGO, oldFile, Studio } from "../../support/media/studio.ts";
import { pureTest } from "../../support/pure_test.ts";

const CODED: StreamDescription = { ...PICTURES, codec: "h264" };

pureTest("partFrom() keeps the end of a part", () => {
  assertEquals(partFrom({ start: 1, duration: 4 }, 2), { start: 2, duration: 3 });
  assertEquals(partFrom({ audio: false }, 2), { audio: false, start: 2, duration: undefined });
  const options = { start: 0.1, duration: 0.7 };
  assertStrictEquals(partFrom(options, 0.1), options);
});

pureTest("gridStart() gives an even second, but none before the request", () => {
  assertEquals([0, 1.9, 2, 7.3].map((to) => gridStart(to, {})), [0, 0, 2, 6]);
  assertEquals([7.3, 9].map((to) => gridStart(to, { start: 7 })), [7, 8]);
  // A seek may lead to what precedes the request.
  assertEquals([5.5, 6.9].map((to) => gridStart(to, { start: 7 })), [4, 6]);
});

pureTest(
  "SoughtSource gives pictures from the keyframe on, and sound from just before",
  async () => {
    const both = Array.from({ length: 20 }, (_, at) => [frameAt(at), frameAt(at, { streamId: 1 })]);
    const source = new FakeSource(both.flat(), { streams: [CODED, SOUND] });
    const sought = new SoughtSource(source, { entry: { keyframe: 12 }, to: 1.5 });
    const timestamps = Map.groupBy(await allOf(sought), ({ streamId }) => streamId);
    assertEquals(timestamps.get(0)?.map(({ timestamp }) => timestamp), [
      12,
      13,
      14,
      15,
      16,
      17,
      18,
      19,
    ]);
    assertEquals(timestamps.get(1)?.map(({ timestamp }) => timestamp), [
      13,
      14,
      15,
      16,
      17,
      18,
      19,
    ]);
    await sought[Symbol.asyncDispose]();
    assertStrictEquals(source.isOpen, false);
  },
);

const CODED_OPTIONS: MediaOptions = { encoding: "h264" };

const FILM: MediaFile["info"] = {
  ...{ kind: "video", format: "matroska,webm", duration: 60 },
  video: {
    ...{ codec: "mpeg4", width: 4, height: 2, pixelFormat: "yuv420p", rotation: 0 },
    timeBase: [1, 10],
  },
};

/** Frames of a part that begins at a time, a keyframe every two seconds. */
function filmFrom(start: number, duration = 60): FakeSource {
  const frames = Array.from({ length: 10 * (duration - start) }, (_, at) => ({
    ...frameAt(at),
    data: new Uint8Array([at % 256]),
    keyframe: at % 20 === 0,
  }));
  return new FakeSource(frames, { streams: [CODED] });
}

/** Waits until encoders are as far ahead as they may be. */
async function workedAhead({ renditions }: Studio): Promise<void> {
  for (let before = -1; before !== renditions.taken;) {
    before = renditions.taken;
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve));
  }
}

Deno.test("SharedRenditions.seek() begins at the keyframe before, in what others have made", async () => {
  using _old = changedAt(() => LONG_AGO);
  const studio = new Studio(10_000_000);
  const file = { ...await oldFile("film.mkv"), info: FILM };
  const opened: number[] = [];
  const toOpening = ({ start = 0 }: MediaOptions) =>
    studio.opening({
      isStart: false,
      open: () => {
        opened.push(start);
        return Promise.resolve(filmFrom(start));
      },
    });
  const seek = async (to: number) => {
    const { source, from } = await studio.renditions.seek(
      { file, options: CODED_OPTIONS },
      to,
      toOpening,
    );
    const { value } = await source.frames().next();
    return { source, at: [from, value?.timestamp, value?.keyframe] };
  };
  const first = await studio.renditions.open({ file, options: CODED_OPTIONS }, toOpening({}));
  const given = first.frames();
  for (let count = 0; count < 60; count++) await given.next();
  await workedAhead(studio);
  const inMemory = await seek(5.5);
  assertEquals(inMemory.at, [0, 40, true]);
  const far = await seek(51.3);
  assertEquals(far.at, [50, 0, true]);
  await workedAhead(studio);
  const near = await seek(52.5);
  assertEquals(near.at, [50, 20, true]);
  assertEquals(opened, [0, 50]);
  for (const { source } of [inMemory, far, near]) await source[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
  assertEquals([studio.slots.taken, studio.slots.waiting], [0, 0]);
  // A viewer in a hurry has frames of its own, from its time on.
  const hurried = await studio.renditions.seek({ file, options: CODED_OPTIONS }, 51.3, (part) => ({
    ...toOpening(part),
    pacer: { ...studio.opening().pacer, speed: 0 },
  }));
  assertStrictEquals(hurried.from, 51.3);
  await hurried.source[Symbol.asyncDispose]();
});

/** Viewers of a film in H.264, and the encoders that were started for them. */
class Cinema {
  readonly studio = new Studio(100_000_000, { decoders: 10 });
  readonly encoders: { start: number; source: FakeSource }[] = [];
  /** Encoders that were open at the same time, at most. */
  most = 0;
  #file: MediaFile;

  private constructor(file: MediaFile) {
    this.#file = file;
  }

  static async of(duration: number): Promise<Cinema> {
    const file = await oldFile(`film of ${duration} s.mkv`);
    return new Cinema({ ...file, info: { ...FILM, duration } });
  }

  /** The times at which encoders were started. */
  get starts(): number[] {
    return this.encoders.map(({ start }) => start);
  }

  toOpening = ({ start = 0 }: MediaOptions) =>
    this.studio.opening({ isStart: false, open: () => Promise.resolve(this.#start(start)) });

  get parts() {
    return { file: this.#file, options: CODED_OPTIONS };
  }

  /** Seeks, and takes so many frames. */
  async seek(to: number, count: number) {
    const sought = await this.studio.renditions.seek(this.parts, to, this.toOpening);
    const frames = sought.source.frames();
    for (let at = 0; at < count; at++) await frames.next();
    return { ...sought, frames };
  }

  #start(start: number): FakeSource {
    const source = filmFrom(start, this.#file.info.duration);
    this.encoders.push({ start, source });
    this.most = Math.max(this.most, this.encoders.filter(({ source }) => source.isOpen).length);
    return source;
  }
}

Deno.test("SharedRenditions.seek() has four encoders at most, and ends one that is far ahead", async () => {
  using _old = changedAt(() => LONG_AGO);
  const cinema = await Cinema.of(600);
  const { encoders, studio } = cinema;
  const viewers = await Promise.all([0, 100, 200, 300, 400, 500].map(async (to) => {
    const viewer = await cinema.seek(to, 1);
    assertStrictEquals(viewer.from, to);
    return viewer;
  }));
  assertEquals([cinema.most, encoders.length], [4, 6]);
  // Those that were ended are so far ahead that their viewers go on without one.
  const ended = encoders.filter(({ source }) => !source.isOpen);
  assertEquals(ended.map(({ source }) => source.given >= 100), [true, true]);
  for (const { frames } of viewers) {
    for (let at = 1; at < 50; at++) {
      assertStrictEquals((await frames.next()).value?.timestamp, at);
    }
  }
  assertStrictEquals(encoders.length, 6);
  for (const { source } of viewers) await source[Symbol.asyncDispose]();
  assertEquals([studio.slots.taken, studio.slots.waiting], [0, 0]);
});

Deno.test("SharedRenditions.seek() does not take an encoder that begins behind its target", async () => {
  using _old = changedAt(() => LONG_AGO);
  const studio = new Studio(10_000_000);
  const parts = { file: { ...await oldFile("back.mkv"), info: FILM }, options: CODED_OPTIONS };
  const later = Promise.withResolvers<FakeSource>();
  const isStarting = Promise.withResolvers<void>();
  const toOpening = ({ start = 0 }: MediaOptions) =>
    studio.opening({
      isStart: false,
      open: () => {
        if (start !== 50) return Promise.resolve(filmFrom(start));
        isStarting.resolve();
        return later.promise;
      },
    });
  const forth = studio.renditions.seek(parts, 51, toOpening);
  await isStarting.promise;
  const back = await studio.renditions.seek(parts, 20, toOpening);
  assertStrictEquals(back.from, 20);
  later.resolve(filmFrom(50));
  assertStrictEquals((await forth).from, 50);
  for (const { source } of [back, await forth]) await source[Symbol.asyncDispose]();
});

Deno.test("SharedRenditions.seek() leaves an encoder whose viewer has come far", async () => {
  using _old = changedAt(() => LONG_AGO);
  const cinema = await Cinema.of(600);
  // Another encoder would take half a minute to make as much again.
  const far = await cinema.seek(0, 1500);
  const others = [];
  for (const to of [300, 400, 500]) others.push(await cinema.seek(to, 1));
  await workedAhead(cinema.studio);
  others.push(await cinema.seek(200, 1));
  for (let at = 0; at < 400; at++) await far.frames.next();
  assertEquals(cinema.starts, [0, 300, 400, 500, 200]);
  for (const { source } of [far, ...others]) await source[Symbol.asyncDispose]();
});

Deno.test("SharedRenditions.seek() goes on from what is kept only if more can follow in time", async () => {
  using _old = changedAt(() => LONG_AGO);
  const cinema = await Cinema.of(600);
  const first = await cinema.studio.renditions.open(cinema.parts, cinema.toOpening({}));
  const frames = first.frames();
  for (let at = 0; at < 3000; at++) await frames.next();
  await workedAhead(cinema.studio);
  // Its encoder ends with it.
  await first[Symbol.asyncDispose]();
  const seek = async (to: number) => {
    const { source, from } = await cinema.seek(to, 300);
    await source[Symbol.asyncDispose]();
    return from;
  };
  // All up to 330 s is kept, and an encoder from the beginning takes 66 s to get there.
  assertEquals([await seek(295), await seek(100)], [294, 0]);
  assertEquals(cinema.starts, [0, 294]);
});

/** Has timers of so many milliseconds never fire. */
function endless(milliseconds: number): Disposable {
  const { setTimeout } = globalThis;
  const changed = (action: () => void, after?: number) =>
    after === milliseconds ? 0 : setTimeout(action, after);
  globalThis.setTimeout = changed as typeof setTimeout;
  return { [Symbol.dispose]: () => void (globalThis.setTimeout = setTimeout) };
}

Deno.test("SharedRenditions.seek() does not wait for encoders that can make no room", async () => {
  using _old = changedAt(() => LONG_AGO);
  const cinema = await Cinema.of(3000);
  // All have come so far that their viewers cannot do without them.
  const viewers = [];
  for (const to of [0, 500, 1000, 1500]) viewers.push(await cinema.seek(to, 1500));
  await workedAhead(cinema.studio);
  using _patience = endless(5000);
  viewers.push(await cinema.seek(2000, 1));
  for (const { source } of viewers) await source[Symbol.asyncDispose]();
});
