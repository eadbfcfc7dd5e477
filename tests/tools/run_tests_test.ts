import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  errorsIn,
  findTests,
  readArguments,
  readSummary,
  toBatches,
} from "../../tools/run_tests.ts";
import { namesIn } from "../support/media/media_folder.ts";
import { pureTest } from "../support/pure_test.ts";
import { textOf } from "../support/programs/machine.ts";
import { linuxTest } from "../support/test_if.ts";

const PROGRAM = new URL("../../tools/run_tests.ts", import.meta.url).pathname;

/** Makes a folder with files, and removes it afterwards. */
async function withFolder(
  files: Record<string, string>,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      const path = `${folder}/${name}`;
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(path, text);
    }
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function startRun(...args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", PROGRAM, "--no-config", "--no-check", ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

async function runTests(...args: string[]): Promise<{ code: number; output: string }> {
  const { code, stdout } = await startRun(...args).output();
  return { code, output: new TextDecoder().decode(stdout) };
}

const PASSES = 'Deno.test("passes", () => {});\n';

pureTest("readSummary() reads the last summary, with steps and without", () => {
  const text = "ok | 1 passed | 0 failed (1s)\n\n" +
    "FAILED | 12 passed (3 steps) | 2 failed (1 step) | 4 ignored (1 step) (1m2s)\n";
  assertEquals(readSummary(text), { passed: 12, failed: 2, ignored: 4 });
  assertEquals(readSummary("ok | 7 passed | 0 failed (9ms)\n"), {
    passed: 7,
    failed: 0,
    ignored: 0,
  });
  assertEquals(readSummary("error: Module not found\n"), undefined);
});

pureTest("errorsIn() gives the errors of a run, of many lines the first and the last", () => {
  const errors = "a => ./a_test.ts:1:6\nerror: Error: no\n\n ERRORS \n\nof another run\n";
  const report = (errors: string) => ` ERRORS \n\n${errors}\n FAILURES \n\na => ./a_test.ts:1:6\n`;
  const output = (errors: string) => `a ... FAILED (1ms)\n\n${report(errors)}\nFAILED | 0 passed`;
  assertEquals(errorsIn(output(errors)), `${report(errors)}\nFAILED | 0 passed`);
  const long = errorsIn(output("line\n".repeat(300))).split("\n");
  assertEquals(long.length, 201);
  assertEquals(long[100], "… 108 lines are left out …");
  assertEquals([long[0], long.at(-3)], [" ERRORS ", "a => ./a_test.ts:1:6"]);
  assertEquals(errorsIn("ok | 1 passed | 0 failed (1s)\n"), "");
});

pureTest("toBatches() gives every file to one batch, and neighbours to different ones", () => {
  const files = Array.from({ length: 18 }, (_, at) => `${at}`);
  assertEquals(toBatches(files), [
    ["0", "3", "6", "9", "12", "15"],
    ["1", "4", "7", "10", "13", "16"],
    ["2", "5", "8", "11", "14", "17"],
  ]);
  assertEquals(toBatches([]), []);
});

Deno.test("findTests() finds what is a test, in folders too", async () => {
  const files = { "b_test.ts": PASSES, "in/a_test.ts": PASSES, "in/probe.ts": PASSES };
  await withFolder(files, async (folder) => {
    assertEquals(await findTests(folder), [`${folder}/b_test.ts`, `${folder}/in/a_test.ts`]);
    assertEquals(await findTests(`${folder}/in/probe.ts`), [`${folder}/in/probe.ts`]);
  });
});

Deno.test("run_tests adds up what several runs passed", async () => {
  const files = Object.fromEntries(
    Array.from({ length: 12 }, (_, at) => [`${at}_test.ts`, PASSES]),
  );
  await withFolder(files, async (folder) => {
    const { code, output } = await runTests(folder);
    assertEquals(code, 0);
    assertMatch(output, /^ok \| 12 passed \| 0 failed \| 0 ignored \(\d+m\d+s\)\n$/m);
  });
});

Deno.test("run_tests fails where a test fails, or a file does not run", async () => {
  const files = {
    "a_test.ts": 'Deno.test("fails", () => { throw new Error("on purpose"); });\n',
    "b_test.ts": PASSES,
  };
  await withFolder(files, async (folder) => {
    const { code, output } = await runTests(folder);
    assertEquals(code, 1);
    // The reason stands at the end, too, where it is found.
    assertMatch(
      output,
      /^FAILED \| \d passed \| 1 failed [^]* ERRORS [^]*on purpose[^]*^Failed in/m,
    );
    assertMatch(output, /^Failed in .*a_test\.ts/m);
    assertMatch(output, /^FAILED \| 1 passed \| 1 failed \|/m);
  });
  await withFolder({
    "a_test.ts": 'Deno.test("ends all", () => Deno.kill(Deno.pid, "SIGKILL"));\n',
  }, async (folder) => {
    const { code, output } = await runTests(folder);
    assertEquals(code, 1);
    assertMatch(output, /^Did not finish in .*a_test\.ts/m);
  });
});

Deno.test("run_tests runs nothing of all tests if the types of anything are wrong", async () => {
  const files = {
    "deno.json": "{}",
    "lib/wrong.ts": 'export const count: number = "one";\n',
    "tests/a_test.ts": PASSES,
  };
  await withFolder(files, async (folder) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", PROGRAM],
      cwd: folder,
      stdin: "null",
    }).output();
    const [said, complaints] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    assertEquals([code, said], [
      1,
      "Cannot run the tests: the type check failed, see above\n",
    ]);
    assertStringIncludes(complaints, "wrong.ts");
  });
});

pureTest("readArguments() tells flags from paths", () => {
  const args = [
    "--no-check",
    "tests/core",
    "--filter",
    "some words",
    "--patience=7",
    "a_test.ts",
  ];
  assertEquals(readArguments(args), {
    flags: ["--no-check", "--filter=some words"],
    paths: ["tests/core", "a_test.ts"],
    patience: 7,
  });
});

Deno.test("run_tests fails where there are no tests, and says which path is none", async () => {
  await withFolder({ "in/probe.ts": PASSES }, async (folder) => {
    const { code, output } = await runTests(folder);
    assertEquals(code, 1);
    assertMatch(output, /^Found no tests: expected at least one\nFAILED \| 0 passed /m);
    const missing = await runTests(`${folder}/none`);
    assertEquals(missing.code, 1);
    assertMatch(
      missing.output,
      /^Cannot find ".*\/none": expected a test file or a folder; [^\n]*\n$/,
    );
  });
});

/** A test without end, whose child tells its number and outlives it. */
function hanging(folder: string): string {
  return `Deno.test("hangs", async () => {
  const child = new Deno.Command("sleep", { args: ["1000"], detached: true }).spawn();
  await Deno.writeTextFile("${folder}/new", String(child.pid));
  await Deno.rename("${folder}/new", "${folder}/pid");
  await child.status;
});
`;
}

async function assertGone(folder: string): Promise<void> {
  const pid = await Deno.readTextFile(`${folder}/pid`);
  // What has ended, and was not waited for, is there without a command line.
  assertEquals((await textOf("cat", [`/proc/${pid}/cmdline`])).stdout, "");
}

linuxTest("run_tests ends what hangs, with all that it has started", async () => {
  await withFolder({}, async (folder) => {
    await Deno.writeTextFile(`${folder}/a_test.ts`, hanging(folder));
    let run = { code: 0, output: "" };
    // A machine that is slow may begin with no test in a few seconds.
    for (const patience of [4, 16, 64]) {
      run = await runTests(`--patience=${patience}`, folder);
      if (namesIn(folder).includes("pid")) break;
    }
    const { code, output } = run;
    assertEquals(code, 1);
    assertMatch(output, /^hangs \.\.\.\nDid not finish in .*a_test\.ts\nFAILED /m);
    await assertGone(folder);
  });
});

linuxTest("run_tests leaves nothing behind when it is told to end", async () => {
  await withFolder({}, async (folder) => {
    await Deno.writeTextFile(`${folder}/a_test.ts`, hanging(folder));
    using watcher = Deno.watchFs(folder);
    const run = startRun(folder);
    for await (const { paths } of watcher) if (paths.includes(`${folder}/pid`)) break;
    run.kill("SIGTERM");
    assertEquals((await run.output()).code, 143);
    await assertGone(folder);
  });
});

linuxTest("run_tests tells what a test has left behind, and ends it", async () => {
  const leaks =
    'Deno.test({ name: "leaks", sanitizeOps: false, sanitizeResources: false, fn() {\n' +
    '  new Deno.Command("sleep", { args: ["1000"], detached: true }).spawn();\n} });\n';
  await withFolder({ "a_test.ts": leaks }, async (folder) => {
    const { code, output } = await runTests(folder);
    assertEquals(code, 0);
    assertMatch(output, /^Left \S*sleep 1000 in .*a_test\.ts$/m);
  });
});
