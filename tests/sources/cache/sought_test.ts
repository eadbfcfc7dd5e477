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

const FILM: MediaFile["info"] = {
  ...{ kind: "video", format: "matroska,webm", duration: 60 },
  video: {
    ...{ codec: "mpeg4", width: 4, height: 2, pixelFormat: "yuv420p", rotation: 0 },
    timeBase: [1, 10],
  },
};

/** Frames of a part that begins at a time, a keyframe every two seconds. */
function filmFrom(start: number): FakeSource {
  const frames = Array.from({ length: 600 - 10 * start }, (_, at) => ({
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
  const options: MediaOptions = { encoding: "h264" };
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
    const { source, from } = await studio.renditions.seek({ file, options }, to, toOpening);
    const { value } = await source.frames().next();
    return { source, at: [from, value?.timestamp, value?.keyframe] };
  };
  const first = await studio.renditions.open({ file, options }, toOpening({}));
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
  const hurried = await studio.renditions.seek({ file, options }, 51.3, (part) => ({
    ...toOpening(part),
    pacer: { ...studio.opening().pacer, speed: 0 },
  }));
  assertStrictEquals(hurried.from, 51.3);
  await hurried.source[Symbol.asyncDispose]();
});
