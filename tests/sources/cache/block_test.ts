import { assertEquals, assertStrictEquals } from "@std/assert";
import { Block, reaches } from "../../../lib/sources/cache/blocks.ts";
import { frameAt } from "../../support/media/fake_source.ts";
import { pureTest } from "../../support/pure_test.ts";

const ORIGIN = { isLive: true, onRemoved: () => {} };

/** A block of two streams behind five frames of the first one. */
function block(): Block {
  const before = new Map([[0, { timestamp: 4, size: 8 }]]);
  const made = new Block(ORIGIN, { number: 1, kind: "packets", first: new Map([[0, 5]]), before });
  for (const [at, streamId] of [0, 0, 1, 0].entries()) {
    const index = [5, 6, 0, 7][at];
    made.add({ ...frameAt(index, { streamId }), keyframe: index !== 6 }, index);
  }
  return made;
}

pureTest("reaches() compares positions in every stream", () => {
  assertStrictEquals(reaches(new Map([[0, 2], [1, 1]]), new Map([[0, 2]])), true);
  assertStrictEquals(reaches(new Map([[0, 3]]), new Map([[0, 2], [1, 1]])), false);
  assertStrictEquals(reaches(new Map(), new Map()), true);
});

pureTest("Block.continues() goes by the frames of all streams", () => {
  const made = block();
  assertEquals([...made.end], [[0, 8], [1, 1]]);
  assertStrictEquals(made.continues(new Map([[0, 5]])), true);
  assertStrictEquals(made.continues(new Map([[0, 8]])), true);
  assertStrictEquals(made.continues(new Map([[0, 8], [1, 1]])), false);
  assertStrictEquals(made.continues(new Map([[0, 4]])), false);
  made.clear();
  assertStrictEquals(made.continues(new Map([[0, 5]])), false);
});

pureTest("Block.add() counts the whole memory of a frame", () => {
  const made = new Block(ORIGIN, { number: 0, kind: "raw", first: new Map(), before: new Map() });
  const frame = { ...frameAt(3), data: new Uint8Array(100).subarray(10, 90) };
  made.add(frame, 0);
  assertStrictEquals(made.at(0).frame, frame);
  assertStrictEquals(made.size, 1024 + 256 + 100);
});

pureTest(
  "Block.keys tells the latest frame of each stream, and whether its time is repeated",
  () => {
    const made = block();
    assertEquals([...made.keys], [
      [0, { timestamp: 7, size: 8, isRepeated: false }],
      [1, { timestamp: 0, size: 8, isRepeated: false }],
    ]);
    made.add(frameAt(7), 8);
    assertStrictEquals(made.keys.get(0)?.isRepeated, true);
    assertEquals(made.keyAt(0, 6), { timestamp: 6, size: 8 });
    assertStrictEquals(made.keyAt(1, 6), undefined);
  },
);

pureTest("Block.keyframeAt() finds the last keyframe up to a time", () => {
  const made = block();
  assertEquals([4, 5, 6, 7, 9].map((at) => made.keyframeAt(0, at)), [undefined, 5, 5, 7, 7]);
});
