/** `deno task bench`: measures against other tools, each against the other in the same run. */
import { print } from "../lib/core/console.ts";
import { messageOf, UsageError } from "../lib/core/errors.ts";
import { choice, describeFlags, parseFlags, text, toggle } from "../lib/core/flags.ts";
import { untilInterrupted } from "../lib/core/interrupt.ts";
import { makeClips } from "./clips.ts";
import { measureEncodings } from "./encodings.ts";
import { measureFirstFrame } from "./first_frame.ts";
import { measureLive } from "./live.ts";
import { isMet, type Measurement, type Row } from "./measurement.ts";
import { measureMemory } from "./memory.ts";
import { measureSixty, measureThirty } from "./pacing.ts";
import { findPrograms } from "./programs.ts";
import { renderTable } from "./table.ts";
import { measureThroughput } from "./throughput.ts";

const MEASUREMENTS = {
  "throughput": measureThroughput,
  "first-frame": measureFirstFrame,
  "pacing-30": measureThirty,
  "pacing-60": measureSixty,
  "memory": measureMemory,
  "encodings": measureEncodings,
  "live": measureLive,
} satisfies Record<string, Measurement>;

type Name = keyof typeof MEASUREMENTS;

const NAMES = Object.keys(MEASUREMENTS) as Name[];

const FLAGS = {
  only: choice(NAMES, "the one thing to measure", undefined),
  quick: toggle("fewer and shorter rounds, within a minute and a half"),
  json: text("FILE", "write the figures there as well", undefined),
  help: toggle("print this and exit"),
};

/** Rounds, seconds of what is played in real time, and of what is live. */
const THOROUGH = { rounds: 5, seconds: 10, liveSeconds: 20 };
const QUICK = { rounds: 2, seconds: 2, liveSeconds: 8 };

const USAGE = `Usage: deno task bench [flags]

Measures this project's numbers against FFmpeg's own, in turn, in one run.

${describeFlags(FLAGS, { What: ["only", "quick"], Also: ["json", "help"] })}`;

async function main(signal: AbortSignal): Promise<void> {
  const { only, quick, json, help } = parseFlags(FLAGS, Deno.args);
  if (help) return print(Deno.stdout, USAGE);
  const [load] = Deno.loadavg();
  const extent = quick ? QUICK : THOROUGH;
  const folder = await Deno.makeTempDir({ prefix: "stream_bench_" });
  try {
    const tell = (line: string) => print(Deno.stderr, `${line}\n`);
    tell("making two videos");
    const clips = await makeClips({ folder, seconds: extent.seconds }, signal);
    const programs = await findPrograms();
    const rows: (Row & { measurement: Name; met: boolean | undefined })[] = [];
    for (const name of only === undefined ? NAMES : [only]) {
      const report = (line: string) => tell(`${name}: ${line}`);
      const found = await MEASUREMENTS[name]({
        clips,
        programs,
        signal,
        quick,
        ...extent,
        tell: report,
      });
      rows.push(...found.map((row) => ({ measurement: name, ...row, met: isMet(row) })));
    }
    const cores = navigator.hardwareConcurrency;
    tell(`${cores} cores; average load of the minute before: ${load.toFixed(1)}`);
    print(Deno.stdout, renderTable(rows));
    if (json !== undefined) await Deno.writeTextFile(json, `${JSON.stringify(rows, null, 2)}\n`);
  } finally {
    await Deno.remove(folder, { recursive: true });
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
