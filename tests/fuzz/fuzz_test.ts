import { assert, assertEquals } from "@std/assert";
import { mediaFolder } from "../support/media/media_folder.ts";
import { pureTest } from "../support/pure_test.ts";
import { REGRESSIONS } from "./regressions.ts";
import { fuzz, tried } from "./target.ts";
import { openTargets } from "./targets.ts";

// Parsers of untrusted bytes with wrong input, the same in every run; `deno task fuzz` uses others.

const SEED = 20_240_229;

/** Inputs of each target; all together take less than a minute on a slow machine. */
const TURNS = 20_000;
const FEWER: Record<string, number> = {
  "receiveScript()": 1500,
  "NutReader": 8000,
  "PlaySocket": 5000,
  "FrameParser.take()": 5000,
  "openMatroska()": 2000,
  "readHeader()": 4000,
};

/** Percentage of inputs that have to be valid; most mutations are not. */
const MIN_TAKEN = 0.5;

const targets = await openTargets(mediaFolder());

for (const target of targets) {
  pureTest(`${target.name} takes or refuses whatever comes, and does nothing else`, async () => {
    for (const input of target.corpus) await tried(target, input);
    const turns = FEWER[target.name] ?? TURNS;
    const { taken, refused } = await fuzz(target, { seed: SEED, turns });
    assertEquals(taken + refused, turns);
    assert(taken > turns * MIN_TAKEN / 100, `${taken} of ${turns} were taken`);
    assert(refused > 0);
  });
}

for (const [at, [name, input]] of REGRESSIONS.entries()) {
  pureTest(`${name} takes or refuses what once was too much for it (${at})`, async () => {
    const target = targets.find((target) => target.name === name);
    assert(target !== undefined, `no target ${name}`);
    for (let turn = 0; turn < 10; turn++) await tried(target, Uint8Array.fromHex(input), turn);
  });
}
