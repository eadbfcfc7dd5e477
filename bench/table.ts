import { isMet, type Row } from "./measurement.ts";
import { keyOf } from "./recorded.ts";

const TITLES = ["what", "unit", "ours", "other", "ratio", "goal", "met", "recorded"];

/** How many of the columns are text, and begin at the left. */
const TEXT_COLUMNS = 2;

/** Writes rows as a table with aligned columns, one line each, and what ours is held against. */
export function renderTable(rows: readonly Row[]): string {
  const isRecorded = rows.some(({ recorded }) => recorded !== undefined);
  const titles = isRecorded ? TITLES : TITLES.slice(0, -1);
  const cells = [titles, ...rows.map(toCells)];
  const widths = titles.map((_, column) => Math.max(...cells.map((line) => line[column].length)));
  const lines = cells.map((line) =>
    widths.map((width, column) =>
      column < TEXT_COLUMNS ? line[column].padEnd(width) : line[column].padStart(width)
    ).join("  ").trimEnd()
  );
  return lines.map((line) => `${line}\n`).join("");
}

function toCells(row: Row): string[] {
  const { unit, ours, other, ratio, goal, recorded } = row;
  const met = isMet(row);
  return [
    keyOf(row),
    unit,
    format(ours),
    other === undefined ? "" : format(other),
    ratio === undefined ? "" : ratio.toFixed(2),
    goal === undefined ? "" : `${SIGNS[goal.relation]} ${Number(goal.value.toFixed(1))}`,
    met === undefined ? "" : met ? "yes" : "no",
    recorded === undefined ? "" : ratio === undefined ? format(recorded) : recorded.toFixed(2),
  ];
}

const SIGNS = { "at least": "≥", "above": ">", "at most": "≤", "below": "<" };

/** Three figures that count, as far as there are so many. */
function format(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}
