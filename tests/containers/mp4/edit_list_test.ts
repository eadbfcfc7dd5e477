import { assertEquals, assertThrows } from "@std/assert";
import { UnindexedError } from "../../../lib/containers/mp4/boxes.ts";
import { applyEdits, delayOf } from "../../../lib/containers/mp4/edit_list.ts";
import type { SampleTable } from "../../../lib/containers/mp4/sample_table.ts";
import { pureTest } from "../../support/pure_test.ts";

const NORMAL = 1 << 16;

/** Ten packets of one tick, with keyframes at 0, 4 and 8. */
function table(delays?: readonly number[]): SampleTable {
  return {
    count: 10,
    offsets: Float64Array.from({ length: 10 }, (_, at) => 100 * at),
    sizes: new Uint32Array(10).fill(100),
    decodeTimes: Float64Array.from({ length: 10 }, (_, at) => at),
    delays: delays && Int32Array.from(delays),
    shift: 0,
    keyframes: Uint32Array.of(0, 4, 8),
  };
}

function edited(delays: readonly number[] | undefined, ...entries: readonly (readonly number[])[]) {
  const edits = entries.map(([duration, mediaTime, rate = NORMAL]) => ({
    duration,
    mediaTime,
    rate,
  }));
  const track = { edits, timescale: 10, movieTimescale: 1000, isAudio: false };
  const { table: { offsets, decodeTimes, keyframes }, ...rest } = applyEdits(table(delays), track);
  return {
    numbers: [...offsets].map((offset) => offset / 100),
    times: [...decodeTimes],
    keyframes: [...keyframes ?? []],
    ...rest,
  };
}

pureTest("applyEdits() leaves a track without an edit list as it is", () => {
  const { numbers, start, duration } = edited(undefined);
  assertEquals(numbers.length, 10);
  assertEquals([start, duration], [undefined, undefined]);
});

pureTest("applyEdits() begins at the keyframe before, and ends at the one behind", () => {
  const found = edited(undefined, [300, 5]);
  assertEquals(found.numbers, [4, 5, 6, 7, 8]);
  assertEquals(found.times, [-1, 0, 1, 2, 3]);
  assertEquals(found.keyframes, [0, 4]);
  assertEquals([found.start, found.duration], [0, 3]);
});

pureTest("applyEdits() ends two keyframes later if frames are reordered", () => {
  const delays = [2, 2, 2, 2, 2, 2, 2, 2, 2, 2];
  const found = edited(delays, [200, 2]);
  assertEquals(found.numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assertEquals(found.times[0], -2);
});

pureTest("applyEdits() delays a track by an empty edit", () => {
  const found = edited(undefined, [700, -1], [1000, 0]);
  assertEquals(found.times.slice(0, 2), [7, 8]);
  assertEquals([found.start, found.duration], [7, 17]);
});

pureTest("applyEdits() starts audio within a packet", () => {
  const { table: { decodeTimes, offsets } } = applyEdits(
    {
      ...table(),
      keyframes: undefined,
      decodeTimes: Float64Array.from({ length: 10 }, (_, at) => at * 1024),
    },
    {
      edits: [{ duration: 100, mediaTime: 1500, rate: NORMAL }],
      timescale: 48_000,
      movieTimescale: 1000,
      isAudio: true,
    },
  );
  assertEquals(offsets[0], 0);
  assertEquals([...decodeTimes.subarray(0, 3)], [-1500, -476, 548]);
});

pureTest("applyEdits() refuses what shows more than one part, nothing, or another speed", () => {
  const refused = (reason: string, ...entries: readonly (readonly number[])[]) =>
    assertThrows(() => edited(undefined, ...entries), UnindexedError, reason);
  refused("one part", [100, 0], [100, 5]);
  refused("one part", [100, -1]);
  refused("one part", [100, -5]);
  refused("speed", [100, 0, 2 * NORMAL]);
  refused("shows nothing", [0, 0]);
  refused("shows nothing", [100, 500]);
  refused("no end", [2 ** 50, 0]);
});

pureTest("delayOf() gives the length of the empty edit", () => {
  const track = { timescale: 90_000, movieTimescale: 1000, isAudio: true };
  assertEquals(delayOf({ ...track, edits: [] }), undefined);
  const edit = { duration: 100, mediaTime: 0, rate: NORMAL };
  assertEquals(delayOf({ ...track, edits: [edit] }), 0);
  assertEquals(delayOf({ ...track, edits: [{ ...edit, mediaTime: -1 }, edit] }), 9000);
});
