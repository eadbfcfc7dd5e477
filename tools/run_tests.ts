/**
 * Runs all tests, and the examples in the documentation of `lib`, in several `deno test` at once:
 * `deno run -A tools/run_tests.ts [--patience=SECONDS] [FLAG OF DENO TEST]… [PATH]…`.
 *
 * Most tests wait for sockets and for FFmpeg, one after the other they leave half of a machine idle.
 * They run in processes, not in the threads of `deno test --parallel`: many of them look for what
 * their own process has left behind. A `deno test` that takes longer than the patience is ended.
 */
import { untilInterrupted } from "../lib/cli/signals.ts";

/** What `deno test` says of a run in its last line. */
export interface Summary {
  passed: number;
  failed: number;
  ignored: number;
}

/** Test files that one `deno test` gets: a few, so that all processes end at about the same time. */
const BATCH = 5;

const IS_TEST = /_test\.ts$/;

/**
 * Default limit for one `deno test`, in seconds. It ends what hangs; on a machine with a load of ten
 * the longest batch took 460 s.
 */
const PATIENCE = 1200;

/** What stands in the environment of everything that a `deno test` starts, by which it is found. */
const MARK = "RUN_TESTS_BATCH";

/** Tests of what shows on a screen, in real time: they run with nothing beside them. */
const IS_ALONE = /\/window\/|\/browser_test\.ts$/;

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
    const what = "expected a test file or a folder; the value of a flag goes behind its =";
    throw new Error(`Cannot find "${path}": ${what}`, { cause });
  }
}

/** What a command line says. */
interface Orders {
  /** For every `deno test`. */
  flags: string[];
  /** Files and folders. */
  paths: string[];
  /** Seconds that a `deno test` may take. */
  patience: number;
}

/** Tells flags from paths. */
export function readArguments(args: readonly string[]): Orders {
  const orders: Orders = { flags: [], paths: [], patience: PATIENCE };
  for (let at = 0; at < args.length; at++) {
    const [, patience] = args[at].match(/^--patience=(\d+)$/) ?? [];
    if (patience !== undefined) orders.patience = Number(patience);
    // Of the flags with a word of their own behind them, the one that people use.
    else if (args[at] === "--filter" && at + 1 < args.length) {
      orders.flags.push(`--filter=${args[++at]}`);
    } else (args[at].startsWith("-") ? orders.flags : orders.paths).push(args[at]);
  }
  return orders;
}

/** One `deno test` that has ended. */
interface Run {
  success: boolean;
  summary: Summary | undefined;
  paths: readonly string[];
  /** Command lines of what it left running. */
  left: readonly string[];
}

/** How a `deno test` is run. */
interface RunOptions {
  flags: readonly string[];
  /** Seconds that it may take. */
  patience: number;
  /** Ends it. */
  signal: AbortSignal;
}

/** Runs one `deno test`, shows what it says when it has ended, and ends what it has left behind. */
async function runBatch(
  paths: readonly string[],
  { flags, patience, signal }: RunOptions,
): Promise<Run> {
  const mark = crypto.randomUUID();
  // Tests of this very program are in a run themselves, and are to be found by it, too.
  const marks = [Deno.env.get(MARK) ?? "", mark].join(" ");
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", ...flags, ...paths],
    env: { NO_COLOR: "1", [MARK]: marks },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const outputs = [child.stderr, child.stdout].map((stream) => new Response(stream).bytes());
  const over = AbortSignal.any([signal, AbortSignal.timeout(1000 * patience)]);
  const end = () => kill(child.pid);
  over.addEventListener("abort", end);
  const { success } = await child.status;
  over.removeEventListener("abort", end);
  // They may also hold the pipes open.
  const left = await endMarked(mark);
  const said = await Promise.all(outputs);
  for (const bytes of said) {
    await new Blob([bytes]).stream().pipeTo(Deno.stdout.writable, { preventClose: true });
  }
  return { success, summary: readSummary(new TextDecoder().decode(said[1])), paths, left };
}

/**
 * Ends all processes that have a mark in their environment, where the system tells (proc(5)).
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

/** The command line of a process that has a mark. */
async function markedCommand(pid: string, mark: string): Promise<string | undefined> {
  try {
    if (!(await Deno.readTextFile(`/proc/${pid}/environ`)).includes(mark)) return undefined;
    return (await Deno.readTextFile(`/proc/${pid}/cmdline`)).replaceAll("\0", " ").trim();
  } catch {
    return undefined; // It is somebody else's, or has ended meanwhile.
  }
}

/** Ends a process at once, if it has not ended by itself. */
function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Deals test files out to batches. Long ones stand next to each other, in the same folder, and so
 * come into different batches: these take about as long as each other.
 */
export function toBatches(tests: readonly string[]): string[][] {
  const count = Math.ceil(tests.length / BATCH);
  return Array.from({ length: count }, (_, batch) => tests.filter((_, at) => at % count === batch));
}

/** Runs batches one after the other until none is left. */
async function work(batches: string[][], runs: Run[], options: RunOptions): Promise<void> {
  const { flags, signal } = options;
  for (let paths = batches.shift(); paths !== undefined; paths = batches.shift()) {
    if (signal.aborted) return;
    const own = paths[0] === "lib" ? ["--doc", ...flags] : flags;
    runs.push(await runBatch(paths, { ...options, flags: own }));
  }
}

function total(runs: readonly Run[], key: keyof Summary): number {
  return runs.reduce((sum, { summary }) => sum + (summary?.[key] ?? 0), 0);
}

const write = (line: string) => Deno.stdout.write(new TextEncoder().encode(`${line}\n`));

/** @returns whether all tests passed */
async function main(args: readonly string[], signal: AbortSignal): Promise<boolean> {
  const began = performance.now();
  const { flags, paths, patience } = readArguments(args);
  const tests = (await Promise.all((paths.length > 0 ? paths : ["tests"]).map(findTests))).flat();
  const runs: Run[] = [];
  const batches = toBatches(tests.filter((path) => !IS_ALONE.test(path)));
  if (paths.length === 0) batches.unshift(["lib"]);
  const options = { flags, patience, signal };
  const workers = Array.from(
    { length: navigator.hardwareConcurrency },
    () => work(batches, runs, options),
  );
  await Promise.all(workers);
  await work(toBatches(tests.filter((path) => IS_ALONE.test(path))), runs, options);
  const broken = runs.filter(({ success, summary }) => !success || summary === undefined);
  // A run that broke off may have left half a line.
  await write("");
  for (const { success, left, paths } of runs) {
    // Whoever is ended leaves its children.
    if (success && left.length > 0) await write(`Left ${left.join("; ")} in ${paths.join(" ")}`);
  }
  for (const { summary, paths } of broken) {
    await write(`${summary === undefined ? "Did not end" : "Failed"} in ${paths.join(" ")}`);
  }
  const count = total(runs, "passed") + total(runs, "failed") + total(runs, "ignored");
  if (count === 0 && broken.length === 0) await write("There were no tests: expected one at least");
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
