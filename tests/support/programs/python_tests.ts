/** Runs tests of the Python package, which are written in Python. */
import { assertEquals, assertMatch } from "@std/assert";
import { findPython } from "../../peers/python.ts";
import { testIf } from "../test_if.ts";
import { lacking } from "./machine.ts";
import { pathOf, runProgram, sourceCommand } from "./running_program.ts";

/** Tests of one module, or of one class of it, and what they need besides Python. */
export interface PythonTests {
  tests: string;
  modules?: string[];
  programs?: string[];
}

/** Registers a test for each part; ignored with the reason if something that it needs is missing. */
export async function registerPythonTests(parts: readonly PythonTests[]): Promise<void> {
  for (const { tests, modules = [], programs = [] } of parts) {
    const python = await findPython(modules);
    const missing = lacking(...programs);
    const what = python === undefined ? ["python3", ...modules].join(" with ") : missing.join(", ");
    const register = testIf(python !== undefined && missing.length === 0, `no ${what}`);
    register(`the Python package passes ${tests}`, () => runTests(python ?? "", tests));
  }
}

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
