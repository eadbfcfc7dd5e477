/**
 * Runs all tests, and the examples in the documentation of `lib`, in several `deno test` at once:
 * `deno run -A tools/run_tests.ts [FLAG OF DENO TEST]… [PATH]…`.
 *
 * Most tests wait for sockets and for FFmpeg, one after the other they leave half of a machine idle.
 * They run in processes, not in the threads of `deno test --parallel`: many of them look for what
 * their own process has left behind.
 */

/** What `deno test` says of a run in its last line. */
export interface Summary {
  passed: number;
  failed: number;
  ignored: number;
}

/** Test files that one `deno test` gets: a few, so that all processes end at about the same time. */
const BATCH = 5;

const IS_TEST = /_test\.ts$/;

/** Tests that look at what is on a screen at every moment: they get the machine for themselves. */
const IS_ALONE = /\/window\//;

/**
 * Finds the line with which `deno test` ends, such as `ok | 12 passed (3 steps) | 0 failed (2s)`.
 *
 * @returns `undefined` where it did not run to its end
 */
export function readSummary(output: string): Summary | undefined {
  const lines = output.matchAll(
    /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed(?: \([^)]*\))?(?: \| (\d+) ignored)?/gm,
  );
  const [, passed, failed, ignored = 0] = [...lines].at(-1) ?? [];
  if (passed === undefined) return undefined;
  return { passed: Number(passed), failed: Number(failed), ignored: Number(ignored) };
}

/** Gives the test files of a file or folder, in the order of their names. */
export async function findTests(path: string): Promise<string[]> {
  if (!(await Deno.stat(path)).isDirectory) return [path];
  const entries = await Array.fromAsync(Deno.readDir(path));
  const found = await Promise.all(entries.map(({ name, isDirectory }) => {
    const inside = `${path}/${name}`;
    return isDirectory ? findTests(inside) : IS_TEST.test(name) ? [inside] : [];
  }));
  return found.flat().sort();
}

/** One `deno test` that has ended. */
interface Run {
  success: boolean;
  summary: Summary | undefined;
  paths: readonly string[];
}

/** Runs one `deno test`, and shows what it says when it has ended. */
async function runBatch(flags: readonly string[], paths: readonly string[]): Promise<Run> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", ...flags, ...paths],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stderr: "piped",
  });
  const { success, stdout, stderr } = await command.output();
  for (const bytes of [stderr, stdout]) {
    await new Blob([bytes]).stream().pipeTo(Deno.stdout.writable, { preventClose: true });
  }
  const summary = readSummary(new TextDecoder().decode(stdout));
  return { success, summary, paths };
}

function toBatches(tests: readonly string[]): string[][] {
  const count = Math.ceil(tests.length / BATCH);
  return Array.from({ length: count }, (_, at) => tests.slice(at * BATCH, (at + 1) * BATCH));
}

/** Runs batches one after the other until none is left. */
async function work(
  batches: string[][],
  flags: readonly string[],
  runs: Run[],
): Promise<void> {
  for (let paths = batches.shift(); paths !== undefined; paths = batches.shift()) {
    runs.push(await runBatch(paths[0] === "lib" ? ["--doc", ...flags] : flags, paths));
  }
}

function total(runs: readonly Run[], key: keyof Summary): number {
  return runs.reduce((sum, { summary }) => sum + (summary?.[key] ?? 0), 0);
}

/** @returns whether all tests passed */
async function main(args: readonly string[]): Promise<boolean> {
  const began = performance.now();
  const flags = args.filter((arg) => arg.startsWith("-"));
  const named = args.filter((arg) => !arg.startsWith("-"));
  const tests = (await Promise.all((named.length > 0 ? named : ["tests"]).map(findTests))).flat();
  const runs: Run[] = [];
  const batches = toBatches(tests.filter((path) => !IS_ALONE.test(path)));
  if (named.length === 0) batches.unshift(["lib"]);
  const workers = Array.from(
    { length: navigator.hardwareConcurrency },
    () => work(batches, flags, runs),
  );
  await Promise.all(workers);
  await work(toBatches(tests.filter((path) => IS_ALONE.test(path))), flags, runs);
  const broken = runs.filter(({ success }) => !success);
  const write = (line: string) => Deno.stdout.write(new TextEncoder().encode(`${line}\n`));
  // A run that broke off may have left half a line.
  await write("");
  for (const { summary, paths } of broken) {
    await write(`${summary === undefined ? "Did not end" : "Failed"} in ${paths.join(" ")}`);
  }
  const seconds = Math.round((performance.now() - began) / 1000);
  await write(
    `${broken.length === 0 ? "ok" : "FAILED"} | ${total(runs, "passed")} passed | ` +
      `${total(runs, "failed")} failed | ${total(runs, "ignored")} ignored ` +
      `(${Math.floor(seconds / 60)}m${seconds % 60}s)`,
  );
  return broken.length === 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args) ? 0 : 1);
