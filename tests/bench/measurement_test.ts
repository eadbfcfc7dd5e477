import { assertAlmostEquals, assertEquals } from "@std/assert";
import { compared, isMet, type Row } from "../../bench/measurement.ts";

function test(name: string, fn: () => void): void {
  Deno.test({ name, permissions: "none", fn });
}

const ROW: Row = { what: "w", unit: "u", ours: 3, other: 2, ratio: 1.5 };

test("isMet() looks at the figure and the relation that the goal names", () => {
  assertEquals(isMet(ROW), undefined);
  assertEquals(isMet({ ...ROW, goal: { of: "ratio", relation: "at least", value: 1.5 } }), true);
  assertEquals(isMet({ ...ROW, goal: { of: "ratio", relation: "above", value: 1.5 } }), false);
  assertEquals(isMet({ ...ROW, goal: { of: "ours", relation: "at most", value: 3 } }), true);
  assertEquals(isMet({ ...ROW, goal: { of: "ours", relation: "below", value: 3 } }), false);
});

test("isMet() takes a ratio that is missing for one that is not reached", () => {
  const goal = { of: "ratio", relation: "at most", value: 9 } as const;
  assertEquals(isMet({ what: "w", unit: "u", ours: 1, goal }), false);
});

test("compared() gives medians, and the median of the rounds' own ratios", () => {
  const row = compared({ ours: [10, 30, 40], other: [20, 30, 10] }, { what: "w", unit: "u" });
  assertEquals([row.ours, row.other], [30, 20]);
  assertAlmostEquals(row.ratio ?? NaN, 1);
});
