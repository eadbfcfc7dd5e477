import { assertEquals } from "@std/assert";
import type { Row } from "../../bench/measurement.ts";
import { keyOf, withRecorded } from "../../bench/recorded.ts";
import { renderTable } from "../../bench/table.ts";

function test(name: string, fn: () => void): void {
  Deno.test({ name, permissions: "none", fn });
}

const ROWS: Row[] = [
  {
    ...{ what: "raw", unit: "frames/s", ours: 247.4, other: 341.2, ratio: 0.725, against: "it" },
    goal: { of: "ratio", relation: "at least", value: 1 },
  },
  { what: "latency", unit: "ms", ours: 1.234, goal: { of: "ours", relation: "below", value: 5 } },
];

test("renderTable() aligns columns, and says what is compared and whether goals are met", () => {
  assertEquals(
    renderTable(ROWS),
    "what             unit      ours  other  ratio  goal  met\n" +
      "raw (other: it)  frames/s   247    341   0.72   ≥ 1   no\n" +
      "latency          ms        1.23                 < 5  yes\n",
  );
});

test("renderTable() shows beside each row what was recorded of it, where there is any", () => {
  const rows = withRecorded(ROWS, { [keyOf(ROWS[0])]: 0.9, "gone": 1 });
  assertEquals(
    renderTable(rows),
    "what             unit      ours  other  ratio  goal  met  recorded\n" +
      "raw (other: it)  frames/s   247    341   0.72   ≥ 1   no      0.90\n" +
      "latency          ms        1.23                 < 5  yes\n",
  );
});
