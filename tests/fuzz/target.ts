/** Fuzzes targets. */
import { messageOf } from "../../lib/base/errors.ts";
import type { Mutator } from "./mutate_bytes.ts";
import { Random } from "./random.ts";

/** The outcome of an input: parsed, or properly refused. */
export type Outcome = "taken" | "refused";

/** A parser of untrusted bytes, and what has to hold for any input. */
export interface Target {
  /** Selects the target, and its inputs in `regressions.ts`. */
  name: string;
  /** Valid inputs, and others that reach far. */
  corpus: readonly Uint8Array[];
  mutate: Mutator;
  /**
   * Parses an input.
   *
   * @param random decides how the input is split
   * @throws if a property does not hold
   */
  check(input: Uint8Array<ArrayBuffer>, random: Random): Outcome | Promise<Outcome>;
}

/** Options of {@linkcode fuzz}. */
export interface FuzzOptions {
  seed: number;
  /** Number of inputs. */
  turns: number;
  /** Number of the first input. */
  from?: number;
  /** Checked now and then; ends the run. */
  isOver?: () => boolean;
}

/** Number of inputs by outcome. */
export type Counts = Record<Outcome, number>;

/** Inputs between two checks of `isOver`. */
const ASKING = 64;

/** Attempts to make a failing input smaller. */
const SMALLER_TRIES = 2000;

/** A fault, with an input that shows it. */
export class FuzzFailure extends Error {
  override name = "FuzzFailure";

  /**
   * @param target name of the target
   * @param input the smallest one found
   */
  constructor(readonly target: string, readonly input: Uint8Array, options: ErrorOptions) {
    super(
      `Cannot trust ${target}: ${describe(options.cause)}\nInput of ${input.byteLength} bytes, ` +
        `for tests/fuzz/regressions.ts: ["${target}", "${input.toHex()}"]`,
      options,
    );
  }
}

/**
 * Runs a target with mutated inputs.
 *
 * @throws {FuzzFailure} if a property does not hold
 */
export async function fuzz(
  target: Target,
  { seed, turns, from = 0, isOver = () => false }: FuzzOptions,
): Promise<Counts> {
  const counts: Counts = { taken: 0, refused: 0 };
  for (let turn = from; turn < from + turns; turn++) {
    if (turn % ASKING === 0 && isOver()) break;
    const random = new Random(seed, turn);
    const input = target.mutate(random.pick(target.corpus), target.corpus, random);
    counts[await tried(target, input, turn)]++;
  }
  return counts;
}

/**
 * Runs a target with one input.
 *
 * @throws {FuzzFailure} if a property does not hold
 */
export async function tried(target: Target, input: Uint8Array, turn = 0): Promise<Outcome> {
  try {
    return await target.check(new Uint8Array(input), new Random(turn));
  } catch (cause) {
    const smallest = await smaller(target, input, turn);
    throw new FuzzFailure(target.name, smallest, { cause });
  }
}

/** Removes parts of an input as long as it still fails. */
async function smaller(target: Target, input: Uint8Array, turn: number): Promise<Uint8Array> {
  let smallest = input;
  let tries = 0;
  for (let size = Math.ceil(input.byteLength / 2); size > 0; size = Math.floor(size / 2)) {
    for (let at = 0; at < smallest.byteLength && tries < SMALLER_TRIES; tries++) {
      const shorter = new Uint8Array(
        smallest.byteLength - Math.min(size, smallest.byteLength - at),
      );
      shorter.set(smallest.subarray(0, at));
      shorter.set(smallest.subarray(at + size), at);
      if (await fails(target, shorter, turn)) smallest = shorter;
      else at += size;
    }
  }
  return smallest;
}

async function fails(target: Target, input: Uint8Array, turn: number): Promise<boolean> {
  try {
    await target.check(new Uint8Array(input), new Random(turn));
    return false;
  } catch {
    return true;
  }
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.stack ?? cause.message : messageOf(cause);
}
