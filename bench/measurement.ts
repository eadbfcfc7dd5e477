import type { Clips } from "./clips.ts";
import { median, quantile } from "./numbers.ts";
import type { Programs } from "./programs.ts";

/** Inputs of a measurement. */
export interface Bench {
  clips: Clips;
  programs: Programs;
  /** Reports something that is skipped, with the reason. */
  skip(what: string): void;
  /** Measurements of each side; the sides alternate. */
  rounds: number;
  /** Seconds of each clip that are played in real time. */
  seconds: number;
  /** Whether to measure only figures that soon show a slowdown. */
  quick: boolean;
  /** Seconds for which each audience watches a live source. */
  liveSeconds: number;
  /** Cancels the measurement. */
  signal: AbortSignal;
  /** Logs progress. */
  log(text: string): void;
}

/** One line of the result. */
export interface Row {
  what: string;
  /** Unit of `ours` and `other`. */
  unit: string;
  ours: number;
  /** Figure of the other side, measured in the same run. */
  other?: number;
  /** Name of the other side. */
  against?: string;
  /** Ours divided by the other. */
  ratio?: number;
  goal?: Goal;
  /** The ratio, or ours if there is none, of the last recorded run. */
  recorded?: number;
  /** The figures of all rounds. */
  rounds: Figures;
}

/** A goal, and the figure of a row it applies to. */
export interface Goal {
  of: "ratio" | "ours";
  relation: "at least" | "above" | "at most" | "below";
  value: number;
}

/** A benchmark. */
export type Measurement = (bench: Bench) => Promise<Row[]>;

/** Whether a row reaches its goal; `undefined` if it has none. */
export function isMet({ ours, ratio, goal }: Row): boolean | undefined {
  if (goal === undefined) return undefined;
  const reached = goal.of === "ratio" ? ratio ?? NaN : ours;
  if (goal.relation === "at least") return reached >= goal.value;
  if (goal.relation === "above") return reached > goal.value;
  return goal.relation === "below" ? reached < goal.value : reached <= goal.value;
}

/** The figures of all rounds, ours and the other's. */
export interface Figures {
  ours: readonly number[];
  other?: readonly number[];
}

/** Fields of a row other than its figures. */
export type Title = Pick<Row, "what" | "unit" | "against" | "goal">;

/** A row of medians. */
export function measured(rounds: Figures, title: Title): Row {
  const { ours, other } = rounds;
  return { ...title, ours: median(ours), other: other && median(other), rounds };
}

/**
 * A row of medians with a ratio, which is the median of the ratios of the rounds: load on the
 * machine lasts longer than a round, and slows both sides of it.
 */
export function compared(rounds: Required<Figures>, title: Title): Row {
  return { ...measured(rounds, title), ratio: median(ratiosOf(rounds)) };
}

function ratiosOf({ ours, other }: Required<Figures>): number[] {
  return ours.map((figure, round) => figure / other[round]);
}

/** Spread of some figures. */
export interface Spread {
  min: number;
  /** Lower quartile. */
  lower: number;
  /** Upper quartile. */
  upper: number;
  max: number;
}

/** Spread of each figure of a row over its rounds. */
export function spreadOf(
  { ratio, rounds }: Pick<Row, "ratio" | "rounds">,
): { ours: Spread; other?: Spread; ratio?: Spread } {
  const { ours, other } = rounds;
  return {
    ours: spread(ours),
    ...(other && { other: spread(other) }),
    ...(other && ratio !== undefined && { ratio: spread(ratiosOf({ ours, other })) }),
  };
}

function spread(values: readonly number[]): Spread {
  const at = (share: number) => quantile(values, share);
  return { min: at(0), lower: at(0.25), upper: at(0.75), max: at(1) };
}

/** Runs each side once per round, so that load on the machine affects them alike. */
export async function takeTurns<Name extends string, Result>(
  { rounds, signal, log }: Bench,
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
      log(`round ${round + 1} of ${rounds}, ${name}`);
      results[name].push(await sides[name](round));
    }
  }
  return results;
}
