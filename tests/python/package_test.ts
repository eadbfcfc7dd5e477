/** The Python package against this server: its own tests, in `python/tests/`. */
import { assertEquals, assertMatch } from "@std/assert";
import { findPython } from "../peers/python.ts";
import { lacking } from "../support/programs/machine.ts";
import { pathOf, runProgram, sourceCommand } from "../support/programs/running_program.ts";
import { testIf } from "../support/test_if.ts";

/** Tests of the package by module, or by module and class, and what they need besides Python. */
const PARTS: { tests: string; modules?: string[]; programs?: string[] }[] = [
  { tests: "test_files" },
  { tests: "test_control" },
  { tests: "test_resume" },
  { tests: "test_live" },
  { tests: "test_refusals" },
  { tests: "test_closing" },
  { tests: "test_bad_servers" },
  { tests: "test_answers" },
  { tests: "test_recovery" },
  { tests: "test_threads", modules: ["numpy"] },
  { tests: "test_tls", programs: ["openssl"] },
  { tests: "test_pixels", modules: ["numpy"] },
  { tests: "test_opencv", modules: ["numpy", "cv2"] },
  { tests: "test_aopen" },
  { tests: "test_outbox" },
  { tests: "test_publish_arrays", modules: ["numpy"] },
  { tests: "test_publish_messages", modules: ["numpy"] },
  { tests: "test_publish_links", modules: ["numpy"] },
  { tests: "test_publish_servers", modules: ["numpy"] },
  { tests: "test_publish_tls", modules: ["numpy"], programs: ["openssl"] },
  { tests: "test_package.Package" },
  { tests: "test_package.Installation", modules: ["setuptools", "pip", "wheel"] },
  { tests: "test_package.Types", modules: ["numpy", "mypy"] },
];

/** Runs tests of the package to their end. None may be skipped, because what they need is there. */
async function runTests(python: string, tests: string): Promise<void> {
  const { code, signal, stderr } = await runProgram("client", [
    ...["-m", "unittest", "--verbose", `tests.${tests}`],
  ], {
    path: python,
    cwd: pathOf("python"),
    env: {
      STREAM_SERVER: sourceCommand("server").map(quote).join(" "),
      PYTHONDONTWRITEBYTECODE: "1",
    },
  });
  assertEquals([code, signal], [0, null], stderr);
  assertMatch(stderr, /\nRan [1-9]\d* tests? in [^\n]+\n\nOK\n$/);
}

/** A word of a shell. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

for (const { tests, modules = [], programs = [] } of PARTS) {
  const python = await findPython(modules);
  const missing = lacking(...programs);
  const what = python === undefined ? ["python3", ...modules].join(" with ") : missing.join(", ");
  const register = testIf(python !== undefined && missing.length === 0, `no ${what}`);
  register(`the Python package passes ${tests}`, () => runTests(python ?? "", tests));
}

Deno.test("each module of tests of the Python package is run", () => {
  const files = Array.from(Deno.readDirSync(pathOf("python/tests")), ({ name }) => name)
    .flatMap((name) => name.match(/^test_\w+(?=\.py$)/) ?? []);
  const run = PARTS.map(({ tests }) => tests.replace(/\..*/, ""));
  assertEquals([...new Set(run)].sort(), files.sort());
});
