/** `deno task bench`: measures against other tools, each against the other in the same run. */
import { print } from "../lib/base/log.ts";
import { messageOf, UsageError } from "../lib/base/errors.ts";
import { choice, describeFlags, number, parseFlags, text, toggle } from "../lib/cli/flags.ts";
import { untilInterrupted } from "../lib/cli/signals.ts";
import { Clips } from "./clips.ts";
import { measureCopy } from "./copy.ts";
import { measureEncodings } from "./encodings.ts";
import { measureFirstFrame } from "./first_frame.ts";
import { measureLive } from "./live.ts";
import { readMachine } from "./machine.ts";
import { isMet, type Measurement, type Row, spreadOf } from "./measurement.ts";
import { measureMemory } from "./memory.ts";
import { measureSixty, measureThirty } from "./pacing.ts";
import { hasProc } from "./proc.ts";
import { findPrograms } from "./programs.ts";
import { readRecorded, withRecorded, writeRecorded } from "./recorded.ts";
import { measureStartup } from "./startup.ts";
import { renderTable } from "./table.ts";
import { measureThroughput } from "./throughput.ts";

const MEASUREMENTS = {
  "throughput": measureThroughput,
  "copy": measureCopy,
  "first-frame": measureFirstFrame,
  "pacing-30": measureThirty,
  "pacing-60": measureSixty,
  "memory": measureMemory,
  "encodings": measureEncodings,
  "live": measureLive,
  "startup": measureStartup,
} satisfies Record<string, Measurement>;

type Name = keyof typeof MEASUREMENTS;

const NAMES = Object.keys(MEASUREMENTS) as Name[];

/** What shows soon whether something has become slower. */
const QUICK_NAMES: readonly Name[] = ["throughput", "first-frame", "pacing-30", "live"];

const FLAGS = {
  only: choice(NAMES, "the one thing to measure", undefined),
  quick: toggle("less of it, within a minute"),
  rounds: number("N", "how often each side is measured (5; 2 with --quick)", {
    absent: undefined,
    bounds: { min: 1, max: 1000, integer: true },
  }),
  json: text("FILE", "write the figures there as well", undefined),
  record: toggle("keep the figures, to be shown beside those of later runs"),
  help: toggle("print this and exit"),
};

/** Rounds, seconds of what is played in real time, and of what is live. */
const THOROUGH = { rounds: 5, seconds: 30, liveSeconds: 10 };
const QUICK = { rounds: 2, seconds: 2, liveSeconds: 4 };

const USAGE = `Usage: deno task bench [flags]

Measures this project's numbers against other tools, in turn, in one run.

${describeFlags(FLAGS, { What: ["only", "quick", "rounds"], Also: ["json", "record", "help"] })}`;

/** A row as it stands in the file. */
interface ResultRow extends Row {
  measurement: Name;
  met: boolean | undefined;
  spread: ReturnType<typeof spreadOf>;
}

interface Result {
  rows: ResultRow[];
  skipped: string[];
  /** What of ours, or of what is needed for it, broke. */
  failed: string[];
}

async function measure(
  names: readonly Name[],
  { quick, rounds, signal }: { quick: boolean; rounds: number | undefined; signal: AbortSignal },
): Promise<Result> {
  const usual = quick ? QUICK : THOROUGH;
  const extent = { ...usual, rounds: rounds ?? usual.rounds };
  const folder = await Deno.makeTempDir({ prefix: "stream_bench_" });
  try {
    const tell = (line: string) => print(Deno.stderr, `${line}\n`);
    const clips = new Clips(folder, { ...extent, tell });
    const programs = await findPrograms();
    const result: Result = { rows: [], skipped: [], failed: [] };
    for (const name of names) {
      const skip = (what: string) => {
        result.skipped.push(what);
        tell(`${name}: skipped, ${what}`);
      };
      const report = (line: string) => tell(`${name}: ${line}`);
      const bench = { clips, programs, signal, quick, ...extent, tell: report, skip };
      try {
        const rows = await MEASUREMENTS[name](bench);
        result.rows.push(...rows.map((row) => ({
          ...{ measurement: name, ...row, met: isMet(row), spread: spreadOf(row) },
        })));
      } catch (error) {
        signal.throwIfAborted();
        // What takes minutes is not thrown away for what has nothing to do with it.
        result.failed.push(`${name}: ${messageOf(error)}`);
      }
    }
    return result;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function main(signal: AbortSignal): Promise<void> {
  const { only, quick, rounds, json, record, help } = parseFlags(FLAGS, Deno.args);
  if (help) return print(Deno.stdout, USAGE);
  if (record && (quick || only !== undefined || rounds !== undefined)) {
    throw new UsageError(
      "Cannot record a part: expected --record without --quick, --only and --rounds",
    );
  }
  if (!hasProc()) {
    throw new Error(
      `Cannot measure on ${Deno.build.os}: processor time and memory are read from Linux's /proc`,
    );
  }
  if (json !== undefined) await checkWritable(json);
  const machine = await readMachine();
  const names = only !== undefined ? [only] : quick ? QUICK_NAMES : NAMES;
  const { rows, skipped, failed } = await measure(names, { quick, rounds, signal });
  if (rows.length > 0) {
    print(Deno.stdout, renderTable(withRecorded(rows, await readRecorded())));
  }
  for (const what of skipped) print(Deno.stdout, `skipped: ${what}\n`);
  const { processor, cores, load } = machine;
  print(Deno.stdout, `${processor}, ${cores} cores, load before: ${load.toFixed(1)}\n`);
  const result = { date: new Date().toISOString(), machine, quick, skipped, failed, rows };
  if (json !== undefined) await Deno.writeTextFile(json, `${JSON.stringify(result, null, 2)}\n`);
  if (failed.length > 0) throw new Error(failed.join("\n"));
  if (record) await writeRecorded(rows);
}

/** Finds out that a file cannot be written before minutes have been spent on what it is to hold. */
async function checkWritable(path: string): Promise<void> {
  try {
    (await Deno.open(path, { write: true, create: true })).close();
    const { isFile, size } = await Deno.stat(path);
    // A run that is broken off leaves no empty file behind.
    if (isFile && size === 0) await Deno.remove(path);
  } catch (cause) {
    throw new UsageError(
      `Cannot write "${path}": ${messageOf(cause)}, expected a file in a folder that is there`,
      { cause },
    );
  }
}

using interrupt = untilInterrupted();
let status = 0;
try {
  await main(interrupt.signal);
} catch (error) {
  status = interrupt.signal.aborted ? await interrupt.status : error instanceof UsageError ? 2 : 1;
  if (status <= 2) print(Deno.stderr, `${messageOf(error)}\n`);
}
Deno.exit(status);
