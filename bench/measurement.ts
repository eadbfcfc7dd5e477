import type { Clips } from "./clips.ts";
import { median, quantile } from "./numbers.ts";
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
  /** The figures of all rounds. */
  rounds: Figures;
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
  other?: readonly number[];
}

/** What a row says beside its figures. */
export type Title = Pick<Row, "what" | "unit" | "against" | "goal">;

/** A row of medians. */
export function measured(rounds: Figures, title: Title): Row {
  const { ours, other } = rounds;
  return { ...title, ours: median(ours), other: other && median(other), rounds };
}

/**
 * A row of medians with a ratio, which is the median of the rounds' own ratios: a moment when the
 * machine is busy lasts longer than a round, and slows both sides of it.
 */
export function compared(rounds: Required<Figures>, title: Title): Row {
  return { ...measured(rounds, title), ratio: median(ratiosOf(rounds)) };
}

function ratiosOf({ ours, other }: Required<Figures>): number[] {
  return ours.map((figure, round) => figure / other[round]);
}

/** How far some figures lie apart. */
export interface Spread {
  min: number;
  /** A quarter of them is at most as large. */
  lower: number;
  /** A quarter of them is at least as large. */
  upper: number;
  max: number;
}

/** How far the rounds of a row lie apart, of each of its figures. */
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
