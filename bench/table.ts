import { isMet, type Row } from "./measurement.ts";

const TITLES = ["what", "unit", "ours", "other", "ratio", "goal", "met", "recorded"];

/** Number of text columns, which are left-aligned. */
const TEXT_COLUMNS = 2;

/** Explanation of the table. */
const LEGEND = [
  "Medians of all rounds. ratio: ours divided by the other's, in the same run. Higher is better",
  "for fps, lower for everything else. goal: for the ratio if there is one, otherwise for ours.",
];

/**
 * Renders rows as a table with aligned columns. The name of the other program is on a separate line
 * above its rows.
 */
export function renderTable(rows: readonly Row[]): string {
  const isRecorded = rows.some(({ recorded }) => recorded !== undefined);
  const titles = isRecorded ? TITLES : TITLES.slice(0, -1);
  const cells = [titles, ...rows.map(toCells)];
  const widths = titles.map((_, column) => Math.max(...cells.map((line) => line[column].length)));
  const [head, ...lines] = cells.map((line) =>
    widths.map((width, column) =>
      column < TEXT_COLUMNS ? line[column].padEnd(width) : line[column].padStart(width)
    ).join("  ").trimEnd()
  );
  const body = lines.flatMap((line, index) => {
    const [heading, before] = [headingOf(rows[index]), index > 0 && headingOf(rows[index - 1])];
    return heading === before ? [line] : [heading, line];
  });
  return [head, ...body, "", ...LEGEND].map((line) => `${line}\n`).join("");
}

function headingOf({ against }: Row): string {
  return against === undefined ? "by itself" : `other: ${against}`;
}

function toCells(row: Row): string[] {
  const { what, unit, ours, other, ratio, goal, recorded } = row;
  const met = isMet(row);
  return [
    `  ${what}`,
    unit,
    format(ours),
    other === undefined ? "" : format(other),
    ratio === undefined ? "" : ratio.toFixed(2),
    goal === undefined ? "" : `${SIGNS[goal.relation]} ${Number(goal.value.toPrecision(3))}`,
    met === undefined ? "" : met ? "yes" : "no",
    recorded === undefined ? "" : ratio === undefined ? format(recorded) : recorded.toFixed(2),
  ];
}

const SIGNS = { "at least": "≥", "above": ">", "at most": "≤", "below": "<" };

/** Formats with three significant digits. */
function format(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}
