import { isMet, type Row } from "./measurement.ts";

const TITLES = ["what", "unit", "ours", "other", "ratio", "goal", "met"];

/** How many of the columns are text, and begin at the left. */
const TEXT_COLUMNS = 2;

/** Writes rows as a table with aligned columns, one line each, and what ours is held against. */
export function renderTable(rows: readonly Row[]): string {
  const cells = [TITLES, ...rows.map(toCells)];
  const widths = TITLES.map((_, column) => Math.max(...cells.map((line) => line[column].length)));
  const lines = cells.map((line) =>
    line.map((cell, column) =>
      column < TEXT_COLUMNS ? cell.padEnd(widths[column]) : cell.padStart(widths[column])
    ).join("  ").trimEnd()
  );
  return lines.map((line) => `${line}\n`).join("");
}

function toCells(row: Row): string[] {
  const { what, unit, ours, other, against, ratio, goal } = row;
  const met = isMet(row);
  return [
    against === undefined ? what : `${what} (other: ${against})`,
    unit,
    format(ours),
    other === undefined ? "" : format(other),
    ratio === undefined ? "" : ratio.toFixed(2),
    goal === undefined ? "" : `${SIGNS[goal.relation]} ${goal.value}`,
    met === undefined ? "" : met ? "yes" : "no",
  ];
}

const SIGNS = { "at least": "≥", "above": ">", "at most": "≤", "below": "<" };

/** Three figures that count, as far as there are so many. */
function format(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}
