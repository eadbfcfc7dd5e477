import type { Clips } from "./clips.ts";
import { median } from "./numbers.ts";
import type { Programs } from "./programs.ts";

/** What a measurement is given. */
export interface Bench {
  clips: Clips;
  programs: Programs;
  /** Tells what is left out, and why. */
  skip(what: string): void;
  /** How often each side is measured; the sides take turns. */
  rounds: number;
  /** Seconds of each clip that are played where that takes real time. */
  seconds: number;
  /** Only what shows soon whether something has become slower. */
  quick: boolean;
  /** Seconds that a live source is watched by each audience. */
  liveSeconds: number;
  /** Ends everything. */
  signal: AbortSignal;
  /** Tells how far things are. */
  tell(text: string): void;
}

/** One line of the result. */
export interface Row {
  what: string;
  /** Of `ours` and `other`. */
  unit: string;
  ours: number;
  /** What ours is held against, measured in the same run. */
  other?: number;
  /** Name of the other. */
  against?: string;
  /** Ours divided by the other. */
  ratio?: number;
  goal?: Goal;
  /** The ratio, or ours where there is none, of the last full run that was recorded. */
  recorded?: number;
}

/** What is to be reached, and by which of a row's figures. */
export interface Goal {
  of: "ratio" | "ours";
  relation: "at least" | "above" | "at most" | "below";
  value: number;
}

/** A thing to measure. */
export type Measurement = (bench: Bench) => Promise<Row[]>;

/** Whether a row reaches its goal; `undefined` where it has none. */
export function isMet({ ours, ratio, goal }: Row): boolean | undefined {
  if (goal === undefined) return undefined;
  const reached = goal.of === "ratio" ? ratio ?? NaN : ours;
  if (goal.relation === "at least") return reached >= goal.value;
  if (goal.relation === "above") return reached > goal.value;
  return goal.relation === "below" ? reached < goal.value : reached <= goal.value;
}

/** The figures of all rounds, ours and another's. */
export interface Figures {
  ours: readonly number[];
  other: readonly number[];
}

/**
 * A row of medians. Its ratio is the median of the rounds' own ratios: a moment when the machine is
 * busy lasts longer than a round, and slows both sides of it.
 */
export function compared({ ours, other }: Figures, row: Omit<Row, "ours" | "other">): Row {
  const ratios = ours.map((figure, round) => figure / other[round]);
  return { ...row, ours: median(ours), other: median(other), ratio: median(ratios) };
}

/** Lets each side run once a round, in turn, so that a busy moment of the machine hits them alike. */
export async function takeTurns<Name extends string, Result>(
  { rounds, signal, tell }: Bench,
  sides: Record<Name, (round: number) => Promise<Result>>,
): Promise<Record<Name, Result[]>> {
  const names = Object.keys(sides) as Name[];
  const results = Object.fromEntries(names.map((name) => [name, [] as Result[]])) as Record<
    Name,
    Result[]
  >;
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      signal.throwIfAborted();
      tell(`round ${round + 1} of ${rounds}, ${name}`);
      results[name].push(await sides[name](round));
    }
  }
  return results;
}
