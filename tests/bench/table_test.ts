import { assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import type { Row } from "../../bench/measurement.ts";
import { keyOf, withRecorded } from "../../bench/recorded.ts";
import { renderTable } from "../../bench/table.ts";
import { pureTest } from "../support/pure_test.ts";

const RAW: Row = {
  ...{ what: "raw", unit: "fps", ours: 247.4, other: 341.2, ratio: 0.725, against: "it" },
  goal: { of: "ratio", relation: "at least", value: 1 },
  rounds: { ours: [247.4], other: [341.2] },
};

const ROWS: Row[] = [
  RAW,
  { ...RAW, what: "bgr24", goal: undefined },
  {
    ...{ what: "latency", unit: "ms", ours: 1.234, rounds: { ours: [1.234] } },
    goal: { of: "ours", relation: "below", value: 5 },
  },
];

pureTest(
  "renderTable() aligns columns, and says what is compared and whether goals are met",
  () => {
    const [table, legend] = renderTable(ROWS).split("\n\n");
    assertEquals(
      table,
      "what       unit  ours  other  ratio  goal  met\n" +
        "other: it\n" +
        "  raw      fps    247    341   0.72   ≥ 1   no\n" +
        "  bgr24    fps    247    341   0.72\n" +
        "by itself\n" +
        "  latency  ms    1.23                 < 5  yes",
    );
    assertStringIncludes(legend, "Higher is better\nfor fps");
  },
);

pureTest("renderTable() shows beside each row what was recorded of it, where there is any", () => {
  const rows = withRecorded(ROWS, { [keyOf(RAW)]: 0.9, "gone": 1 });
  assertEquals(
    renderTable(rows).split("\n\n")[0],
    "what       unit  ours  other  ratio  goal  met  recorded\n" +
      "other: it\n" +
      "  raw      fps    247    341   0.72   ≥ 1   no      0.90\n" +
      "  bgr24    fps    247    341   0.72\n" +
      "by itself\n" +
      "  latency  ms    1.23                 < 5  yes",
  );
});

pureTest("keyOf() knows what ours alone is recorded of, whatever it was held against", () => {
  const alone: Row = { what: "memory", unit: "MB", ours: 1, rounds: { ours: [1] } };
  assertEquals(keyOf({ ...alone, other: 2, against: "it" }), keyOf(alone));
  assertNotEquals(keyOf({ ...RAW, against: "another" }), keyOf(RAW));
});
