import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { importFlags, pathOf } from "../support/programs/running_program.ts";
import { pureTest } from "../support/pure_test.ts";
import { judge, type Sample } from "../../tools/soak/verdict.ts";
import { linuxTest } from "../support/test_if.ts";
import { textOf } from "../support/programs/machine.ts";

const MEBIBYTE = 2 ** 20;

/** Looks at a server, of which the memory is told in MiB. */
function samples(memory: readonly number[], last: Partial<Sample> = {}): Sample[] {
  const found = memory.map((size, at) => ({
    ...{ at: 10 * at, memory: size * MEBIBYTE, descriptors: 20, children: 0 },
  }));
  return [...found.slice(0, -1), { ...found[found.length - 1], ...last }];
}

/** Memory that goes up and down, and stays where it is. */
const FLAT = [90, 130, 128, 135, 131, 129, 140, 127, 133, 130, 136, 129];

pureTest("judge() is content with what goes up and down, and with warming up", () => {
  assertEquals(judge(samples(FLAT)).complaints, []);
  assertEquals(judge(samples([40, 60, 90, ...FLAT])).complaints, []);
});

pureTest("judge() finds memory that grows, however slowly", () => {
  const growing = FLAT.map((size, at) => size + 5 * at);
  const { complaints, table } = judge(samples(growing));
  assertEquals(complaints.length, 1);
  assertMatch(complaints[0], /^Memory grew by \d+\.\d MiB, expected 24\.0 MiB at most$/);
  assertMatch(table[2], /^memory +\d+\.\d MiB in the first third, \d+\.\d MiB in the last$/);
});

pureTest("judge() does not judge memory by a few looks", () => {
  const { complaints, table } = judge(samples([100, 200, 300]));
  assertEquals(complaints, []);
  assertStringIncludes(table[2], "too short a time");
});

pureTest("judge() finds a single descriptor, and a single process", () => {
  assertEquals(judge(samples(FLAT, { descriptors: 21 })).complaints, [
    "Descriptors grew from 20 to 21",
  ]);
  assertEquals(judge(samples(FLAT, { children: 1 })).complaints, [
    "Processes are left: 1, expected none",
  ]);
  assertEquals(judge([]).complaints.length, 1);
});

linuxTest("the soak has viewers of all kinds come and go, and finds all well", async () => {
  const args = [
    ...["run", "-A", "--quiet", "--config", pathOf("deno.json"), ...importFlags()],
    ...[pathOf("tools/soak.ts"), "--minutes", "0.05", "--viewers", "12", "--seed", "1"],
  ];
  const { code, stdout: said, stderr } = await textOf(Deno.execPath(), args, {
    env: { NO_COLOR: "1" },
  });
  assertEquals([code, stderr], [0, ""], said);
  assertMatch(said, /^3 s, 12 viewers, seed 1\n/);
  const visits = [
    ...["whole", "resume", "leave", "stall", "control", "live", "script", "crowd"],
    ...["pause", "sizes", "every", "stuckScripts", "unread", "pings", "seeks", "controls"],
    ...["idle", "names", "leaveEarly"],
  ];
  for (const visit of visits) assertMatch(said, new RegExp(`^visits .*\\b${visit} \\d`, "m"));
  const descriptors = said.match(/^descriptors +(\d+) after the first round, (\d+) at the end$/m);
  const [, first, last] = (descriptors ?? []).map(Number);
  assert(last <= first, said);
  assertMatch(said, /^processes +0 after the first round, 0 at the end$/m);
  assertMatch(said, /\nall is well\n$/);
});
