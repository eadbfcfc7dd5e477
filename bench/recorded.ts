import type { Row } from "./measurement.ts";

/** The figures of the last full run that was recorded, by the names of their rows. */
export type Recorded = Record<string, number>;

const FILE = new URL("recorded.json", import.meta.url);

/**
 * What a row is known by. What ours alone is recorded of is the same whatever it was held against,
 * which may be less where only a part is measured.
 */
export function keyOf({ what, against, ratio }: Row): string {
  return ratio === undefined ? what : `${what} (other: ${against})`;
}

/** Of a row's figures, the one that says most about another run: its ratio, where it has one. */
export function figureOf({ ours, ratio }: Row): number {
  return ratio ?? ours;
}

/** Puts beside each row what was recorded of it. */
export function withRecorded(rows: readonly Row[], recorded: Recorded): Row[] {
  return rows.map((row) => ({ ...row, recorded: recorded[keyOf(row)] }));
}

/** Reads what was recorded; nothing where nothing was. */
export async function readRecorded(): Promise<Recorded> {
  try {
    return JSON.parse(await Deno.readTextFile(FILE));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
}

/** Records a run, in place of the one before. */
export async function writeRecorded(rows: readonly Row[]): Promise<void> {
  const figures = rows.map((row) => [keyOf(row), Number(figureOf(row).toPrecision(4))]);
  const recorded: Recorded = Object.fromEntries(figures);
  await Deno.writeTextFile(FILE, `${JSON.stringify(recorded, null, 2)}\n`);
}
