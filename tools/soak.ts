/**
 * `deno task soak`: a server, and viewers that come, go, stall, reset and send nonsense at random,
 * for as long as is wanted. In the end nothing may have grown, and the server has to be as exact
 * as at the beginning.
 */
import { print } from "../lib/base/log.ts";
import { messageOf, UsageError } from "../lib/base/errors.ts";
import { describeFlags, number, parseFlags, toggle } from "../lib/cli/flags.ts";
import { untilInterrupted } from "../lib/cli/signals.ts";
import { Random } from "../tests/fuzz/random.ts";
import { makeAccess } from "./soak/access.ts";
import { makeMedia } from "./soak/media.ts";
import { ServerProcess } from "./soak/server_process.ts";
import { judge, megabytes, type Sample } from "./soak/verdict.ts";
import { checkExact, isUsual, LIVE, type Place, VISITS } from "./soak/visits.ts";

const FLAGS = {
  minutes: number("N", "how long (3)", { absent: 3, bounds: { min: 0.05, max: 1e5 } }),
  hours: number<number | undefined>("N", "the same in hours", {
    absent: undefined,
    bounds: { min: 0.01, max: 1e4 },
  }),
  viewers: number("N", "at once (12)", {
    absent: 12,
    bounds: { min: 1, max: 1000, integer: true },
  }),
  seed: number<number | undefined>("N", "of the chance; by the clock where absent", {
    absent: undefined,
    bounds: { min: 0, max: 2 ** 32 - 1, integer: true },
  }),
  secure: toggle("with a token, and TLS"),
  help: toggle("print this and exit"),
};

const USAGE = `Usage: deno task soak [flags]

Starts a server and has viewers come, go, stall, reset and send nonsense. Fails
where memory, descriptors or processes grow, or where the server does not answer
as it should.

${
  describeFlags(FLAGS, { What: ["minutes", "hours", "viewers", "seed", "secure"], Also: ["help"] })
}`;

/** Seconds of viewers, after each of which the server is left alone until it is at rest. */
const ROUND = 10;

/** Rounds that there are at least. */
const MIN_ROUNDS = 2;

/** Milliseconds that it may take to come to rest: more than any deadline of the server's. */
const PATIENCE = 60_000;

/** Milliseconds from one look at a busy server to the next. */
const LOOKING = 2000;

interface Soak {
  server: ServerProcess;
  place: Omit<Place, "random">;
  signal: AbortSignal;
  /** How often each visit was made. */
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
  if (Deno.build.os !== "linux") throw new Error("Cannot look into processes: expected Linux");
  const folder = await Deno.makeTempDir({ prefix: "stream_soak_" });
  try {
    const { path, pictures } = await makeMedia(folder);
    const access = secure ? await makeAccess(folder) : { flags: [] };
    await using server = await ServerProcess.start([
      ...["--media", path, "--live", `${LIVE}=lavfi:testsrc2=size=160x120:rate=15`],
      ...["--live-linger", "1", "--max-clients", String(viewers + 8), "--max-decoders", "6"],
      ...access.flags,
    ]);
    const place = { port: server.port, token: access.token, pictures, crowd: viewers + 16 };
    const soak: Soak = { server, place, signal, visits: new Map(), complaints: [] };
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
    if (left !== undefined) complaints.push(`The server does not come to rest: ${left}`);
    const [memory, descriptors, children] = await Promise.all(
      [server.memory(), server.descriptors(), server.children()],
    );
    samples.push({ at: elapsed(), memory, descriptors, children });
    const total = [...visits.values()].reduce((sum, count) => sum + count, 0);
    print(
      Deno.stdout,
      `${elapsed().toFixed(0).padStart(6)} s  ${total} visits  at rest ${megabytes(memory)}, ` +
        `${descriptors} descriptors; busy ${peak}\n`,
    );
    if (complaints.length > 0) break;
  }
  await complain(complaints, () => checkExact(soak.place));
  const { code, signal: killed } = await server.end();
  if (![0, 130, 143].includes(code) || killed !== null) {
    complaints.push(`The server ended with status ${code}, ${killed}: expected a clean end`);
  }
  complaints.push(...server.faults.map((line) => `The log has: ${line}`));
  const verdict = judge(samples);
  const counts = [...visits].map(([name, count]) => `${name} ${count}`).join(", ");
  print(Deno.stdout, `\nvisits        ${counts}\n${verdict.table.join("\n")}\n`);
  const all = [...complaints, ...verdict.complaints];
  print(Deno.stdout, all.length === 0 ? "all is well\n" : all.map((line) => `${line}\n`).join(""));
  return all.length === 0;
}

/** Lets viewers come and go for a while. Gives the most that was seen meanwhile. */
async function round(
  soak: Soak,
  { length, viewers, seed, turn }: { length: number; viewers: number; seed: number; turn: number },
): Promise<string> {
  const end = performance.now() + 1000 * length;
  const isOver = () => performance.now() >= end || soak.signal.aborted;
  const { server, visits, complaints } = soak;
  const names = Object.keys(VISITS);
  const comeAndGo = async (random: Random, first: number) => {
    // Each of them is made, also where there is hardly time.
    for (let name = names[first % names.length]; !isOver(); name = random.pick(names)) {
      visits.set(name, (visits.get(name) ?? 0) + 1);
      await complain(complaints, () => VISITS[name]({ ...soak.place, random }), name);
    }
  };
  const most = { memory: 0, descriptors: 0, children: 0 };
  const look = async () => {
    while (!isOver()) {
      most.memory = Math.max(most.memory, await server.memory());
      most.descriptors = Math.max(most.descriptors, await server.descriptors());
      most.children = Math.max(most.children, await server.children());
      await new Promise((done) => setTimeout(done, Math.min(LOOKING, 200 * length)));
    }
  };
  const chances = Array.from(
    { length: viewers },
    (_, viewer) => new Random(seed, 1000 * turn + viewer),
  );
  await Promise.all([look(), ...chances.map((random, viewer) => comeAndGo(random, viewer))]);
  return `${megabytes(most.memory)}, ${most.descriptors} descriptors, ${most.children} processes`;
}

/** Notes what an action fails with, unless visits may fail so. */
async function complain(
  complaints: string[],
  action: () => Promise<void>,
  name = "the last visit",
): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (isUsual(error) && name !== "the last visit") return;
    complaints.push(`A visitor (${name}) found: ${messageOf(error)}`);
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
