/** `deno task bench`: compares with other tools in the same run. */
import { print } from "../lib/base/log.ts";
import { messageOf, UsageError } from "../lib/base/errors.ts";
import { choice, describeFlags, number, parseFlags, text, toggle } from "../lib/cli/flags.ts";
import { untilInterrupted } from "../lib/cli/signals.ts";
import { measureArrays } from "./arrays.ts";
import { Clips } from "./clips.ts";
import { measureCopy } from "./copy.ts";
import { measureEncodings } from "./encodings.ts";
import { measureFairness } from "./fairness.ts";
import { measureFirstFrame } from "./first_frame.ts";
import { measureListing } from "./listing.ts";
import { measureLive } from "./live.ts";
import { readMachine } from "./machine.ts";
import { measureMany } from "./many.ts";
import { isMet, type Measurement, type Row, spreadOf } from "./measurement.ts";
import { measureMemory } from "./memory.ts";
import { measureSixty, measureThirty } from "./pacing.ts";
import { hasProc } from "./proc.ts";
import { measureNewest } from "./newest.ts";
import { measurePublish } from "./publish.ts";
import { findPrograms } from "./programs.ts";
import { readRecorded, withRecorded, writeRecorded } from "./recorded.ts";
import { measureRelays } from "./relay_chain.ts";
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
  "newest": measureNewest,
  "relays": measureRelays,
  "publish": measurePublish,
  "many": measureMany,
  "fairness": measureFairness,
  "arrays": measureArrays,
  "startup": measureStartup,
  "listing": measureListing,
} satisfies Record<string, Measurement>;

type Name = keyof typeof MEASUREMENTS;

const NAMES = Object.keys(MEASUREMENTS) as Name[];

/** Benchmarks that soon show a slowdown. */
const QUICK_NAMES: readonly Name[] = ["throughput", "first-frame", "pacing-30", "live"];

const FLAGS = {
  only: choice(NAMES, "run only this benchmark", undefined),
  quick: toggle("run a part of the benchmarks, within a minute"),
  rounds: number("N", "measurements of each side (5; 2 with --quick)", {
    absent: undefined,
    bounds: { min: 1, max: 1000, integer: true },
  }),
  json: text("FILE", "also write the figures to FILE", undefined),
  record: toggle("save the figures, to compare later runs with"),
  help: toggle("print this and exit"),
};

/** Rounds, seconds of playback in real time, and seconds of live sources. */
const THOROUGH = { rounds: 5, seconds: 24, liveSeconds: 8 };
const QUICK = { rounds: 2, seconds: 2, liveSeconds: 4 };

const USAGE = `Usage: deno task bench [flags]

Compares this project with other tools, alternating in the same run.

${describeFlags(FLAGS, { What: ["only", "quick", "rounds"], Also: ["json", "record", "help"] })}`;

/** A row of the JSON file. */
interface ResultRow extends Row {
  measurement: Name;
  met: boolean | undefined;
  spread: ReturnType<typeof spreadOf>;
}

interface Result {
  rows: ResultRow[];
  skipped: string[];
  /** Errors of this project's side, or of what it needs. */
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
    const log = (line: string) => print(Deno.stderr, `${line}\n`);
    const clips = new Clips(folder, { ...extent, log });
    const programs = await findPrograms();
    const result: Result = { rows: [], skipped: [], failed: [] };
    for (const name of names) {
      const skip = (what: string) => {
        result.skipped.push(what);
        log(`${name}: skipped, ${what}`);
      };
      const report = (line: string) => log(`${name}: ${line}`);
      const bench = { clips, programs, signal, quick, ...extent, log: report, skip };
      try {
        const rows = await MEASUREMENTS[name](bench);
        result.rows.push(...rows.map((row) => ({
          ...{ measurement: name, ...row, met: isMet(row), spread: spreadOf(row) },
        })));
      } catch (error) {
        signal.throwIfAborted();
        // Keeps the results of the other benchmarks.
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

/** Checks that a file can be written before the benchmarks run. */
async function checkWritable(path: string): Promise<void> {
  try {
    (await Deno.open(path, { write: true, create: true })).close();
    const { isFile, size } = await Deno.stat(path);
    // An interrupted run leaves no empty file.
    if (isFile && size === 0) await Deno.remove(path);
  } catch (cause) {
    throw new UsageError(
      `Cannot write "${path}": ${messageOf(cause)}, expected a file in an existing folder`,
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
