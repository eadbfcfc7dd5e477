import { assertAlmostEquals, assertEquals } from "@std/assert";
import { compared, isMet, measured, type Row, spreadOf } from "../../bench/measurement.ts";
import { pureTest } from "../support/pure_test.ts";

const ROW: Row = {
  ...{ what: "w", unit: "u", ours: 3, other: 2, ratio: 1.5 },
  rounds: { ours: [3], other: [2] },
};

pureTest("isMet() looks at the figure and the relation that the goal names", () => {
  assertEquals(isMet(ROW), undefined);
  assertEquals(isMet({ ...ROW, goal: { of: "ratio", relation: "at least", value: 1.5 } }), true);
  assertEquals(isMet({ ...ROW, goal: { of: "ratio", relation: "above", value: 1.5 } }), false);
  assertEquals(isMet({ ...ROW, goal: { of: "ours", relation: "at most", value: 3 } }), true);
  assertEquals(isMet({ ...ROW, goal: { of: "ours", relation: "below", value: 3 } }), false);
});

pureTest("isMet() takes a ratio that is missing for one that is not reached", () => {
  const goal = { of: "ratio", relation: "at most", value: 9 } as const;
  assertEquals(isMet({ ...ROW, ratio: undefined, goal }), false);
});

pureTest("compared() gives medians, and the median of the rounds' own ratios", () => {
  const row = compared({ ours: [10, 30, 40], other: [20, 30, 10] }, { what: "w", unit: "u" });
  assertEquals([row.ours, row.other], [30, 20]);
  assertAlmostEquals(row.ratio ?? NaN, 1);
});

pureTest("measured() and compared() keep the figures of all rounds", () => {
  const rounds = { ours: [1, 2, 9], other: [2, 2, 3] };
  assertEquals(compared(rounds, { what: "w", unit: "u" }).rounds, rounds);
  assertEquals(measured({ ours: [4, 2] }, { what: "w", unit: "u" }).rounds, { ours: [4, 2] });
});

pureTest("spreadOf() tells how far rounds lie apart, of each figure that there is", () => {
  const ours = { min: 10, lower: 20, upper: 40, max: 50 };
  const alone = measured({ ours: [50, 10, 30, 20, 40] }, { what: "w", unit: "u" });
  assertEquals(spreadOf(alone), { ours });
  const other = { min: 10, lower: 10, upper: 10, max: 10 };
  const ratio = { min: 1, lower: 2, upper: 4, max: 5 };
  const rounds = { ours: [50, 10, 30, 20, 40], other: [10, 10, 10, 10, 10] };
  assertEquals(spreadOf(compared(rounds, { what: "w", unit: "u" })), { ours, other, ratio });
  assertEquals(spreadOf(measured(rounds, { what: "w", unit: "u" })), { ours, other });
});
