import type { Row } from "./measurement.ts";

/** Figures of the last recorded run, by the keys of their rows. */
export type Recorded = Record<string, number>;

const FILE = new URL("recorded.json", import.meta.url);

/**
 * The key of a row. A row without a ratio has the same key whatever it was compared with, because a
 * partial run may compare with less.
 */
export function keyOf({ what, against, ratio }: Row): string {
  return ratio === undefined ? what : `${what} (other: ${against})`;
}

/** The figure of a row to compare with other runs: its ratio, or ours. */
export function figureOf({ ours, ratio }: Row): number {
  return ratio ?? ours;
}

/** Adds the recorded figures to rows. */
export function withRecorded(rows: readonly Row[], recorded: Recorded): Row[] {
  return rows.map((row) => ({ ...row, recorded: recorded[keyOf(row)] }));
}

/** Reads the recorded figures, if there are any. */
export async function readRecorded(): Promise<Recorded> {
  try {
    return JSON.parse(await Deno.readTextFile(FILE));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
}

/** Records a run, replacing the previous one. */
export async function writeRecorded(rows: readonly Row[]): Promise<void> {
  const figures = rows.map((row) => [keyOf(row), Number(figureOf(row).toPrecision(4))]);
  const recorded: Recorded = Object.fromEntries(figures);
  await Deno.writeTextFile(FILE, `${JSON.stringify(recorded, null, 2)}\n`);
}
