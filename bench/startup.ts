import { Builder } from "../tools/build.ts";
import { hostSystem, programsFor } from "../tools/build_table.ts";
import { type Bench, compared, type Goal, measured, type Row, takeTurns } from "./measurement.ts";
import { succeeds } from "./installed.ts";

/** A round takes a twentieth of a second; more rounds make the median more stable. */
const ROUNDS_FACTOR = 4;

/** The shortest run of a program. */
const ARGUMENTS = ["--help"];

/** Seconds of video: three frames. */
const SHORT = 0.1;

/**
 * Measures the start-up time of the executables, compared with `deno run` of the same file, and a
 * short run of the client, compared with FFmpeg, which decodes a frame of the same file.
 */
export async function measureStartup(bench: Bench): Promise<Row[]> {
  const folder = await Deno.makeTempDir({ prefix: "stream_bench_build_" });
  try {
    const rows: Row[] = [];
    const builder = new Builder({ graphFlags: bench.programs.flags, log: bench.log });
    for (const [name, program] of Object.entries(programsFor(hostSystem()))) {
      const entry = new URL(`../${program.entry}`, import.meta.url).href;
      const output = `${folder}/stream-${name}`;
      await builder.build({ ...program, entry, output });
      rows.push(...await measureProgram({ name, output, folder, program }, bench));
      if (name === "client") rows.push(await measureShortRun(output, `${folder}/kept`, bench));
    }
    return rows;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function measureProgram(
  { name, output, folder, program }: {
    name: string;
    output: string;
    folder: string;
    program: { permissions: readonly string[] };
  },
  bench: Bench,
): Promise<Row[]> {
  const { programs, rounds } = bench;
  const first: number[] = [];
  for (let round = 0; round < rounds; round++) {
    bench.signal.throwIfAborted();
    first.push(await startUnpacking(output, `${folder}/first ${round}`));
  }
  const source = programs.source(name === "server" ? "server" : "client", program.permissions);
  const kept = { XDG_CACHE_HOME: `${folder}/kept` };
  const built = () => timeStart(output, ARGUMENTS, kept);
  await built();
  const { ours, other } = await takeTurns<"ours" | "other", number>(
    { ...bench, rounds: rounds * ROUNDS_FACTOR },
    { ours: built, other: () => timeStart(Deno.execPath(), [...source, ...ARGUMENTS]) },
  );
  const goal: Goal = { of: "ratio", relation: "at most", value: 1.3 };
  return [
    {
      ...compared({ ours, other }, {
        what: `stream-${name} --help`,
        unit: "ms",
        against: "deno run",
      }),
      goal,
    },
    measured({ ours: first }, { what: `stream-${name} --help, the first time`, unit: "ms" }),
  ];
}

/** Three frames as fast as they come, which the server has in its start-up cache. */
async function measureShortRun(client: string, cache: string, bench: Bench): Promise<Row> {
  const { clips, programs, signal, rounds } = bench;
  const { name, path } = await clips.get("thirty", signal);
  await using server = await programs.startServer(clips.folder, { signal });
  const address = ["--host", "127.0.0.1", "--port", String(server.port)];
  const part = ["--duration", String(SHORT), "--speed", "max"];
  const args = ["--video", name, ...part, "--view", "none", ...address];
  const decode = ["-nostdin", "-v", "error", "-i", path, "-map", "0:v:0", "-frames:v", "1"];
  const ours = () => timeStart(client, args, { XDG_CACHE_HOME: cache });
  // The first run fills the server's cache, and Deno's of compiled code.
  await ours();
  const figures = await takeTurns<"ours" | "other", number>(
    { ...bench, rounds: rounds * ROUNDS_FACTOR },
    { ours, other: () => timeStart("ffmpeg", [...decode, "-f", "null", "-"]) },
  );
  return {
    ...compared(figures, {
      what: "stream-client, three frames, from start to exit",
      unit: "ms",
      against: "ffmpeg alone, one frame, from start to exit",
    }),
    goal: { of: "ratio", relation: "at most", value: 1.2 },
  };
}

/** Starts a program with an empty cache, and empties it again. */
async function startUnpacking(output: string, cache: string): Promise<number> {
  await Deno.mkdir(cache);
  const taken = await timeStart(output, ARGUMENTS, { XDG_CACHE_HOME: cache });
  await Deno.remove(cache, { recursive: true });
  return taken;
}

async function timeStart(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<number> {
  const began = performance.now();
  if (await succeeds(program, args, env)) return performance.now() - began;
  throw new Error(`Cannot measure "${program}": it failed`);
}
