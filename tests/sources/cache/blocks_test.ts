import { assert, assertEquals, assertLess, assertStrictEquals } from "@std/assert";
import {
  Block,
  type BlockKind,
  type BlockOrigin,
  BlockStore,
  reaches,
} from "../../../lib/sources/cache/blocks.ts";
import { MemoryBudget } from "../../../lib/sources/limits.ts";
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

const LIMIT = 100_000;

/** A decoder that is said to run, or not, and its blocks. */
class Origin implements BlockOrigin {
  isLive: boolean;
  removed: Block[] = [];
  #count = 0;

  constructor(isLive = true) {
    this.isLive = isLive;
  }

  onRemoved(block: Block): void {
    this.removed.push(block);
  }

  /** A block of one frame. */
  block(kind: BlockKind, size: number): Block {
    const number = this.#count++;
    const block = new Block(this, { number, kind, first: new Map(), before: new Map() });
    block.add(frameAt(number % 10, { size }), 0);
    return block;
  }
}

/** Adds blocks of a kind, and gives them. */
function fill(store: BlockStore, origin: Origin, kind: BlockKind, sizes: number[]): Block[] {
  return sizes.map((size) => {
    const block = origin.block(kind, size);
    store.add(block);
    return block;
  });
}

/** Whether blocks are gone. */
const gone = (blocks: Block[]) => blocks.map(({ isGone }) => isGone);

pureTest("BlockStore removes the least recently used block first", () => {
  const store = new BlockStore({ limit: LIMIT });
  const origin = new Origin();
  const blocks = fill(store, origin, "packets", [20_000, 20_000, 20_000, 20_000]);
  store.touch(blocks[0]);
  const [newest] = fill(store, origin, "packets", [30_000]);
  assertEquals(gone([...blocks, newest]), [false, true, false, false, false]);
  assertEquals([origin.removed, blocks[1].length], [[blocks[1]], 0]);
  assertLess(store.taken, LIMIT + 1);
});

pureTest("BlockStore keeps starts of responses longer than what follows them", () => {
  const store = new BlockStore({ limit: LIMIT });
  const origin = new Origin();
  const [start] = fill(store, origin, "start", [30_000]);
  const following = fill(store, origin, "packets", [30_000, 30_000, 30_000, 30_000]);
  assertEquals(gone([start, ...following]), [false, true, true, false, false]);
  const starts = fill(store, origin, "start", [40_000, 40_000]);
  assertEquals(gone([start, ...following, ...starts]), [
    true,
    true,
    true,
    true,
    true,
    false,
    false,
  ]);
});

pureTest("BlockStore keeps what a reader has yet to read longer than what nobody waits for", () => {
  const origin = new Origin();
  const other = new Origin();
  const store = new BlockStore({ limit: LIMIT, unread: () => new Map([[origin, 1]]) });
  const read = fill(store, origin, "packets", [20_000, 20_000, 20_000]);
  const kept = fill(store, other, "packets", [20_000]);
  fill(store, other, "packets", [50_000]);
  assertEquals(gone([...read, ...kept]), [true, false, false, true]);
});

pureTest("BlockStore gives up raw frames of ended decoders first, and not too many at once", () => {
  const store = new BlockStore({ limit: LIMIT });
  const [ended, running] = [new Origin(false), new Origin()];
  const packets = fill(store, running, "packets", [20_000]);
  const old = fill(store, ended, "raw", [20_000]);
  const raw = fill(store, running, "raw", [20_000, 20_000, 20_000]);
  assertEquals(gone([...packets, ...old, ...raw]), [false, true, false, false, false]);
  // Half of the memory is enough for raw frames that nobody waits for.
  fill(store, running, "raw", [20_000]);
  assertEquals(gone([...packets, ...raw]), [false, true, false, false]);
});

pureTest("BlockStore counts what blocks grow by, and removes one that is too large itself", () => {
  const store = new BlockStore({ limit: LIMIT });
  const origin = new Origin();
  const [small, growing] = fill(store, origin, "packets", [1000, 1000]);
  const before = store.taken;
  for (const size of [30_000, 200_000]) {
    const { size: earlier } = growing;
    growing.add(frameAt(1, { size }), growing.length);
    store.grown(growing, growing.size - earlier);
  }
  assert(before > 2000);
  assertEquals([gone([small, growing]), store.taken], [[true, true], 0]);
  store.grown(growing, 1000);
  store.remove(growing);
  assertStrictEquals(store.taken, 0);
});

pureTest("BlockStore.demote() makes frames that follow of a start that is too large", () => {
  const store = new BlockStore({ limit: LIMIT });
  const origin = new Origin();
  const [large] = fill(store, origin, "start", [60_000]);
  assertLess(store.startLimit, large.size);
  store.demote(large, "raw");
  const [start] = fill(store, origin, "start", [45_000]);
  assertEquals(gone([large, start]), [true, false]);
});

pureTest("BlockStore of no size keeps nothing", () => {
  const store = new BlockStore({ limit: 0 });
  const blocks = fill(store, new Origin(), "start", [10, 20]);
  assertEquals([gone(blocks), store.taken], [[true, true], 0]);
});

pureTest("BlockStore borrows memory for what readers have yet to read, and gives it back", () => {
  const budget = new MemoryBudget(40e6);
  const origin = new Origin();
  let reading = 1;
  const store = new BlockStore({
    ...{ limit: 20e6, budget },
    unread: () => new Map(reading > 0 ? [[origin, reading]] : []),
  });
  const blocks = fill(store, origin, "raw", [8e6, 8e6, 8e6, 8e6, 8e6, 8e6]);
  assertEquals(gone(blocks), [true, false, false, false, false, false]);
  assertEquals([budget.taken, Math.round(store.taken / 1e6)], [32e6, 40]);
  // There is no more to borrow.
  blocks.push(...fill(store, origin, "raw", [8e6, 8e6]));
  assertEquals(gone(blocks).slice(0, 3), [true, true, false]);
  reading = 7;
  store.trim();
  assertEquals(gone(blocks).slice(0, 7), [true, true, true, true, true, true, false]);
  assertEquals([budget.taken, Math.round(store.taken / 1e6)], [0, 16]);
});

pureTest("BlockStore keeps no starts in borrowed memory", () => {
  const budget = new MemoryBudget(16e6);
  const origin = new Origin();
  let isRead = true;
  const store = new BlockStore({
    ...{ limit: 8e6, budget },
    unread: () => new Map(isRead ? [[origin, 0]] : []),
  });
  const unread = fill(store, origin, "packets", [4e6, 4e6]);
  const starts = fill(store, origin, "start", [3e6, 3e6, 3e6, 1000]);
  assertEquals([budget.taken, gone(unread)], [16e6, [false, false]]);
  assertEquals(gone(starts), [true, false, false, false]);
  isRead = false;
  store.trim();
  assertEquals([budget.taken, gone(unread)], [0, [true, true]]);
  assertEquals(gone(starts), [true, false, false, false]);
});

pureTest("BlockStore gives borrowed memory back when blocks are removed from outside", () => {
  const budget = new MemoryBudget(16e6);
  const origin = new Origin();
  const store = new BlockStore({
    ...{ limit: 8e6, budget },
    unread: () => new Map([[origin, 0]]),
  });
  const blocks = fill(store, origin, "packets", [6e6, 6e6]);
  assertEquals([budget.taken, gone(blocks)], [16e6, [false, false]]);
  store.remove(blocks[0]);
  assertEquals([budget.taken, gone(blocks)], [0, [true, false]]);
});
