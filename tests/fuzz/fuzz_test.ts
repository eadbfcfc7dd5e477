import { assert, assertEquals } from "@std/assert";
import { mediaFolder } from "../support/media/media_folder.ts";
import { pureTest } from "../support/pure_test.ts";
import { REGRESSIONS } from "./regressions.ts";
import { fuzz, tried } from "./target.ts";
import { openTargets } from "./targets.ts";

// Parsers of untrusted bytes with wrong input, the same in every run; `deno task fuzz` uses others.

const SEED = 20_240_229;

/** Inputs of each target; all together take seconds: `deno task fuzz` tries more. */
const TURNS = 6000;
const FEWER: Record<string, number> = {
  "receiveScript()": 600,
  "NutReader": 3000,
  "PlaySocket": 1500,
  "FrameParser.take()": 2000,
  "openMatroska()": 800,
  "readHeader()": 1500,
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
