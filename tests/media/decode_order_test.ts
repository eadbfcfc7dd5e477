import { assertEquals } from "@std/assert";
import { DecodeOrder } from "../../lib/media/pacer.ts";
import { pureTest } from "../support/pure_test.ts";

/** Moments of frames in the order of decoding, and the moments at which each is due. */
function duesOf(delay: number, moments: readonly number[]): number[] {
  const order = new DecodeOrder<number>(delay);
  const given = moments.flatMap((moment) => order.add(moment, moment));
  const all = [...given, ...order.end()];
  assertEquals(all.map(({ item }) => item), moments, "the order stays");
  return all.map(({ due }) => due);
}

pureTest("DecodeOrder.add() leaves frames as they are that come in order", () => {
  assertEquals(duesOf(0, [0, 1, 2, 5, 5.5]), [0, 1, 2, 5, 5.5]);
});

pureTest("DecodeOrder.add() gives frames the earliest unused presentation time", () => {
  assertEquals(duesOf(1, [0, 3, 1, 2, 6, 4, 5]), [0, 0, 1, 2, 3, 4, 5]);
  assertEquals(duesOf(2, [0, 4, 2, 1, 3, 8, 6, 5, 7]), [0, 0, 0, 1, 2, 3, 4, 5, 6]);
});

pureTest(
  "DecodeOrder.add() starts with the earliest time if earlier frames follow the first one",
  () => {
    assertEquals(duesOf(1, [2, 0, 1, 5, 3, 4]), [0, 0, 1, 2, 3, 4]);
  },
);

pureTest("DecodeOrder.add() never goes back, and has all before 0 due at once", () => {
  assertEquals(duesOf(0, [-2, -1, 0.5, 0.4, 1]), [0, 0, 0.5, 0.5, 1]);
});

pureTest("DecodeOrder.end() returns the frames held back", () => {
  assertEquals(duesOf(4, [1, 3, 2]), [1, 1, 1]);
  assertEquals(duesOf(4, []), []);
});
