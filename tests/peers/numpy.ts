/** Tests against real Python with numpy. */
import { findPythons } from "./python.ts";

/**
 * Registers a test for each Python with the given modules, or one that says why it is ignored if there
 * is none.
 */
export async function interopTest(
  name: string,
  fn: (python: string) => Promise<void>,
  modules: string[] = ["numpy"],
): Promise<void> {
  const pythons = await findPythons(modules);
  for (const python of pythons) {
    Deno.test(`${name} (${python})`, () => fn(python));
  }
  if (pythons.length === 0) {
    const missing = `ignored: no python3 with ${modules.join(" and ")}`;
    Deno.test({ name: `${name} (${missing})`, ignore: true, fn() {} });
  }
}

/** Runs a script and gives its lines of JSON. */
export async function runPython(
  python: string,
  script: string,
  input = new Blob(),
): Promise<unknown[]> {
  const child = new Deno.Command(python, {
    args: ["-c", script],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [{ success, stdout, stderr }] = await Promise.all([
    child.output(),
    input.stream().pipeTo(child.stdin),
  ]);
  const errors = new TextDecoder().decode(stderr);
  if (!success) throw new Error(`Cannot run the test's Python script: ${errors}`);
  const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line));
}
