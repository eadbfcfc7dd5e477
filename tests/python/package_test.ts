/** The Python package against this server: its own tests, in `python/tests/`. */
import { assertEquals } from "@std/assert";
import { registerPythonTests } from "../support/programs/python_tests.ts";
import { pathOf } from "../support/programs/running_program.ts";

await registerPythonTests([
  { tests: "test_files" },
  { tests: "test_control" },
  { tests: "test_resume" },
  { tests: "test_live" },
  { tests: "test_newest" },
  { tests: "test_refusals" },
  { tests: "test_closing" },
  { tests: "test_bad_servers" },
  { tests: "test_answers" },
  { tests: "test_recovery" },
  { tests: "test_arguments", modules: ["numpy"] },
  { tests: "test_threads", modules: ["numpy"] },
  { tests: "test_tls", programs: ["openssl"] },
  { tests: "test_aopen" },
  { tests: "test_outbox" },
  { tests: "test_publish_messages", modules: ["numpy"] },
  { tests: "test_publish_links", modules: ["numpy"] },
  { tests: "test_publish_servers", modules: ["numpy"] },
  { tests: "test_publish_tls", modules: ["numpy"], programs: ["openssl"] },
  { tests: "test_package.Package" },
  { tests: "test_package.Installation", modules: ["setuptools", "pip", "wheel"] },
  { tests: "test_package.Types", modules: ["numpy", "mypy"] },
]);

Deno.test("each module of tests of the Python package is run", () => {
  const files = Array.from(Deno.readDirSync(pathOf("python/tests")), ({ name }) => name)
    .flatMap((name) => name.match(/^test_\w+(?=\.py$)/) ?? []);
  const texts = ["package_test.ts", "arrays_test.ts"]
    .map((name) => Deno.readTextFileSync(pathOf(`tests/python/${name}`)));
  const run = texts.flatMap((text) => [...text.matchAll(/tests: "(\w+)/g)].map(([, name]) => name));
  assertEquals([...new Set(run)].sort(), files.sort());
});
