/**
 * `deno task soak`: runs a server with viewers that connect, stall, reset, send malformed data,
 * take more than their share and disconnect at random. At the end, memory, descriptors and processes must not have grown, and the
 * server's responses must still be exact.
 */
import { print } from "../lib/base/log.ts";
import { messageOf, UsageError } from "../lib/base/errors.ts";
import { describeFlags, number, parseFlags, toggle } from "../lib/cli/flags.ts";
import { untilInterrupted } from "../lib/cli/signals.ts";
import { Random } from "../tests/fuzz/random.ts";
import { ABUSES } from "./soak/abusers.ts";
import { makeAccess } from "./soak/access.ts";
import { makeMedia } from "./soak/media.ts";
import { ServerProcess } from "./soak/server_process.ts";
import { judge, megabytes, type Sample } from "./soak/verdict.ts";
import { checkExact, isUsual, LIVE, type VisitOptions, VISITS } from "./soak/visits.ts";

const FLAGS = {
  minutes: number("N", "duration (3)", { absent: 3, bounds: { min: 0.05, max: 1e5 } }),
  hours: number<number | undefined>("N", "the same in hours", {
    absent: undefined,
    bounds: { min: 0.01, max: 1e4 },
  }),
  viewers: number("N", "number of concurrent viewers (12)", {
    absent: 12,
    bounds: { min: 1, max: 1000, integer: true },
  }),
  seed: number<number | undefined>("N", "seed of the random numbers; default: the time", {
    absent: undefined,
    bounds: { min: 0, max: 2 ** 32 - 1, integer: true },
  }),
  secure: toggle("use a token and TLS"),
  help: toggle("print this and exit"),
};

const USAGE = `Usage: deno task soak [flags]

Starts a server with viewers that connect, stall, reset, send malformed data,
take more than their share and disconnect. Fails if memory, descriptors or processes grow, or if a response is
wrong.

${
  describeFlags(FLAGS, { What: ["minutes", "hours", "viewers", "seed", "secure"], Also: ["help"] })
}`;

/** Seconds of load, followed by a wait until the server is idle. */
const ROUND = 10;

/** Minimum number of rounds. */
const MIN_ROUNDS = 2;

/** Milliseconds until the server must be idle: more than any of its timeouts. */
const PATIENCE = 300_000;

/** Milliseconds between samples of the busy server. */
const SAMPLE_INTERVAL = 2000;

interface Soak {
  server: ServerProcess;
  options: Omit<VisitOptions, "random">;
  signal: AbortSignal;
  /** Number of visits by name. */
  visits: Map<string, number>;
  complaints: string[];
}

async function main(signal: AbortSignal): Promise<boolean> {
  const { minutes, hours, viewers, seed = Date.now() % 2 ** 32, secure, help } = parseFlags(
    FLAGS,
    Deno.args,
  );
  if (help) {
    print(Deno.stdout, USAGE);
    return true;
  }
  if (Deno.build.os !== "linux") throw new Error("Cannot inspect processes: expected Linux");
  const folder = await Deno.makeTempDir({ prefix: "stream_soak_" });
  try {
    const { path, frames } = await makeMedia(folder);
    const access = secure ? await makeAccess(folder) : { flags: [] };
    await using server = await ServerProcess.start([
      ...["--media", path, "--live", `${LIVE}=lavfi:testsrc2=size=160x120:rate=15`],
      ...["--live-linger", "1", "--max-clients", String(viewers + 8), "--max-decoders", "6"],
      // A cache that is soon full, since memory that grows until then is no fault.
      ...["--cache", "16"],
      ...access.flags,
    ]);
    const options = { port: server.port, token: access.token, frames, crowd: viewers + 16 };
    const soak: Soak = { server, options, signal, visits: new Map(), complaints: [] };
    const seconds = hours === undefined ? 60 * minutes : 3600 * hours;
    print(Deno.stdout, `${seconds} s, ${viewers} viewers, seed ${seed}\n`);
    return await run(soak, { seconds, viewers, seed });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function run(
  soak: Soak,
  { seconds, viewers, seed }: { seconds: number; viewers: number; seed: number },
): Promise<boolean> {
  const { server, signal, complaints, visits } = soak;
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1000;
  const samples: Sample[] = [];
  const length = Math.min(ROUND, seconds / MIN_ROUNDS);
  while ((elapsed() < seconds || samples.length < MIN_ROUNDS) && !signal.aborted) {
    const peak = await round(soak, { length, viewers, seed, turn: samples.length });
    const left = await server.idle(PATIENCE);
    if (left !== undefined) complaints.push(`The server does not become idle: ${left}`);
    const [memory, descriptors, children] = await Promise.all(
      [server.memory(), server.lastDescriptors(samples[0]?.descriptors), server.children()],
    );
    samples.push({ at: elapsed(), memory, descriptors, children });
    const total = [...visits.values()].reduce((sum, count) => sum + count, 0);
    print(
      Deno.stdout,
      `${elapsed().toFixed(0).padStart(6)} s  ${total} visits  idle ${megabytes(memory)}, ` +
        `${descriptors} descriptors; busy ${peak}\n`,
    );
    if (complaints.length > 0) break;
  }
  await complain(complaints, () => checkExact(soak.options));
  const { code, signal: killed } = await server.end();
  if (![0, 130, 143].includes(code) || killed !== null) {
    complaints.push(`The server ended with status ${code}, ${killed}: expected a clean exit`);
  }
  complaints.push(...server.faults.map((line) => `The log has: ${line}`));
  const verdict = judge(samples);
  const counts = [...visits].map(([name, count]) => `${name} ${count}`).join(", ");
  print(Deno.stdout, `\nvisits        ${counts}\n${verdict.table.join("\n")}\n`);
  const all = [...complaints, ...verdict.complaints];
  print(Deno.stdout, all.length === 0 ? "all is well\n" : all.map((line) => `${line}\n`).join(""));
  return all.length === 0;
}

/** Makes visits for the length of a round. Returns the peak usage of the server. */
async function round(
  soak: Soak,
  { length, viewers, seed, turn }: { length: number; viewers: number; seed: number; turn: number },
): Promise<string> {
  const end = performance.now() + 1000 * length;
  const isOver = () => performance.now() >= end || soak.signal.aborted;
  const { server, visits, complaints } = soak;
  const kinds = { ...VISITS, ...ABUSES };
  const names = Object.keys(kinds);
  const visitRepeatedly = async (random: Random, first: number) => {
    // The first visits of two rounds cover every name, even in short ones.
    for (let name = names[first % names.length]; !isOver(); name = random.pick(names)) {
      visits.set(name, (visits.get(name) ?? 0) + 1);
      await complain(complaints, () => kinds[name]({ ...soak.options, random }), name);
    }
  };
  const peak = { memory: 0, descriptors: 0, children: 0 };
  const sample = async () => {
    while (!isOver()) {
      peak.memory = Math.max(peak.memory, await server.memory());
      peak.descriptors = Math.max(peak.descriptors, await server.descriptors());
      peak.children = Math.max(peak.children, await server.children());
      await new Promise((done) => setTimeout(done, Math.min(SAMPLE_INTERVAL, 200 * length)));
    }
  };
  const chances = Array.from(
    { length: viewers },
    (_, viewer) => new Random(seed, 1000 * turn + viewer),
  );
  await Promise.all([
    sample(),
    ...chances.map((random, viewer) => visitRepeatedly(random, viewers * turn + viewer)),
  ]);
  return `${megabytes(peak.memory)}, ${peak.descriptors} descriptors, ${peak.children} processes`;
}

/** Records the error of an action, unless it is expected of a visit. */
async function complain(
  complaints: string[],
  action: () => Promise<void>,
  name = "the last visit",
): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (isUsual(error) && name !== "the last visit") return;
    complaints.push(`A visit (${name}) failed: ${messageOf(error)}`);
  }
}

using interrupt = untilInterrupted();
let status = 0;
try {
  if (!await main(interrupt.signal)) status = 1;
} catch (error) {
  status = error instanceof UsageError ? 2 : 1;
  print(Deno.stderr, `${messageOf(error)}\n`);
}
Deno.exit(status);
