import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { findTests, readSummary } from "../../tools/run_tests.ts";

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

async function runTests(...args: string[]): Promise<{ code: number; output: string }> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", PROGRAM, "--no-config", ...args],
    stdin: "null",
  });
  const { code, stdout } = await command.output();
  return { code, output: new TextDecoder().decode(stdout) };
}

const PASSES = 'Deno.test("passes", () => {});\n';

Deno.test({
  name: "readSummary() reads the last summary, with steps and without",
  permissions: "none",
  fn() {
    const text = "ok | 1 passed | 0 failed (1s)\n\n" +
      "FAILED | 12 passed (3 steps) | 2 failed (1 step) | 4 ignored (1 step) (1m2s)\n";
    assertEquals(readSummary(text), { passed: 12, failed: 2, ignored: 4 });
    assertEquals(readSummary("ok | 7 passed | 0 failed (9ms)\n"), {
      passed: 7,
      failed: 0,
      ignored: 0,
    });
    assertEquals(readSummary("error: Module not found\n"), undefined);
  },
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
    assertMatch(output, /^ok \| 12 passed \| 0 failed \| 0 ignored \(0m\d+s\)\n$/m);
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
    assertStringIncludes(output, "on purpose");
    assertMatch(output, /^Failed in .*a_test\.ts/m);
    assertMatch(output, /^FAILED \| 1 passed \| 1 failed \|/m);
  });
  await withFolder({
    "a_test.ts": 'Deno.test("ends all", () => Deno.kill(Deno.pid, "SIGKILL"));\n',
  }, async (folder) => {
    const { code, output } = await runTests(folder);
    assertEquals(code, 1);
    assertMatch(output, /^Did not end in .*a_test\.ts/m);
  });
});
