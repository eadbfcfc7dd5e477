/** What is fuzzed, and how that is done. Pure. */
import { messageOf } from "../../lib/base/errors.ts";
import type { Mutator } from "./mutate_bytes.ts";
import { Random } from "./random.ts";

/** What became of an input: it was read as something, or refused as it should be. */
export type Outcome = "taken" | "refused";

/** Some code that takes bytes from strangers, and what must be true of it whatever they are. */
export interface Target {
  /** By which it is chosen, and found among the inputs that once were too much for it. */
  name: string;
  /** Inputs that are right, and others that lead far. */
  corpus: readonly Uint8Array[];
  mutate: Mutator;
  /**
   * Has the code read an input.
   *
   * @param random decides how the input comes: in which pieces, with what around it
   * @throws whatever is wrong with the code
   */
  check(input: Uint8Array<ArrayBuffer>, random: Random): Outcome | Promise<Outcome>;
}

/** How long, and with which numbers. */
export interface FuzzOptions {
  seed: number;
  /** Turns to take, each with an input of its own. */
  turns: number;
  /** The number of the first turn. */
  from?: number;
  /** Asked now and then whether that is enough. */
  isOver?: () => boolean;
}

/** How often an input was taken, and how often refused. */
export type Counts = Record<Outcome, number>;

/** Turns after which it is asked whether that is enough. */
const ASKING = 64;

/** Changes that are tried to make an input that fails smaller. */
const SMALLER_TRIES = 2000;

/** An input that shows a fault. */
export class FuzzFailure extends Error {
  override name = "FuzzFailure";

  /**
   * @param target name of what failed
   * @param input that makes it fail, as small as it could be made
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
 * Has a target read changed inputs.
 *
 * @throws {FuzzFailure} where it does what it must not
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
 * Has a target read one input.
 *
 * @throws {FuzzFailure} where it does what it must not
 */
export async function tried(target: Target, input: Uint8Array, turn = 0): Promise<Outcome> {
  try {
    return await target.check(new Uint8Array(input), new Random(turn));
  } catch (cause) {
    const smallest = await smaller(target, input, turn);
    throw new FuzzFailure(target.name, smallest, { cause });
  }
}

/** The input without whatever it fails without. */
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
