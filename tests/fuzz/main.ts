/**
 * `deno task fuzz`: runs all parsers of untrusted bytes with wrong input, until the time is over or
 * a property does not hold.
 */
import { print } from "../../lib/base/log.ts";
import { messageOf, UsageError } from "../../lib/base/errors.ts";
import { describeFlags, number, parseFlags, text, toggle } from "../../lib/cli/flags.ts";
import { untilInterrupted } from "../../lib/cli/signals.ts";
import { MediaFolder } from "../support/media/media_folder.ts";
import { clientTarget } from "./client_target.ts";
import { PublishTarget } from "./publish_target.ts";
import { sessionMedia, SessionTarget } from "./session_target.ts";
import { type Counts, fuzz, type Target } from "./target.ts";
import { openTargets } from "./targets.ts";

/** Inputs of a target before the next target runs; fewer for slow targets. */
const TURNS = 500;
const SLOW_TURNS = 20;

/** Milliseconds between two lines of progress. */
const TELLING = 5000;

const FLAGS = {
  seconds: number("N", "how long (60)", { absent: 60, bounds: { min: 1, max: 1e6 } }),
  seed: number<number | undefined>("N", "number to begin with; by the clock where absent", {
    absent: undefined,
    bounds: { min: 0, max: 2 ** 32 - 1, integer: true },
  }),
  target: text("NAME", "the only one to try, by a part of its name", undefined),
  help: toggle("print this and exit"),
};

const USAGE = `Usage: deno task fuzz [flags]

Has everything that reads what strangers send read wrong input, and tells the
first that is too much for it.

${describeFlags(FLAGS, { What: ["target", "seconds", "seed"], Also: ["help"] })}`;

async function main(signal: AbortSignal): Promise<void> {
  const { seconds, seed = Date.now() % 2 ** 32, target: wanted, help } = parseFlags(
    FLAGS,
    Deno.args,
  );
  if (help) return print(Deno.stdout, USAGE);
  const path = await Deno.makeTempDir({ prefix: "stream_fuzz_" });
  try {
    const folder = new MediaFolder(path);
    const media = await sessionMedia(folder);
    await using session = await SessionTarget.open(media);
    await using publish = await PublishTarget.open(media);
    const slow = [session, publish];
    const targets = [...await openTargets(folder), clientTarget, ...slow]
      .filter(({ name }) => name.toLowerCase().includes((wanted ?? "").toLowerCase()));
    if (targets.length === 0) {
      throw new UsageError(`Cannot find a target "${wanted}": expected a part of a name`);
    }
    print(Deno.stdout, `seed ${seed}\n`);
    const end = performance.now() + 1000 * seconds;
    const isOver = () => signal.aborted || performance.now() >= end;
    await fuzzAll(targets, { seed, isOver, slow });
    for (const target of slow) if (targets.includes(target)) await target.assertWell();
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

async function fuzzAll(
  targets: readonly Target[],
  { seed, isOver, slow }: { seed: number; isOver: () => boolean; slow: readonly Target[] },
): Promise<void> {
  const sums = new Map<Target, Counts>(
    targets.map((target) => [target, { taken: 0, refused: 0 }]),
  );
  let telling = performance.now() + TELLING;
  for (let round = 0; !isOver(); round++) {
    for (const target of targets) {
      const turns = slow.includes(target) ? SLOW_TURNS : TURNS;
      const counts = await fuzz(target, { seed, turns, from: round * turns, isOver });
      const sum = sums.get(target) ?? counts;
      sums.set(target, {
        taken: sum.taken + counts.taken,
        refused: sum.refused + counts.refused,
      });
    }
    const total = [...sums.values()].reduce((all, { taken, refused }) => all + taken + refused, 0);
    if (performance.now() < telling) continue;
    print(Deno.stdout, `${total} inputs\n`);
    telling = performance.now() + TELLING;
  }
  for (const [{ name }, { taken, refused }] of sums) {
    print(Deno.stdout, `${name.padEnd(22)} ${taken} taken, ${refused} refused\n`);
  }
}

using interrupt = untilInterrupted();
let status = 0;
try {
  await main(interrupt.signal);
} catch (error) {
  status = error instanceof UsageError ? 2 : 1;
  print(Deno.stderr, `${messageOf(error)}\n`);
}
Deno.exit(status);
