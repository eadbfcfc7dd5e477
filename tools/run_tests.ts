/**
 * Runs all tests, and the examples in the documentation of `mod.ts` and `lib`, in several
 * `deno test` at once:
 * `deno run -A tools/run_tests.ts [--patience=SECONDS] [FLAG OF DENO TEST]… [PATH]…`.
 *
 * Most tests wait for sockets and FFmpeg; run one after another, they leave half of a machine idle.
 * They run in processes, not in the threads of `deno test --parallel`, because many of them check
 * for leftovers of their own process. A `deno test` that exceeds the patience is killed.
 */
import { pathToFileURL } from "node:url";
import { untilInterrupted } from "../lib/cli/signals.ts";

/** The last line of `deno test`. */
export interface Summary {
  passed: number;
  failed: number;
  ignored: number;
}

/** Runs beyond one for each core: half of the time a run waits, for frames in real time mostly. */
const MORE_RUNS = 1;

/** Test files per `deno test`: few, so that all processes end at about the same time. */
const BATCH = 8;

const IS_TEST = /_test\.ts$/;

/** Code whose documentation has examples. */
const DOCUMENTED = ["mod.ts", "lib"];

/**
 * Default limit for one `deno test`, in seconds. It kills runs that hang; on a machine with a load
 * of ten the longest batch took 460 s.
 */
const PATIENCE = 1200;

/** Environment variable that marks all processes started by a `deno test`. */
const MARK = "RUN_TESTS_BATCH";

/** Environment variable with a folder for media that tests make, which is the same for all. */
const MEDIA = "STREAM_TEST_MEDIA";

/** Tests that use a screen in real time, and run alone. */
const IS_ALONE = /\/window\/|\/browser_test\.ts$/;

/**
 * Finds the line with which `deno test` ends, such as `ok | 12 passed (3 steps) | 0 failed (2s)`.
 *
 * @returns `undefined` if the run did not finish
 */
export function readSummary(output: string): Summary | undefined {
  const lines = output.matchAll(
    /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed(?: \([^)]*\))?(?: \| (\d+) ignored)?/gm,
  );
  const [, passed, failed, ignored = 0] = [...lines].at(-1) ?? [];
  if (passed === undefined) return undefined;
  return { passed: Number(passed), failed: Number(failed), ignored: Number(ignored) };
}

/** Lines of the errors of a run that are repeated at the end: the first and the last ones, at most. */
const MAX_ERROR_LINES = 200;

/** The errors that `deno test` reports after its other output; empty if no test failed. */
export function errorsIn(output: string): string {
  // The first such line: an error may quote the output of another run.
  const at = output.indexOf("\n ERRORS \n");
  if (at < 0) return "";
  const lines = output.slice(at + 1).trimEnd().split("\n");
  const left = lines.length - MAX_ERROR_LINES;
  if (left > 0) lines.splice(MAX_ERROR_LINES / 2, left, `… ${left} lines are left out …`);
  return lines.join("\n");
}

/** Returns the test files of a file or folder, sorted by name. */
export async function findTests(path: string): Promise<string[]> {
  if (!await isFolder(path)) return [path];
  const entries = await Array.fromAsync(Deno.readDir(path));
  const found = await Promise.all(entries.map(({ name, isDirectory }) => {
    const inside = `${path}/${name}`;
    return isDirectory ? findTests(inside) : IS_TEST.test(name) ? [inside] : [];
  }));
  return found.flat().sort();
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    const what = "expected a test file or a folder; write flags with values as --flag=value";
    throw new Error(`Cannot find "${path}": ${what}`, { cause });
  }
}

/** A parsed command line. */
interface TestRunOptions {
  /** Flags of every `deno test`. */
  flags: string[];
  /** Files and folders. */
  paths: string[];
  /** Limit for a `deno test`, seconds. */
  patience: number;
}

/** Separates flags from paths. */
export function readArguments(args: readonly string[]): TestRunOptions {
  const options: TestRunOptions = { flags: [], paths: [], patience: PATIENCE };
  for (let at = 0; at < args.length; at++) {
    const [, patience] = args[at].match(/^--patience=(\d+)$/) ?? [];
    if (patience !== undefined) options.patience = Number(patience);
    // The only common flag whose value is a separate argument.
    else if (args[at] === "--filter" && at + 1 < args.length) {
      options.flags.push(`--filter=${args[++at]}`);
    } else (args[at].startsWith("-") ? options.flags : options.paths).push(args[at]);
  }
  return options;
}

/** One `deno test` that has ended. */
interface Run {
  success: boolean;
  summary: Summary | undefined;
  /** See {@linkcode errorsIn}. */
  errors: string;
  paths: readonly string[];
  /** Command lines of processes it left running. */
  left: readonly string[];
}

/** Options of {@linkcode runBatch}. */
interface RunOptions {
  flags: readonly string[];
  /** Folder for what all runs share. */
  shared: string;
  /** Limit in seconds. */
  patience: number;
  /** Kills it. */
  signal: AbortSignal;
}

/**
 * Writes a module that imports test files. `deno test` loads the code under test again for each
 * module that it is given, which takes longer than many a test.
 *
 * @returns the modules to test
 */
async function joined(paths: readonly string[], path: string): Promise<readonly string[]> {
  if (paths.length < 2) return paths;
  const imports = paths.map((path) => `import ${JSON.stringify(pathToFileURL(path).href)};\n`);
  await Deno.writeTextFile(path, imports.join(""));
  return [path];
}

/** Runs one `deno test`, then prints its output and kills the processes it left running. */
async function runBatch(
  paths: readonly string[],
  { flags, shared, patience, signal }: RunOptions,
): Promise<Run> {
  const mark = crypto.randomUUID();
  const modules = paths === DOCUMENTED ? paths : await joined(paths, `${shared}/${mark}_test.ts`);
  // Keeps the marks of an outer run, because this program has tests itself.
  const marks = [Deno.env.get(MARK) ?? "", mark].join(" ");
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", ...flags, ...modules],
    env: { NO_COLOR: "1", [MARK]: marks, [MEDIA]: shared },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const outputs = [child.stderr, child.stdout].map((stream) => new Response(stream).bytes());
  const stop = AbortSignal.any([signal, AbortSignal.timeout(1000 * patience)]);
  const end = () => kill(child.pid);
  stop.addEventListener("abort", end);
  const { success } = await child.status;
  stop.removeEventListener("abort", end);
  // Leftover processes may also hold the pipes open.
  const left = await endMarked(mark);
  const texts = await Promise.all(outputs);
  for (const bytes of texts) await writeWhole(bytes);
  const output = new TextDecoder().decode(texts[1]);
  return { success, summary: readSummary(output), errors: errorsIn(output), paths, left };
}

/**
 * Kills all processes with a mark in their environment, if the system has proc(5).
 *
 * @returns their command lines
 */
async function endMarked(mark: string): Promise<string[]> {
  if (Deno.build.os !== "linux") return [];
  const ended = new Map<string, string>();
  for (let found = true; found;) {
    found = false;
    for await (const { name } of Deno.readDir("/proc")) {
      const command = /^\d+$/.test(name) ? await markedCommand(name, mark) : undefined;
      if (command === undefined) continue;
      found = true;
      ended.set(name, command);
      kill(Number(name));
    }
  }
  return [...ended.values()];
}

/** The command line of a process with a mark. */
async function markedCommand(pid: string, mark: string): Promise<string | undefined> {
  try {
    if (!(await Deno.readTextFile(`/proc/${pid}/environ`)).includes(mark)) return undefined;
    return (await Deno.readTextFile(`/proc/${pid}/cmdline`)).replaceAll("\0", " ").trim();
  } catch {
    return undefined; // It belongs to another user, or has ended.
  }
}

/** Kills a process that may have ended already. */
function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Distributes test files to batches. Slow ones are in the same folder, so neighbours go to
 * different batches, which take about equally long.
 */
export function toBatches(tests: readonly string[]): string[][] {
  const count = Math.ceil(tests.length / BATCH);
  return Array.from({ length: count }, (_, batch) => tests.filter((_, at) => at % count === batch));
}

/** Runs batches one after another until none is left. */
async function work(batches: string[][], runs: Run[], options: RunOptions): Promise<void> {
  const { flags, signal } = options;
  for (let paths = batches.shift(); paths !== undefined; paths = batches.shift()) {
    if (signal.aborted) return;
    // The examples are not among the code that was checked.
    const own = paths === DOCUMENTED
      ? ["--doc", ...flags.filter((flag) => flag !== "--no-check")]
      : flags;
    runs.push(await runBatch(paths, { ...options, flags: own }));
  }
}

/**
 * Checks the types of all code at once, as `deno task check` does. Each `deno test` would check the
 * modules that its files share with the others again.
 *
 * @param flags of `deno test`
 */
async function checkTypes(
  { flags, signal }: { flags: readonly string[]; signal: AbortSignal },
): Promise<boolean> {
  const own = flags.filter((flag) => flag.startsWith("--import-map="));
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--quiet", ...own, "."],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
    signal,
  }).output();
  return success;
}

function total(runs: readonly Run[], key: keyof Summary): number {
  return runs.reduce((sum, { summary }) => sum + (summary?.[key] ?? 0), 0);
}

/** Settles when all output so far is written. */
let written = Promise.resolve();

/** Writes all of an output to stdout, behind the outputs of other runs that are being written. */
function writeWhole(bytes: Uint8Array): Promise<void> {
  return written = written.then(async () => {
    for (let at = 0; at < bytes.byteLength;) at += await Deno.stdout.write(bytes.subarray(at));
  });
}

const write = (line: string) => writeWhole(new TextEncoder().encode(`${line}\n`));

/** @returns whether all tests passed */
async function main(args: readonly string[], signal: AbortSignal): Promise<boolean> {
  const began = performance.now();
  const { flags, paths, patience } = readArguments(args);
  const isAll = paths.length === 0;
  const tests = (await Promise.all((isAll ? ["tests"] : paths).map(findTests))).flat();
  if (isAll && !await checkTypes({ flags, signal })) {
    throw new Error("Cannot run the tests: the type check failed, see above");
  }
  const runs: Run[] = [];
  const batches = toBatches(tests.filter((path) => !IS_ALONE.test(path)));
  if (isAll) batches.unshift(DOCUMENTED);
  const shared = await Deno.makeTempDir({ prefix: "stream_tests_" });
  await using _shared = {
    [Symbol.asyncDispose]: () => Deno.remove(shared, { recursive: true }),
  };
  const options = { flags: isAll ? ["--no-check", ...flags] : flags, shared, patience, signal };
  const workers = Array.from(
    { length: navigator.hardwareConcurrency + MORE_RUNS },
    () => work(batches, runs, options),
  );
  await Promise.all(workers);
  await work(toBatches(tests.filter((path) => IS_ALONE.test(path))), runs, options);
  const broken = runs.filter(({ success, summary }) => !success || summary === undefined);
  // A killed run may have left a partial line.
  await write("");
  for (const { success, left, paths } of runs) {
    // Leftovers of a killed run are expected.
    if (success && left.length > 0) await write(`Left ${left.join("; ")} in ${paths.join(" ")}`);
  }
  for (const { summary, errors, paths } of broken) {
    if (errors !== "") await write(errors);
    await write(`${summary === undefined ? "Did not finish" : "Failed"} in ${paths.join(" ")}`);
  }
  const count = total(runs, "passed") + total(runs, "failed") + total(runs, "ignored");
  if (count === 0 && broken.length === 0) await write("Found no tests: expected at least one");
  const isWell = broken.length === 0 && count > 0 && !signal.aborted;
  const seconds = Math.round((performance.now() - began) / 1000);
  await write(
    `${isWell ? "ok" : "FAILED"} | ${total(runs, "passed")} passed | ` +
      `${total(runs, "failed")} failed | ${total(runs, "ignored")} ignored ` +
      `(${Math.floor(seconds / 60)}m${seconds % 60}s)`,
  );
  return isWell;
}

if (import.meta.main) {
  using interrupt = untilInterrupted();
  let status = 1;
  try {
    if (await main(Deno.args, interrupt.signal)) status = 0;
  } catch (error) {
    await write(error instanceof Error ? error.message : String(error));
  }
  Deno.exit(interrupt.signal.aborted ? await interrupt.status : status);
}
